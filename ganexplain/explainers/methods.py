"""The methods of `train-explainer` by name."""

from __future__ import annotations

from ganexplain.explainers.cgan.choice import check_cgan, load_cgan, start_cgan
from ganexplain.explainers.parts.gallery import IllustratedTraining
from ganexplain.explainers.parts.inference import load_parts
from ganexplain.explainers.parts.training import check_settings as check_parts
from ganexplain.explainers.task import LearnedMethod

LEARNED = {
    "cgan": LearnedMethod(check_cgan, start_cgan, load_cgan, of_any_network=True),
    "parts": LearnedMethod(check_parts, IllustratedTraining, load_parts),
}
