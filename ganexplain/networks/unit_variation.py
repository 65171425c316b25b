"""How much the units of a layer respond to real excerpts, for `responses.npz` and `selection`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganexplain.metrics.variation import Variation
from ganexplain.networks.hooks import layer_output
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.units import Unit

VARIATION = "response_variation"  # field of a meta and of selection.json
MEASURED = 32  # excerpts that show how large the values are that a response is read from


def read_variation(meta: Mapping[str, Any]) -> Variation | None:
    """What the meta of `responses.npz` says; None of files from before it was measured."""
    return Variation.from_meta(meta.get(VARIATION))


@dataclass(frozen=True)
class LayerSpread:
    """Standard deviations (U,) of a layer's units, and what it puts out for some excerpts.

    Without deviations where none of its units was asked for by its number.
    """

    layer: str
    std: np.ndarray
    activation: Tensor

    @classmethod
    def measure(
        cls,
        explained: TargetNetwork,
        layer: str,
        responses: np.ndarray | None,
        excerpts: np.ndarray,
    ) -> LayerSpread:
        """Of responses (M, U) of a layer, where there are such, and some of the excerpts."""
        std = np.empty(0) if responses is None else responses.std(0, ddof=1, dtype=np.float64)
        some = torch.from_numpy(excerpts).to(explained.device)
        with torch.no_grad(), layer_output(explained.network, layer) as put_out:
            return cls(layer, std, put_out(some))

    def variation(self, unit: Unit, response: np.ndarray) -> Variation:
        """Of a unit of the layer with responses (M,)."""
        number = unit.channel
        others = self.std[:0] if number is None else np.delete(self.std, number)
        size = float(unit.magnitude(self.activation).double().mean())
        return Variation.of(response, others, size)
