"""The smallest edit of an input that changes a decision: a smooth, sparse map of changes in dB.

The map has at most a share of the cells, each changed by at most a limit. They are those where the
gradient of the margin, smoothed over bands and frames and summed over steps, is largest (a level
set of that sum, so the limits hold at every step). The smoothest map that crosses the decision
boundary is taken; once it has crossed, its limit and its number of cells are reduced for as long as
it crosses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.engine import Objective

LIMITS_DB = (3.0, 6.0, 12.0, 24.0)  # of a cell's change, one after the other
SMOOTHINGS = ((2.0, 3.0), (1.0, 1.5), (0.0, 0.0))  # deviations of the kernel in bands and frames
ATTEMPTS = len(LIMITS_DB) * len(SMOOTHINGS)
LEAST_STEPS = 4  # of an attempt, whose first is at no change
MEMORY = 0.9  # share of the sum of gradients that remains at each step
FEWER, MORE = 0.8, 1.1  # factors of the share of cells: if it crosses, and if it does not
LOWER, HIGHER = 0.9, 1.05  # the same of the limit, which comes first
RAMP = 0.3  # deviations of the sum over which a change rises from none to the limit


@dataclass(frozen=True)
class Edit:
    """Changes `by` (F, T) in dB, and the number of steps until the decision changed, or -1.

    `no_gradient` means that the decision did not change and that the margin had no gradient.
    """

    by: np.ndarray
    steps: int
    no_gradient: bool


@dataclass(frozen=True)
class EditSearch:
    """A search for the smallest edit.

    Args:
        margin: function from changes (1, F, T) in dB to the margin (1,) of the input so changed.
        upwards: whether the other side of the boundary has margins above zero.
        editable: cells (F, T) that may change, such as the audible ones.
        most: largest share of all cells that change.
        steps: number of steps over all limits and smoothings.
        confirm: whether an edit (F, T) changes the decision as it is written.
    """

    margin: Objective
    upwards: bool
    editable: Tensor
    most: float
    steps: int
    confirm: Callable[[Tensor], bool]

    def find(self, advance: Callable[[int], None] = lambda steps: None) -> Edit:
        """Return the edit; without one that changes the decision, that with the closest margin.

        `advance` is called with the number of steps done, `steps` in all.
        """
        each, done, closest = max(LEAST_STEPS, self.steps // ATTEMPTS), 0, None
        for limit, smoothing in product(LIMITS_DB, SMOOTHINGS):
            attempt = _Attempt(self, limit, smoothing)
            for _ in range(min(each, self.steps - done)):
                attempt.step()
                advance(1)
                done += 1
            by = attempt.smallest()
            if by is not None:
                advance(self.steps - done)
                return Edit(by.cpu().numpy(), done, False)
            if closest is None or attempt.nearest > closest.nearest:
                closest = attempt
            if attempt.no_gradient:
                break
        assert closest is not None
        advance(self.steps - done)
        return Edit(closest.by.cpu().numpy(), -1, closest.no_gradient)


class _Attempt:
    """Steps with one limit and one smoothing, and the edits that crossed."""

    def __init__(self, search: EditSearch, limit: float, smoothing: tuple[float, float]) -> None:
        self.search, self.limit, self.share = search, limit, search.most
        self.highest = limit
        bands, frames = search.editable.shape
        device = search.editable.device
        self.kernels = [
            _smoother(count, width).to(device)
            for count, width in zip((bands, frames), smoothing, strict=True)
        ]
        self.sum = torch.zeros(bands, frames, device=device)
        self.by, self.nearest = self.sum, -torch.inf
        self.crossed: list[tuple[float, Tensor]] = []
        self.no_gradient = True

    def step(self) -> None:
        """Compute the margin of the map at hand, keep it if it crosses, and move on."""
        by = self._map().requires_grad_(True)
        margin = self.search.margin(by[None])[0]
        margin = margin if self.search.upwards else -margin
        gradient = torch.zeros_like(by)
        if margin.requires_grad:
            (gradient,) = torch.autograd.grad(margin, by, materialize_grads=True)
        reached = float(margin.detach())
        if reached > self.nearest:
            self.by, self.nearest = by.detach(), reached
        if reached > 0:
            self.crossed.append((float(by.detach().abs().sum()), by.detach()))
        self._resize(reached > 0)
        across, along = self.kernels
        gradient = (across @ torch.nan_to_num(gradient) @ along.T) * self.search.editable
        size = gradient.square().mean().sqrt()
        self.no_gradient &= not bool(size > 0)
        self.sum = MEMORY * self.sum + gradient / size.clamp_min(torch.finfo(size.dtype).tiny)

    def _resize(self, crosses: bool) -> None:
        """Ask for less if the map crosses, down to the first limit before fewer cells."""
        if not crosses and self.share < self.search.most:
            self.share = min(self.search.most, self.share * MORE)
        elif not crosses:
            self.limit = min(self.highest, self.limit * HIGHER)
        elif self.limit > LIMITS_DB[0]:
            self.limit = max(LIMITS_DB[0], self.limit * LOWER)
        else:
            self.share *= FEWER

    def smallest(self) -> Tensor | None:
        """The smallest map that crossed and is confirmed."""
        for _, by in sorted(self.crossed, key=lambda each: each[0]):
            if self.search.confirm(by):
                return by
        return None

    def _map(self) -> Tensor:
        """Changes (F, T) where the sum of gradients is largest."""
        size = self.sum.abs()
        count = min(max(1, int(self.share * size.numel())), size.numel() - 1)
        least = size.flatten().kthvalue(size.numel() - count).values
        ramp = (
            RAMP * size[size > least].std(correction=0) if bool(size.any()) else size.new_ones(())
        )
        height = (size - least) / ramp.clamp_min(torch.finfo(size.dtype).tiny)
        return self.limit * self.sum.sign() * height.clamp(0, 1)


def _smoother(count: int, width: float) -> Tensor:
    """Weights (count, count) of a Gaussian of deviation `width`; each row has unit sum."""
    places = torch.arange(count, dtype=torch.float32)
    distance = (places[:, None] - places) / max(width, 1e-3)
    weights = torch.exp(-distance.square() / 2)
    return weights / weights.sum(1, keepdim=True)
