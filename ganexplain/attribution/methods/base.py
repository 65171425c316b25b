"""The interface of attribution methods: question, method with settings, attribution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor, nn

from ganexplain.attribution.masking import Parts, SubsetScore, subset_score
from ganexplain.attribution.methods.learned import Explainer
from ganexplain.attribution.scorer import Model, Scorer
from ganexplain.errors import UsageError

GRADIENTS = 100  # about the most passes of a method that computes gradients


def _itself(network: nn.Module) -> Model:
    return network


@dataclass(frozen=True)
class Question:
    """Why does the model give this score to this input?

    Args:
        x: the input (*S).
        fill: values (*S) that replace what is removed.
        labels: segments (H, W) of the input.
        parts: the parts that can be removed, such as a MaskedInput of the segments.
        scorer: the score to explain.
        network: the network for gradients and layers; None for a plain callable.
        model_of: function from a network to the model that `scorer` scores, to explain the same
            network with other weights.
    """

    x: Tensor
    fill: Tensor
    labels: np.ndarray
    parts: Parts
    scorer: Scorer
    network: nn.Module | None = None
    model_of: Callable[[nn.Module], Model] = _itself

    @property
    def score(self) -> SubsetScore:
        """Function from subsets of the parts to their scores."""
        return subset_score(self.parts, self.scorer)


@dataclass(frozen=True)
class Attribution:
    """The result of a method: `map` (H, W), and `weights` (n,) of the parts.

    `chosen` (n,), bool, are the parts that the method itself chooses, else None. `passes` is the
    number of inputs passed through the model and `seconds` the time; `attribute` sets both.
    `details` are figures of the method.
    """

    map: np.ndarray
    weights: np.ndarray
    passes: int
    seconds: float
    chosen: np.ndarray | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_weights(cls, question: Question, weights: np.ndarray, **more: Any) -> Self:
        """Build an attribution from weights (n,), which are spread over the map."""
        return cls(question.parts.spread(weights), weights, 0, 0.0, **more)

    @classmethod
    def from_map(cls, question: Question, area: Tensor, **more: Any) -> Self:
        """Build an attribution from a map (H, W), whose means over the parts are the weights."""
        values = area.double().cpu().numpy()
        return cls(values, question.parts.gather(values), 0, 0.0, **more)


class Method:
    """An attribution method: a frozen dataclass whose fields are its settings.

    A field has the name of an option of `attribute`, or a default. The first line of the
    docstring says what the method does.
    """

    random: ClassVar[bool] = False  # whether the map depends on the seed

    @classmethod
    def from_settings(
        cls, name: str, settings: object, explainers: Mapping[str, Explainer]
    ) -> Self:
        """Build the method called `name`; each field is the attribute of `settings`, or default.

        `explainers` are trained explainers by the name of their method.
        """
        names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        return cls(**{name: getattr(settings, name) for name in names if hasattr(settings, name)})

    def ask(self, question: Question, seed: int) -> Attribution:
        """Return the attribution; UsageError where the method needs a network, not a callable."""
        raise NotImplementedError

    def control(self, question: Question, found: Attribution, seed: int) -> Attribution:
        """Return `found` with the result of a control, whose passes are not counted."""
        return found

    def check(self, network: nn.Module, example: Tensor) -> None:
        """Raise UsageError where the method does not support a network with inputs (1, *S)."""

    def passes(self, count: int) -> int:
        """Estimate the number of passes for `count` segments, with those of the control."""
        return GRADIENTS


def require_network(question: Question, method: str) -> nn.Module:
    """Return the network of a question; UsageError for a plain callable."""
    if question.network is None:
        raise UsageError(f"--method {method} needs a torch network; use occlusion, lime or elime")
    return question.network
