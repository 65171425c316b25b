"""The variation of units over real excerpts, for `responses.npz` and `selection.json`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.metrics.variation import Variation
from ganexplain.networks.hooks import layer_output
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.units import Unit

MEASURED = 32  # excerpts over which the magnitude of a unit is averaged


@dataclass(frozen=True)
class LayerSpread:
    """Standard deviations (U,) of a layer's units, and the layer's output for some excerpts.

    `std` is empty if responses of all units are not known.
    """

    layer: str
    std: np.ndarray
    activation: Tensor

    @classmethod
    def measure(
        cls, explained: TargetNetwork, layer: str, std: np.ndarray, excerpts: np.ndarray
    ) -> LayerSpread:
        """The spread of a layer with deviations (U,); its output is for a few excerpts (N, ...)."""
        some = torch.from_numpy(excerpts).to(explained.device)
        with torch.no_grad(), layer_output(explained.network, layer) as compute:
            return cls(layer, std, compute(some))

    def variation(self, unit: Unit, excerpts: int, mean: float, std: float) -> Variation:
        """The variation of a unit of the layer with a mean and deviation over so many excerpts."""
        number = unit.channel
        others = self.std[:0] if number is None else np.delete(self.std, number)
        layer = float(np.median(others)) if len(others) else None
        size = float(unit.magnitude(self.activation).double().mean())
        return Variation(excerpts, mean, std, layer, size)
