"""The generator of maps from the signals of a network: a weighted sum of them and a U-Net."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.explainers.cgan.signals import LEVELS, SIDES, Signals

CONTRIBUTIONS = SIDES * (LEVELS + 1)
LEAK = 0.1
SMALLEST = 1e-12


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
    return nn.Sequential(convolution, nn.LeakyReLU(LEAK))


class UNet(nn.Module):
    """Planes (B, n, H, W) -> a map (B, H, W), by two halvings (Ronneberger et al. 2015).

    Any size will do. The last layer is linear and starts with zeros.
    """

    def __init__(self, planes: int, width: int) -> None:
        super().__init__()
        self.enter = _convolution(planes, width)
        self.middle = nn.Sequential(
            _convolution(width, 2 * width, 2), _convolution(2 * width, 2 * width)
        )
        self.lowest = nn.Sequential(
            _convolution(2 * width, 4 * width, 2), _convolution(4 * width, 4 * width)
        )
        self.rise = _convolution(6 * width, 2 * width)
        self.leave = _convolution(3 * width, width)
        self.tail = nn.Conv2d(width, 1, 3, padding=1)
        for weight in self.tail.parameters():
            nn.init.zeros_(weight)

    def forward(self, planes: Tensor) -> Tensor:
        """Maps (B, H, W)."""
        whole = self.enter(planes)
        middle = self.middle(whole)
        x = self.rise(torch.cat([middle, _resized(self.lowest(middle), middle)], dim=1))
        found: Tensor = self.tail(self.leave(torch.cat([whole, _resized(x, whole)], dim=1)))
        return found[:, 0]


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear")


class SignalGenerator(nn.Module):
    """Inputs (B, *S), those without content and signals -> maps (B, H, W) in the response's unit.

    The sum of a map is the response of the whole less that of nothing: what is lacking is spread
    evenly over the cells, as in FastSHAP. Before the training a map is the mean of the
    contributions with the gradient at the input, each scaled to the same deviation. Without
    `gradient` only the input and the Grad-CAM maps are shown. `mean` and `deviation` (F,) or (C,)
    are those of each band or channel; `shape` is that of an input.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: tuple[int, ...], width: int, gradient: bool) -> None:
        super().__init__()
        self.gradient = gradient
        self.register_buffer("mean", torch.zeros(shape[0]))
        self.register_buffer("deviation", torch.ones(shape[0]))
        channels = shape[0] if len(shape) == 3 else 1
        self.unet = UNet(channels + LEVELS + CONTRIBUTIONS * gradient, width)
        if gradient:
            self.mix = nn.Conv2d(CONTRIBUTIONS, 1, 1, bias=False)
            nn.init.zeros_(self.mix.weight)
            self.mix.weight.data[0, ::SIDES] = 1 / (LEVELS + 1)

    def forward(self, x: Tensor, filled: Tensor, signals: Signals) -> Tensor:
        """Maps (B, H, W)."""
        axes = (slice(None), *[None] * (x.ndim - 2))
        above = (x - filled) / self.deviation[axes]
        planes = [above if x.ndim == 4 else above[:, None], signals.cams]
        cells = x.shape[-2] * x.shape[-1]
        if self.gradient:
            told = signals.contributions
            centred = told - told.mean(dim=(-2, -1), keepdim=True)
            size = centred.square().mean(dim=(-2, -1), keepdim=True).sqrt()
            even = centred / size.clamp_min(SMALLEST)
            scale = size.mean(dim=1)
            area = self.mix(even)[:, 0] + self.unet(torch.cat([*planes, even], dim=1))
        else:
            scale = (signals.difference.abs() / cells)[:, None, None]
            area = self.unet(torch.cat(planes, dim=1))
        area = scale * area
        lacking = signals.difference - area.sum(dim=(-2, -1))
        found: Tensor = area + (lacking / cells)[:, None, None]
        return found
