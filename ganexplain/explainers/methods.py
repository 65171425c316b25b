"""The methods of `train-explainer` by name."""

from __future__ import annotations

from ganexplain.explainers.cgan.inference import load_cgan
from ganexplain.explainers.cgan.training import CganTraining
from ganexplain.explainers.cgan.training import check_settings as check_cgan
from ganexplain.explainers.parts.gallery import IllustratedTraining
from ganexplain.explainers.parts.inference import load_parts
from ganexplain.explainers.parts.training import check_settings as check_parts
from ganexplain.explainers.task import LearnedMethod

LEARNED = {
    "cgan": LearnedMethod(check_cgan, CganTraining, load_cgan, of_any_network=True),
    "parts": LearnedMethod(check_parts, IllustratedTraining, load_parts),
}
