"""The help of an option names every entry of its registry: it is written apart, to stay quick."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import pytest

from ganexplain import config
from ganexplain.ascent.priors import NEAR, PRIORS, SEARCH_PRIORS
from ganexplain.classifiers.checkpoint import LOG_MEL_ARCHITECTURES
from ganexplain.explainers.loading import METHODS
from ganexplain.explainers.methods import LEARNED
from ganexplain.gans.losses import LOSSES
from ganexplain.metrics.scores import RULES


@pytest.mark.parametrize("kind, option, choices", [
    (config.AttributeConfig, "method", METHODS),
    (config.TrainExplainerConfig, "method", LEARNED),
    (config.SelectConfig, "by", RULES),
    (config.TrainGanConfig, "loss", LOSSES),
    (config.ExplainConfig, "prior", PRIORS),
    (config.CounterfactualConfig, "prior", (NEAR, *SEARCH_PRIORS)),
    (config.TrainClassifierConfig, "architecture", LOG_MEL_ARCHITECTURES),
])  # fmt: skip
def test_the_help_names_every_choice(kind: type[Any], option: str, choices: Iterable[str]) -> None:
    (meaning,) = (f.metadata["help"] for f in fields(kind) if f.name == option)
    words = meaning.replace(",", " ").replace(".", " ").replace(";", " ").split()
    assert [name for name in choices if name not in words] == []
