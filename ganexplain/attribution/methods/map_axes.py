"""Which axes of a layer's map are those of the input, found by changing halves of the input.

A network may turn the axes of its input round, or transform one of them (cepstra of bands, spectra
of samples), before a convolution.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LEAST = 0.1  # how much more a half of a map must change with its half of the input
CLEARLY = 0.2  # how much better turned axes must fit


@torch.no_grad()
def on_input_axes(area: Tensor, activation_of: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return a map (h, w) with the axes of input x (..., H, W), in their order.

    `activation_of` returns what the map is of, (1, C, h, w), for inputs (1, ..., H, W). An axis of
    the input that the map does not follow has length one in the result, a mean over the map's.
    """
    follows = _follows(activation_of, x)
    if follows[0, 1] + follows[1, 0] > follows[0, 0] + follows[1, 1] + CLEARLY:
        area, follows = area.T, follows.flip(1)
    for axis in (0, 1):
        if x.shape[axis - 2] == 1 or (area.shape[axis] > 1 and follows[axis, axis] < LEAST):
            area = area.mean(axis, keepdim=True)
    return area


def _follows(activation_of: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """How far each axis of a map (columns) follows each of the last two of x (rows), 0 to 1."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).to(x)
    noise = noise * (x.std() if float(x.std()) > 0 else 1.0)
    usual = activation_of(x[None])
    found = torch.zeros(2, 2)
    for axis in (0, 1):
        length = x.shape[axis - 2]
        if length < 2:
            continue
        for sign, start in ((0.5, 0), (-0.5, length - length // 2)):
            changed = x.clone()
            half = changed.narrow(axis - 2, start, length // 2)
            half += noise.narrow(axis - 2, start, length // 2)
            change = (activation_of(changed[None]) - usual).square().sum((0, 1))
            found[axis] += sign * torch.tensor([_contrast(change.sum(1)), _contrast(change.sum(0))])
    return found.clamp_min(0)


def _contrast(change: Tensor) -> float:
    """How much more the first half of an axis changes than the second, -1 to 1."""
    half = len(change) // 2
    first, second = float(change[:half].sum()), float(change[len(change) - half :].sum())
    return (first - second) / (first + second) if first + second > 0 else 0.0
