"""Guides: networks whose layers describe a generated sound, for the model of a surrogate search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.ascent.engine import start_latents
from ganexplain.errors import UsageError
from ganexplain.gans.networks import latent_size
from ganexplain.inputs.base import Input
from ganexplain.inputs.specification import check_same_front_end
from ganexplain.networks.adapter import named_layers
from ganexplain.networks.black_box import find_black_box
from ganexplain.networks.hooks import is_weighted, record_outputs
from ganexplain.networks.layer_outputs import LayerOutput
from ganexplain.networks.source import named_source
from ganexplain.networks.target import load_target

PLACES = 5  # along each axis, over which the outputs of a layer are averaged
BATCH = 50
DRAWN = 500  # samples that show how features vary
FLAT = 1e-3  # of the spread of a layer: a feature that varies less counts little


def guide_features(
    guides: Sequence[str], generated: Input, generator: nn.Module, device: torch.device
) -> Guides | None:
    """The features by networks in files, of what a generator makes; None without any.

    `generated` describes what it makes. Raises UsageError for a guide without gradients, for
    another kind of input and for one that code computes; other errors as `load_target`.
    """
    if not guides:
        return None
    return Guides([_load(text, generated, device) for text in guides], generator, device)


def guide_digests(guides: Sequence[str]) -> tuple[str, ...]:
    """What identifies each guide, as `NetworkSource.digest`."""
    return tuple(named_source(text).digest() for text in guides)


def guide_files(guides: Sequence[str]) -> list[Path]:
    """The files of guides."""
    return [path for text in guides for path in named_source(text).files().values()]


class Guides:
    """The features (B, D) of latents (B, Z), by networks whose input a generator makes.

    They are the latents and the outputs of all layers with weights, rectified and averaged over
    regions of time and frequency, each layer with the same spread.
    """

    def __init__(
        self, networks: Sequence[nn.Module], generator: nn.Module, device: torch.device
    ) -> None:
        self.networks, self.generator = networks, generator
        latent = torch.from_numpy(start_latents(0, DRAWN, latent_size(generator))).to(device)
        with torch.no_grad():
            rows = [self._layers(z) for z in latent.split(BATCH)]
        layers = [torch.cat(each) for each in zip(*rows, strict=True)]
        self.mean = torch.cat([each.mean(0) for each in layers])
        self.scale = torch.cat([_scale(each) for each in layers])

    def __call__(self, latent: Tensor) -> Tensor:
        """Features (B, D) of latents (B, Z), with their graph."""
        return (torch.cat(self._layers(latent), dim=1) - self.mean) / self.scale

    def _layers(self, latent: Tensor) -> list[Tensor]:
        """The latents and the features (B, ...) of each layer."""
        inputs, found = self.generator(latent), [latent]
        for network in self.networks:
            with record_outputs(network, _weighted_layers(network), _pooled) as outputs:
                network(inputs)
                found += outputs.values()
        return found


def _scale(layer: Tensor) -> Tensor:
    """By what to divide features (B, U) of a layer, so that they add up to a spread of one."""
    spread = layer.std(0) + FLAT * layer.std()
    return spread.clamp_min(torch.finfo(spread.dtype).tiny) * math.sqrt(layer.shape[1])


def _weighted_layers(network: nn.Module) -> dict[str, LayerOutput]:
    return {name: layer for name, layer in named_layers(network).items() if is_weighted(layer)}


def _pooled(output: Tensor) -> Tensor:
    """Features (B, U * P) of outputs (B, U, ...) of a layer."""
    rectified = functional.leaky_relu(output)
    if output.ndim == 2:
        return rectified
    planes = rectified.flatten(3) if output.ndim > 3 else rectified[..., None]
    sizes = (min(planes.shape[2], PLACES), min(planes.shape[3], PLACES))
    return functional.adaptive_avg_pool2d(planes, sizes).flatten(1)


def _load(text: str, generated: Input, device: torch.device) -> nn.Module:
    """A guide behind a conversion from what the generator makes; raises as `guide_features`."""
    source = named_source(text)
    try:
        if source.features:
            raise UsageError(
                f"its input is computed by code (features = {source.features!r}), which a guide "
                "cannot have; name another network"
            )
        target = load_target(source, generated, device)
        if source.classifier:
            check_same_front_end((Path(text), target.front_end), (Path("the GAN"), generated))
    except UsageError as error:
        reason = str(error).removeprefix(f"{text}: ").removeprefix(f"--model {source.model}: ")
        raise UsageError(f"--guide {text}: {reason}") from error
    if find_black_box(target.network):
        raise UsageError(f"--guide {text}: has no gradients; name a network that has")
    return target.network
