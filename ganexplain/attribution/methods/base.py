"""What every method shares: a question in, an attribution out, its settings between."""

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

GRADIENTS = 100  # passes of what takes gradients, at most about


def _itself(network: nn.Module) -> Model:
    return network


@dataclass(frozen=True)
class Question:
    """Why does the model give this score to this input?

    `x` (*S) is the input, `fill` (*S) what stands where it is taken away, `labels` (H, W) its
    segments and `parts` what can be left out of it (a MaskedInput of these, say). `network` is
    what gradients and layers are taken of, None for a plain callable; `model_of` makes of it
    the model that `scorer` scores, so that a network with random weights can be asked too.
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
        """Scores of subsets of the parts."""
        return subset_score(self.parts, self.scorer)


@dataclass(frozen=True)
class Attribution:
    """What a method says: `map` (H, W), and `weights` (n,) of the parts.

    `chosen` (n,) of booleans where the method itself chooses parts, else None. `passes` counts
    inputs the model was run on, `seconds` the wall clock, both 0 until `attribute` counts them;
    `details` are the method's own figures, `warnings` plain words.
    """

    map: np.ndarray
    weights: np.ndarray
    passes: int
    seconds: float
    chosen: np.ndarray | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @classmethod
    def of_weights(cls, question: Question, weights: np.ndarray, **more: Any) -> Self:
        """Of weights (n,) of the parts, spread over the map."""
        return cls(question.parts.spread(weights), weights, 0, 0.0, **more)

    @classmethod
    def of_map(cls, question: Question, area: Tensor, **more: Any) -> Self:
        """Of a map (H, W), gathered over the parts."""
        values = area.double().cpu().numpy()
        return cls(values, question.parts.gather(values), 0, 0.0, **more)


class Method:
    """A way of attributing: a frozen dataclass, whose fields are its settings.

    A field has the name of an option of `attribute`, or a default. The first line of the
    docstring says what the method does.
    """

    random: ClassVar[bool] = False  # whether another seed may give another map

    @classmethod
    def of(cls, name: str, settings: object, explainers: Mapping[str, Explainer]) -> Self:
        """The method called `name` with those `settings` that it has fields of, else the defaults.

        `explainers` are the trained ones, by the method they were trained with.
        """
        names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        return cls(**{name: getattr(settings, name) for name in names if hasattr(settings, name)})

    def ask(self, question: Question, seed: int) -> Attribution:
        """The attribution; UsageError where the method needs a network for a callable."""
        raise NotImplementedError

    def control(self, question: Question, found: Attribution, seed: int) -> Attribution:
        """`found` beside what a control finds, whose passes are not counted as the method's."""
        return found

    def check(self, network: nn.Module, example: Tensor) -> None:
        """UsageError where the method cannot take a network on inputs like `example` (1, *S)."""

    def passes(self, count: int) -> int:
        """About how many passes it takes for `count` segments, those of its control included."""
        return GRADIENTS


def network_of(question: Question, method: str) -> nn.Module:
    """The network asked about; UsageError for a plain callable."""
    if question.network is None:
        raise UsageError(f"--method {method} needs a torch network; use occlusion, lime or elime")
    return question.network
