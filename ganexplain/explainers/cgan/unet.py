"""The generator of maps from the signals of a network: a weighted sum of them and a U-Net."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.explainers.cgan.signals import LEVELS, SIDES, Signals
from ganexplain.runs.distributed import average_gradients

CONTRIBUTIONS = SIDES * (LEVELS + 1)
LEAK = 0.1
SMALLEST = 1e-12
RIDGE = 1.0  # beside sums over lessons, so that a few of them can be solved


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

    A map is the sum of the contributions, each times its weight in `mix`, and of what the U-Net
    adds. Its sum over the cells is the response of the whole less that of nothing: what is lacking
    is spread evenly, as in FastSHAP. At first all contributions with the gradient at the input have
    the same weight. Without `gradient` only the input and the Grad-CAM maps are shown. `mean` and
    `deviation` (F,) or (C,) are those of each band or channel; `shape` is that of an input.
    """

    mean: Tensor
    deviation: Tensor
    mix: Tensor

    def __init__(self, shape: tuple[int, ...], width: int, gradient: bool) -> None:
        super().__init__()
        self.gradient = gradient
        self.register_buffer("mean", torch.zeros(shape[0]))
        self.register_buffer("deviation", torch.ones(shape[0]))
        channels = shape[0] if len(shape) == 3 else 1
        self.unet = UNet(channels + LEVELS + CONTRIBUTIONS * gradient, width)
        self.register_buffer("mix", torch.zeros(CONTRIBUTIONS))
        self.mix[::SIDES] = 1 / (LEVELS + 1)

    def forward(self, x: Tensor, filled: Tensor, signals: Signals) -> Tensor:
        """Maps (B, H, W)."""
        axes = (slice(None), *[None] * (x.ndim - 2))
        above = (x - filled) / self.deviation[axes]
        planes = [above if x.ndim == 4 else above[:, None], signals.cams]
        cells = x.shape[-2] * x.shape[-1]
        if self.gradient:
            even, scale = even_contributions(signals)
            area = torch.einsum("bnhw,n->bhw", even, self.mix)
            area = area + self.unet(torch.cat([*planes, even], dim=1))
        else:
            scale = (signals.difference.abs() / cells)[:, None, None]
            area = self.unet(torch.cat(planes, dim=1))
        area = scale * area
        lacking = signals.difference - area.sum(dim=(-2, -1))
        found: Tensor = area + (lacking / cells)[:, None, None]
        return found


def even_contributions(signals: Signals) -> tuple[Tensor, Tensor]:
    """Return contributions (B, n, H, W) of mean 0 and deviation 1, and their scale (B, 1, 1).

    The scale is the mean of their deviations; contributions that are the same everywhere are 0.
    """
    told = signals.contributions
    centred = told - told.mean(dim=(-2, -1), keepdim=True)
    size = centred.square().mean(dim=(-2, -1), keepdim=True).sqrt()
    return centred / size.clamp_min(SMALLEST), size.mean(dim=1)


class MixFit(nn.Module):
    """The weights of contributions that fit all lessons so far, in closed form.

    `gram` (n, n) and `moment` (n,) are the sums of their normal equations.
    """

    gram: Tensor
    moment: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("gram", torch.zeros(CONTRIBUTIONS, CONTRIBUTIONS))
        self.register_buffer("moment", torch.zeros(CONTRIBUTIONS))

    def update(self, design: Tensor, wanted: Tensor) -> Tensor:
        """Add rows (R, n) that should give values (R,); returns the weights (n,)."""
        self.gram.grad, self.moment.grad = design.T @ design, design.T @ wanted
        average_gradients([self.gram, self.moment])
        self.gram += self.gram.grad
        self.moment += self.moment.grad
        ridge = RIDGE * torch.eye(len(self.gram), device=self.gram.device)
        weights: Tensor = torch.linalg.solve(self.gram + ridge, self.moment)
        return weights
