"""Cuts or extends sound, spectra and pictures to the size that a network takes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.errors import UsageError

GREY = (0.299, 0.587, 0.114)  # shares of red, green and blue in brightness (ITU-R BT.601)


def fit_length(available: int, wanted: int, fit: str, unit: str, value: float = 0.0) -> nn.Module:
    """The module that gives the last axis of `available` values the `wanted` length.

    Of more values it keeps those in the middle. Behind fewer it puts `value` (`fit` is zeros or
    zero-features), the same values again (repeat), whole copies of them and then `value`
    (repeat-whole), or these backwards and forwards in turn (reflect). Raises UsageError, which
    counts in `unit`, for fewer values without `fit`.
    """
    if available >= wanted:
        return Middle(wanted)
    if not fit or available < 1:
        raise UsageError(
            f"the network takes {wanted} {unit}, an excerpt of the GAN has {max(available, 0)}; "
            'extend it with fit = "zeros", "repeat", "repeat-whole", "reflect" or "zero-features" '
            "under [network] in the file of --input, or train a GAN on longer excerpts "
            "(excerpt_frames of train-gan --input)"
        )
    if fit == "repeat-whole":
        copied = wanted - wanted % available
        copies = Again(available, copied, reflect=False)
        return nn.Sequential(copies, nn.ConstantPad1d((0, wanted - copied), value))
    if fit in ("repeat", "reflect"):
        return Again(available, wanted, reflect=fit == "reflect")
    return nn.ConstantPad1d((0, wanted - available), value)


class Middle(nn.Module):
    """The middle of the last axis."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, x: Tensor) -> Tensor:
        """The middle `length` values."""
        return x.narrow(-1, (x.shape[-1] - self.length) // 2, self.length)


class Again(nn.Module):
    """The values of the last axis, again until there are as many as wanted."""

    order: Tensor

    def __init__(self, available: int, wanted: int, reflect: bool) -> None:
        super().__init__()
        order = torch.arange(wanted)
        if reflect:  # without the last and the first value twice
            period = max(1, 2 * available - 2)
            order = order % period
            order = torch.minimum(order, period - order)
        self.register_buffer("order", order % available)

    def forward(self, x: Tensor) -> Tensor:
        """The longer values."""
        return x.index_select(-1, self.order)


class PictureSize(nn.Module):
    """Pictures (B, C, H, W) -> (B, C', H', W'): other sizes by bilinear interpolation.

    Grey has three equal channels; of three channels grey is the brightness.
    """

    shares: Tensor

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.channels, self.size = channels, (height, width)
        self.register_buffer("shares", torch.tensor(GREY).view(3, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """The pictures in the other size, within the same range."""
        if self.channels == 1:
            pictures = (pictures * self.shares).sum(1, keepdim=True)
        elif self.channels:
            pictures = pictures.expand(-1, self.channels, -1, -1)
        return functional.interpolate(pictures, self.size, mode="bilinear", antialias=True)
