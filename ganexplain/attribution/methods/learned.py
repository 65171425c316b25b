"""The interface of trained explainers, which `train-explainer` writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from ganexplain.attribution.scorer import Scorer
from ganexplain.errors import UsageError
from ganexplain.inputs.base import Input


@dataclass(frozen=True)
class LearnedMap:
    """The result of a trained explainer: a map (H, W) and details in plain values."""

    area: Tensor
    details: Mapping[str, object]


class Answer(Protocol):
    """A trained explainer, as a function of a network and an input."""

    def check(self, network: nn.Module, x: Tensor) -> None:
        """Raise GanexplainError where it does not fit a network with inputs like `x` (*S)."""

    def __call__(self, network: nn.Module, scorer: Scorer, x: Tensor) -> LearnedMap:
        """Return the map of input x (*S), where S ends with H, W.

        `scorer.differentiable` returns the target's logit of `network`; passes are counted in
        `scorer.passes`.
        """


@dataclass(frozen=True)
class Explainer:
    """A trained explainer: method, SHA-256 of the networks it was trained on, their input type."""

    method: str
    networks: tuple[str, ...]
    front_end: Input
    answer: Answer


def explainer_for(explainers: Mapping[str, Explainer], method: str) -> Explainer:
    """Return the explainer of a method; UsageError where there is none."""
    if method not in explainers:
        raise UsageError(
            f"--method {method}: needs an explainer of `train-explainer --method {method}`; "
            "name its explainer.pt with --explainer"
        )
    return explainers[method]
