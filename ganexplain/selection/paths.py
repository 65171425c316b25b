"""The path of examples through the layers before a unit, compared with that of real excerpts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.metrics.path_similarity import PathSimilarity, path_similarity
from ganexplain.networks.adapter import named_layers
from ganexplain.networks.hooks import record_outputs
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.units import Unit

BATCH = 32
FEWEST = 8  # features of a layer: of fewer, ranks mean little
MOST = 8192  # of more, some are left out


@dataclass(frozen=True)
class RealPath:
    """Features by layer of the strongest real excerpts of a unit (M, D) and of random ones (R, D).

    The features of a layer are the mean and the maximum of each unit over its places.
    """

    network: TargetNetwork
    unit: Unit
    strongest: Mapping[str, np.ndarray]
    usual: Mapping[str, np.ndarray]

    @classmethod
    def measure(
        cls, network: TargetNetwork, unit: Unit, strongest: np.ndarray, usual: np.ndarray
    ) -> RealPath:
        """That of inputs (M, ...) and (R, ...)."""
        first, second = (layers_before(network, unit, each) for each in (strongest, usual))
        return cls(network, unit, first, second)

    def similarity(self, inputs: np.ndarray) -> PathSimilarity:
        """The path similarity of N inputs (N, ...)."""
        mine = layers_before(self.network, self.unit, inputs)
        return path_similarity(mine, self.strongest, self.usual)

    def similarities(self, settings: np.ndarray) -> np.ndarray | None:
        """The mean over the layers (C, N) for the inputs (C, N, ...) of C settings.

        None if no layer before the unit tells the strongest real excerpts from random ones.
        """
        found = np.stack([self.similarity(inputs).each for inputs in settings])
        return None if np.isnan(found).any() else found


@torch.no_grad()
def layers_before(network: TargetNetwork, unit: Unit, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Features (N, D) of inputs (N, ...) in each layer that ends before that of the unit.

    A layer that returns the same as another is left out, and one of fewer than `FEWEST` features.
    """
    known = named_layers(network.network)
    own = unit.layer if unit.layer in known else unit.layer.rpartition("@")[0]
    parts: dict[str, list[np.ndarray]] = {}
    with record_outputs(network.network, known, _pooled) as outputs:
        for batch in torch.from_numpy(np.ascontiguousarray(inputs)).split(BATCH):
            network.network(batch.to(network.device))
            for name, values in outputs.items():
                parts.setdefault(name, []).append(values.cpu().numpy())
            outputs.clear()
    found: dict[str, np.ndarray] = {}
    for name, each in parts.items():  # in the order in which they end
        if name == own:
            break
        features = np.concatenate(each)
        new = not any(np.array_equal(features, other) for other in found.values())
        if new and features.shape[1] >= FEWEST and len(features) == len(inputs):
            found[name] = features
    return found


def _pooled(output: Tensor) -> Tensor:
    """Features (B, D) of an output (B, U, ...): means and maxima of units over places."""
    places = output.detach().flatten(2) if output.ndim > 2 else output.reshape(len(output), -1, 1)
    kept = places[:, :: -(-places.shape[1] // MOST)]
    both = kept[..., 0] if kept.shape[2] == 1 else torch.cat([kept.mean(2), kept.amax(2)], dim=1)
    return torch.nan_to_num(both.float())
