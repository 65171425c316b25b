"""A discriminator on features of a frozen network (Projected GAN, Sauer et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from ganexplain.gans.dcgan import batch_deviation
from ganexplain.networks.hooks import record_outputs
from ganexplain.networks.layer_outputs import LayerOutput

LAYERS = 4
WIDTH = 64
LARGEST_MAP = (8, 12)  # bands and frames a head sees; the other discriminator sees finer detail
SLOPE = 0.2


class LayerOutputs:
    """Outputs of up to `LAYERS` hidden layers of a frozen network, spread over its depth.

    Hidden layers are the convolutions and linear layers but the last one, which is the output.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        weighted = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        hidden = weighted[:-1] or weighted
        places = {-(-k * len(hidden) // LAYERS) - 1 for k in range(1, LAYERS + 1)}
        chosen = [str(place) for place in sorted(places) if place >= 0]
        self.layers = {name: LayerOutput(name, hidden[int(name)]) for name in chosen}

    def __call__(self, mel: Tensor) -> list[Tensor]:
        """Return the activations (B, C, ...) of each layer for excerpts (B, F, T)."""
        with record_outputs(self.network, self.layers) as outputs:
            self.network(mel)
        return [outputs[name].float() for name in self.layers]


class FeatureDiscriminator(nn.Module):
    """Activations (B, C, ...) of several layers -> scores (B, heads), one a layer, high for real.

    `examples` are activations of real excerpts. They set the sizes, and the mean and deviation
    that standardise each channel. Every layer with weights has spectral normalisation.
    """

    def __init__(self, examples: Sequence[Tensor]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_Head(example) for example in examples)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return scores (B, heads) of the activations of one batch."""
        scores = [head(part) for head, part in zip(self.heads, features, strict=True)]
        return torch.cat(scores, dim=1)


class _Head(nn.Module):
    """Activations (B, C) or (B, C, F', T') of one layer -> scores (B, 1)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, example: Tensor) -> None:
        super().__init__()
        maps = _maps(example)
        height, width = maps.shape[2:]
        self.size = (min(height, LARGEST_MAP[0]), min(width, LARGEST_MAP[1]))
        pooled = functional.adaptive_avg_pool2d(maps, self.size)
        self.register_buffer("mean", pooled.mean(dim=(0, 2, 3), keepdim=True))
        deviation = pooled.std(dim=(0, 2, 3), keepdim=True)
        self.register_buffer("deviation", deviation.clamp_min(1e-6))
        kernel = 1 if self.size == (1, 1) else 3
        conv = nn.Conv2d(maps.shape[1], WIDTH, kernel, stride=2, padding=kernel // 2)
        places = -(-self.size[0] // 2) * -(-self.size[1] // 2)
        self.conv = parametrizations.spectral_norm(conv)
        self.out = parametrizations.spectral_norm(nn.Linear(WIDTH * places + 1, 1))

    def forward(self, activation: Tensor) -> Tensor:
        x = functional.adaptive_avg_pool2d(_maps(activation), self.size)
        x = self.conv((x - self.mean) / self.deviation)
        x = functional.leaky_relu(x, SLOPE).flatten(1)
        return self.out(torch.cat([x, batch_deviation(x)], dim=1))


def _maps(activation: Tensor) -> Tensor:
    return activation if activation.ndim == 4 else activation[:, :, None, None]
