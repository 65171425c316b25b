"""Random coalitions of the squares of an input, and what a network responds to them.

The map to learn is the Shapley value of each square. Its weighted least squares (Charnes et al.
1988; KernelSHAP, Lundberg and Lee 2017) need no exact map: the responses to a few coalitions of
each of very many inputs teach it (FastSHAP, Jethani et al., arXiv 2107.07436).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.attribution.fills import Reference, fill
from ganexplain.attribution.masking import MaskedInput, subset_score
from ganexplain.attribution.scorer import Model, Scorer
from ganexplain.attribution.segments import grid

BATCH = 32  # masked inputs in a pass


def kernel_sizes(count: int) -> np.ndarray:
    """Return the probabilities (n - 1,) of coalitions of 1 to n - 1 of n squares.

    They are those of the Shapley kernel, summed over all coalitions of a size.
    """
    size = np.arange(1, count)
    weight = (count - 1) / (size * (count - size))
    found: np.ndarray = weight / weight.sum()
    return found


def draw_coalitions(count: int, wanted: int, random: np.random.Generator) -> np.ndarray:
    """Return coalitions (wanted, n), bool, of n squares by the Shapley kernel.

    `wanted` is even: each is followed by its complement, which makes a fit less noisy (Covert and
    Lee 2021).
    """
    sizes = random.choice(np.arange(1, count), wanted // 2, p=kernel_sizes(count))
    order = random.random((wanted // 2, count)).argsort(axis=1)
    kept = order < sizes[:, None]
    return np.stack([kept, ~kept], axis=1).reshape(-1, count)


@dataclass(frozen=True)
class Squares:
    """A grid of squares over inputs (*S), which are replaced by the mean of the input.

    `labels` (H, W) are their numbers; `reference` is the scale of the inputs.
    """

    labels: np.ndarray
    reference: Reference

    @classmethod
    def over(cls, shape: tuple[int, ...], along: int, reference: Reference) -> Squares:
        """Squares over inputs (..., H, W), at most `along` of them along each axis."""
        height, width = shape[-2:]
        return cls(grid(height, width, min(along, height), min(along, width)), reference)

    @property
    def count(self) -> int:
        """The number n of squares."""
        return int(self.labels.max()) + 1

    def fills(self, x: Tensor) -> Tensor:
        """Return inputs (B, *S) without content."""
        return torch.stack([fill("mean", one, self.labels, self.reference) for one in x])

    def sums(self, areas: Tensor) -> Tensor:
        """Return the sums (B, n) of maps (B, H, W) over the squares."""
        index = torch.from_numpy(self.labels.ravel()).to(areas.device)
        return areas.new_zeros(len(areas), self.count).index_add_(1, index, areas.flatten(1))

    def responses(
        self, scorers: list[Scorer], x: Tensor, filled: Tensor, kept: np.ndarray
    ) -> Tensor:
        """Return scores (B, K) of inputs (B, *S) of which only coalitions (B, K, n) are kept."""
        found = [
            subset_score(MaskedInput(one, self.labels, without), scorer)(subsets)
            for scorer, one, without, subsets in zip(scorers, x, filled, kept, strict=True)
        ]
        return torch.from_numpy(np.stack(found)).float().to(x.device)


def scorers_for(
    model: Model, classes: Tensor, kind: str, fast: Model | None = None
) -> list[Scorer]:
    """Return scorers of the log-odds of classes (B,), one for each input."""
    return [Scorer(model, target, "logit", kind, BATCH, fast) for target in classes.tolist()]
