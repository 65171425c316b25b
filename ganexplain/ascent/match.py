"""Latents whose activations match those of real excerpts, in place of the largest response.

After VITAL (arXiv 2503.22399): activations are compared sorted over places, which is the squared
Wasserstein distance of their distributions, so that what is heard counts and not when or where.
Search k matches real excerpt k, from the strongest on, so that all match their distribution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.ascent.beyond import FixedOutputs
from ganexplain.networks.adapter import network_device
from ganexplain.networks.hooks import Response, find_layer, record_outputs

RESPONSE, MATCH = "response", "match"
OBJECTIVES = (RESPONSE, MATCH)
BATCH = 16


def sorted_places(activation: Tensor) -> Tensor:
    """Activations (B, U, P) of an output (B, U, ...), of each unit in ascending order."""
    wide = activation[:, None] if activation.ndim < 2 else activation
    return wide.flatten(2).sort(dim=2).values if wide.ndim > 2 else wide[:, :, None]


@dataclass(frozen=True)
class RealActivations:
    """Sorted activations (R, U, P) of real excerpts by layer."""

    layers: Mapping[str, Tensor]

    @classmethod
    def measure(
        cls, network: nn.Module, layers: Iterable[str], inputs: np.ndarray
    ) -> RealActivations:
        """Those of real excerpts (R, ...)."""
        wanted = {layer: find_layer(network, layer) for layer in layers}
        found: dict[str, list[Tensor]] = {layer: [] for layer in wanted}
        rows = torch.from_numpy(inputs).to(network_device(network))
        with torch.no_grad(), record_outputs(network, wanted) as outputs:
            for part in rows.split(BATCH):
                network(part)
                for layer, parts in found.items():
                    parts.append(sorted_places(outputs[layer]))
        return cls({layer: torch.cat(parts) for layer, parts in found.items()})

    def of(self, examples: np.ndarray) -> RealActivations:
        """Those that searches with numbers `examples` (B,) match."""
        return RealActivations(
            {
                layer: real[torch.from_numpy(examples % len(real)).to(real.device)]
                for layer, real in self.layers.items()
            }
        )

    @property
    def variances(self) -> dict[str, float]:
        """The mean variance of an activation over the excerpts, by layer."""
        return {
            layer: float(real.double().var(dim=0).mean()) or 1.0
            for layer, real in self.layers.items()
        }


@contextmanager
def match_response(
    network: nn.Module,
    real: RealActivations,
    examples: np.ndarray,
    sign: float,
    fixed_outputs: FixedOutputs | None,
) -> Iterator[Response]:
    """A function from the inputs (B, ...) of searches `examples` (B,) to what they maximise (B,).

    This is minus the mean squared distance to the activations of their real excerpts, in mean
    variances of the activations of a layer over the excerpts; it is multiplied by `sign`, that of
    the direction. With fixed outputs they follow (B, 1 + H).
    """
    layers = {layer: find_layer(network, layer) for layer in real.layers}
    more = {"": find_layer(network, fixed_outputs.layer)} if fixed_outputs else {}
    wanted, variances = real.of(examples), real.variances
    with record_outputs(network, layers | more) as outputs:

        def respond(x: Tensor) -> Tensor:
            network(x)
            distances = [
                (sorted_places(outputs[layer]) - each).square().mean(dim=(1, 2)) / variances[layer]
                for layer, each in wanted.layers.items()
            ]
            value = -sign * torch.stack(distances).mean(dim=0)
            return (
                torch.cat([value[:, None], fixed_outputs.read(outputs[""])], 1)
                if fixed_outputs
                else value
            )

        yield respond
