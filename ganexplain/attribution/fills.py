"""Fills: the values that replace a segment where it is removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ganexplain.errors import UsageError, check_known
from ganexplain.runs.machine import random_stream

BLUR = 8.0  # cells, standard deviation


@dataclass(frozen=True)
class Reference:
    """The scale of a model's inputs, from which fills are computed. All values broadcast to *S.

    `centre` and `scale` are the training mean and deviation of each band or channel, 0 and 1 where
    they are unknown. `silence` is the value of silence, `lowest` the least standardised value of a
    data set; None where unknown. `zero` is the input that the network standardises to 0.
    """

    centre: Tensor | float = 0.0
    scale: Tensor | float = 1.0
    silence: float | None = None
    lowest: float | None = None
    zero: Tensor | float = 0.0

    @classmethod
    def of_bands(
        cls, mean: Tensor, deviation: Tensor, axes: int, silence: float | None = None
    ) -> Reference:
        """That of statistics (F,) or (C,) for inputs of so many axes: (F, T) or (C, H, W)."""
        index = (..., *[None] * (axes - 1))
        return cls(mean[index], deviation[index], silence)

    def standardised(self, x: Tensor) -> Tensor:
        """Return x (*S) in deviations of the training set."""
        return (x - self.centre) / self.scale

    def restored(self, z: Tensor) -> Tensor:
        """Invert `standardised`."""
        return z * self.scale + self.centre


def _zero(x: Tensor, labels: np.ndarray, reference: Reference, seed: int) -> Tensor:
    return torch.zeros_like(x) + reference.zero


def _training_mean(x: Tensor, labels: np.ndarray, reference: Reference, seed: int) -> Tensor:
    if not isinstance(reference.centre, Tensor):
        raise UsageError("--fill training-mean: unknown for this network; use zero or mean")
    return torch.zeros_like(x) + reference.centre


def _silence(x: Tensor, labels: np.ndarray, reference: Reference, seed: int) -> Tensor:
    if reference.silence is None:
        raise UsageError("--fill silence: unknown for this kind of input; use zero or mean")
    return torch.full_like(x, reference.silence)


def _mean(x: Tensor, labels: np.ndarray, reference: Reference, seed: int) -> Tensor:
    z = reference.standardised(x)
    return reference.restored(z.mean(dim=(-2, -1), keepdim=True).expand_as(x))


def _minimum(x: Tensor, labels: np.ndarray, reference: Reference, seed: int) -> Tensor:
    z = reference.standardised(x)
    return reference.restored(z.amin(dim=(-2, -1), keepdim=True).expand_as(x))


def _data_minimum(x: Tensor, labels: np.ndarray, reference: Reference, seed: int) -> Tensor:
    if reference.lowest is None:
        raise UsageError(
            "--fill data-min: the minimum of the data is needed; name the data with --corpus"
        )
    return reference.restored(torch.full_like(x, reference.lowest))


def _segment_mean(x: Tensor, labels: np.ndarray, reference: Reference, seed: int) -> Tensor:
    flat = x.reshape(-1, labels.size).double()  # all channels by cells
    index = torch.as_tensor(labels.ravel(), device=x.device)
    sizes = torch.bincount(index).double()
    totals = torch.zeros(len(flat), len(sizes), dtype=torch.double, device=x.device)
    totals.index_add_(1, index, flat)
    return (totals / sizes)[:, index].reshape(x.shape).to(x.dtype)


def _noise(x: Tensor, labels: np.ndarray, reference: Reference, seed: int) -> Tensor:
    noise = random_stream(seed, "fill").standard_normal(tuple(x.shape))
    return torch.as_tensor(noise, dtype=x.dtype, device=x.device)


def _blur(x: Tensor, labels: np.ndarray, reference: Reference, seed: int) -> Tensor:
    widths = [0.0] * (x.ndim - 2) + [BLUR, BLUR]
    blurred = gaussian_filter(x.cpu().numpy(), widths, mode="nearest")
    return torch.as_tensor(blurred, dtype=x.dtype, device=x.device)


FILLS: dict[str, Callable[[Tensor, np.ndarray, Reference, int], Tensor]] = {
    "zero": _zero,
    "training-mean": _training_mean,
    "silence": _silence,
    "mean": _mean,
    "min": _minimum,
    "data-min": _data_minimum,
    "segment-mean": _segment_mean,
    "noise": _noise,
    "blur": _blur,
}


def fill(name: str, x: Tensor, labels: np.ndarray, reference: Reference, seed: int = 0) -> Tensor:
    """Return the values (*S) that replace removed segments of x (*S).

    Args:
        name: `zero` (0 to the network: black, no sound, in log-mel a level of 0); `training-mean`
            of each band or channel (the zero of Mishra, Benetos, Sturm and Dixon 2020, whose input
            is standardised); `silence`; `mean` and `min` of this input over the places of each
            channel, standardised (as in that paper); `data-min`, the minimum of a data set;
            `segment-mean` (as LIME for images); `noise`, N(0, 1) in the input's unit (as in that
            paper); `blur`, a Gaussian of 8 cells.
        x: the input, where S ends with H, W.
        labels: the segments (H, W).
        reference: the scale of the inputs.
        seed: seed of `noise`.

    Raises:
        UsageError: the name is unknown, or the input does not allow it.
    """
    return FILLS[check_known("--fill", name, FILLS)](x, labels, reference, seed)
