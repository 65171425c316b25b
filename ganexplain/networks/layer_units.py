"""The units of a layer: how many there are, and the value of each for every input."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ganexplain.errors import UsageError


def unit_values(activation: Tensor) -> Tensor:
    """Activations (B, U) of a layer's units: the mean over places of an output (B, U, ...).

    A layer with an output (B,) has one unit.
    """
    if activation.ndim < 2:
        return activation.reshape(-1, 1)
    return activation if activation.ndim == 2 else activation.flatten(2).mean(2)


def weighted_units(activation: Tensor, weights: Tensor) -> Tensor:
    """The sum (B,) of a layer's units, weighted by a vector (U,)."""
    values = unit_values(activation)
    return (values * weights.to(values)).sum(1)  # autocast would round a matrix product


@dataclass(frozen=True)
class LayerUnits:
    """The number of a layer's units, and the sizes of the axes behind that of the units."""

    layer: str
    count: int
    places: tuple[int, ...] = ()

    def check(self, where: str, *numbers: int) -> None:
        """Raise UsageError, which begins with `where`, for a unit that the layer does not have."""
        if max(numbers, default=0) >= self.count:
            raise UsageError(f"{where}: layer {self.layer} has units 0 to {self.count - 1}")
