"""The path of examples through the layers before a unit, compared with that of real excerpts."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.metrics.path_similarity import LayerPath, PathSimilarity, layer_paths
from ganexplain.networks.adapter import NetworkAdapter, named_layers
from ganexplain.networks.hooks import find_layer, record_outputs
from ganexplain.networks.layer_passes import run_to_layer
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.units import Unit

BATCH = 32
FEWEST = 8  # features of a layer: of fewer, ranks mean little
MOST = 8192  # of more, some are left out


@dataclass(frozen=True)
class RealPath:
    """The path of the strongest real excerpts of a unit, by layer before it.

    The features of a layer are the mean and the maximum of each unit over its places. The layers
    are those in which the strongest excerpts differ from random ones, whatever is compared.
    """

    network: TargetNetwork
    unit: Unit
    layers: Mapping[str, LayerPath]

    @classmethod
    def measure(
        cls, network: TargetNetwork, unit: Unit, strongest: np.ndarray, usual: np.ndarray
    ) -> RealPath:
        """That of the strongest excerpts (M, ...) and random ones (R, ...)."""
        found = layers_before(network, unit, np.concatenate([strongest, usual]))
        first, second = (
            {name: features[rows] for name, features in found.items()}
            for rows in (slice(len(strongest)), slice(len(strongest), None))
        )
        return cls(network, unit, layer_paths(first, second))

    def similarity(self, inputs: np.ndarray) -> PathSimilarity:
        """The path similarity of N inputs (N, ...)."""
        parts: dict[str, list[np.ndarray]] = {}
        for _, features in _batches(self.network, self.unit, inputs, self.layers):
            for name, each in features.items():
                parts.setdefault(name, []).append(self.layers[name].similarity(each))
        return PathSimilarity(_whole(parts, len(inputs)))

    def similarities(self, settings: np.ndarray) -> np.ndarray | None:
        """The mean over the layers (C, N) for the inputs (C, N, ...) of C settings.

        None if no layer before the unit tells the strongest real excerpts from random ones.
        """
        if not self.layers:
            return None
        each = self.similarity(settings.reshape(-1, *settings.shape[2:])).each
        return None if np.isnan(each).any() else each.reshape(settings.shape[:2])


def layers_before(network: TargetNetwork, unit: Unit, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Features (N, D) of inputs (N, ...) in the layers that run before that of the unit returns.

    A layer that returns the same as another or as that of the unit is left out, and one of fewer
    than `FEWEST` features.
    """
    parts: dict[str, list[np.ndarray]] = {}
    own = []
    for returned, features in _batches(network, unit, inputs, named_layers(network.network)):
        own.append(returned)
        for name, each in features.items():
            parts.setdefault(name, []).append(each)
    known = {hash(np.concatenate(own).tobytes())}
    found = {}
    for name, each in _whole(parts, len(inputs)).items():
        if each.shape[1] >= FEWEST and (content := hash(each.tobytes())) not in known:
            known.add(content)
            found[name] = each
    return found


@torch.no_grad()
def _batches(
    network: TargetNetwork, unit: Unit, inputs: np.ndarray, wanted: Container[str]
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Features (B, D) in the layer of a unit, and by name in layers before, of batches of inputs.

    A pass ends at the last call of the unit's layer, from which the unit is read: what a layer
    returns after that does not count, though it has run before, too.
    """
    whole, own = network.network, find_layer(network.network, unit.layer)
    before = {
        name: layer
        for name, layer in named_layers(whole).items()
        if name in wanted and layer.module is not own.module
    }
    one_by_one = isinstance(whole, NetworkAdapter) and whole.calling.copies > 0
    rows = torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float32))
    with record_outputs(whole, before, pooled) as outputs, run_to_layer(whole, own) as run:
        # A pass that only counts the calls of the unit's layer runs to the end of the network.
        handle = whole.register_forward_pre_hook(lambda *_: outputs.clear())
        try:
            for batch in rows.split(1 if one_by_one else BATCH):
                returned = pooled(run(batch.to(network.device))).cpu().numpy()
                features = {name: values.cpu().numpy() for name, values in outputs.items()}
                yield returned, {n: each for n, each in features.items() if len(each) == len(batch)}
        finally:
            handle.remove()


def _whole(parts: Mapping[str, list[np.ndarray]], count: int) -> dict[str, np.ndarray]:
    """Joined parts by layer, without layers that did not return something for all inputs."""
    return {
        name: np.concatenate(each) for name, each in parts.items() if sum(map(len, each)) == count
    }


def pooled(output: Tensor) -> Tensor:
    """Features (B, D) of an output (B, U, ...): means and maxima of units over places."""
    places = output.detach()[(..., *[None] * (3 - output.ndim))].flatten(2)
    kept = places[:, :: max(-(-places.shape[1] // MOST), 1)]
    many = kept.shape[2] > 1
    both = torch.cat([kept.mean(2), kept.amax(2)], dim=1) if many else kept.flatten(1)
    return torch.nan_to_num(both.float())
