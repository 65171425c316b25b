"""Explanations by networks that were trained to explain: what `train-explainer` makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from ganexplain.attribution.scorer import Scorer
from ganexplain.errors import UsageError
from ganexplain.inputs.kinds import Input


class Answer(Protocol):
    """How a trained explainer is asked."""

    def __call__(
        self, network: nn.Module, scorer: Scorer, x: Tensor
    ) -> tuple[Tensor, dict[str, Any]]:
        """The map (H, W) of input x (*S), S ending with H, W, and details in plain values.

        `scorer.differentiable` gives the target's logit of `network`; passes are counted in
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
