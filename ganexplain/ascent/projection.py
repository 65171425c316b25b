"""Latents at which some numbers stay as they were, while a search moves: projected gradients.

A search that fixes H numbers knows their Jacobian J at each latent. Moves lose their part in the
rows of J, so that the numbers stay to first order, and what is left of the drift d is taken back by
the smallest move that does it, -J'(JJ')^-1 d (Rosen 1961, gradient projection).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

RIDGE = 1e-6  # of the mean diagonal of JJ', for numbers that depend on each other
MOST_BACK = 1.0  # length of the move that takes back the drift: J may nearly vanish


@dataclass(frozen=True)
class Level:
    """The latents next to R rows at which H numbers have given values, to first order.

    `jacobian` (R, H, Z) has the gradients of the numbers, `drift` (R, H) how far they are off.
    """

    jacobian: Tensor
    drift: Tensor

    def along(self, move: Tensor) -> Tensor:
        """Moves (R, Z) without the part that changes the numbers."""
        wide = move.double()[:, :, None]
        return move - self._causing(self.jacobian.double() @ wide)

    @cached_property
    def back(self) -> Tensor:
        """The smallest moves (R, Z) that take back the drift, at most `MOST_BACK` long."""
        move = -self._causing(self.drift.double()[:, :, None])
        length = move.norm(dim=1, keepdim=True).clamp_min(MOST_BACK)
        return move * (MOST_BACK / length)

    def _causing(self, change: Tensor) -> Tensor:
        """The smallest moves (R, Z) that change the numbers by `change` (R, H, 1)."""
        jacobian = self.jacobian.double()
        move = jacobian.transpose(1, 2) @ torch.linalg.solve(self._gram, change)
        return move[:, :, 0].to(self.jacobian)

    @cached_property
    def _gram(self) -> Tensor:
        """JJ' (R, H, H) with a ridge."""
        jacobian = self.jacobian.double()
        gram = jacobian @ jacobian.transpose(1, 2)
        size = gram.diagonal(dim1=1, dim2=2).mean(1).clamp_min(torch.finfo(torch.float64).tiny)
        one = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
        return gram + (RIDGE * size)[:, None, None] * one
