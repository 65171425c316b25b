"""Explanations by networks that were trained to explain: what `train-explainer` makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from ganexplain.attribution.scorer import Scorer
from ganexplain.errors import UsageError
from ganexplain.inputs.kinds import Input


@dataclass(frozen=True)
class LearnedMap:
    """What a trained explainer finds: a map (H, W) and details in plain values."""

    area: Tensor
    details: Mapping[str, object]


class Answer(Protocol):
    """How a trained explainer is asked."""

    def check(self, network: nn.Module, x: Tensor) -> None:
        """GanexplainError where it does not fit a network with inputs like `x` (*S)."""

    def __call__(self, network: nn.Module, scorer: Scorer, x: Tensor) -> LearnedMap:
        """What it finds of input x (*S), S ending with H, W.

        `scorer.differentiable` returns the target's logit of `network`; passes are counted in
        `scorer.passes`.
        """


@dataclass(frozen=True)
class Explainer:
    """A trained explainer: its method, the networks (SHA-256) it was trained on, what they take."""

    method: str
    networks: tuple[str, ...]
    front_end: Input
    answer: Answer


def explainer_for(explainers: Mapping[str, Explainer], method: str) -> Explainer:
    """The explainer of that method; UsageError where there is none."""
    if method not in explainers:
        raise UsageError(
            f"--method {method}: needs an explainer of `train-explainer --method {method}`; "
            "name its explainer.pt with --explainer"
        )
    return explainers[method]
