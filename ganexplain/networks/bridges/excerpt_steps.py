"""What a front end does to the log-mel of an excerpt as a whole, as differentiable modules."""

from __future__ import annotations

import numpy as np
import scipy.fft
import torch
from torch import Tensor, nn

from ganexplain.inputs.log_mel import FrontEnd

SMALLEST = 1e-10  # variance of values that are all alike


def excerpt_steps(front_end: FrontEnd) -> list[nn.Module]:
    """The steps from log-mel (B, F, T) of `front_end.generator_output` to what it describes.

    `inputs.excerpt_steps.ExcerptSteps` has their order and keys.
    """
    if not front_end.excerpt_keys:
        return []
    steps: list[nn.Module] = []
    if front_end.logarithm == "pcen":
        steps.append(Pcen(front_end))
    if front_end.relative or front_end.range_below:
        steps.append(BelowLoudest(front_end.relative, front_end.range_below))
    steps.append(Scaled(front_end.scale, front_end.shift))
    if front_end.cepstra:
        steps.append(Product(cosines(front_end).T, -2))
    if front_end.deltas:
        steps.append(Deltas(front_end))
    if front_end.standardise != "none":
        steps.append(Standardised(front_end.standardise, front_end.unbiased))
    if front_end.mean != (0.0,) or front_end.deviation != (1.0,):
        steps.append(Constants(front_end))
    if front_end.stack > 1:
        steps.append(Stacked(front_end.stack))
    return steps


class Pcen(nn.Module):
    """Log-mel (B, F, T), natural logarithm -> per-channel energy normalisation of its levels.

    The recursive smoother is a product with its impulse response.
    """

    response: Tensor
    decay: Tensor

    def __init__(self, front_end: FrontEnd) -> None:
        super().__init__()
        self.front_end = front_end
        time = front_end.pcen_seconds * front_end.frame_rate
        weight = (np.sqrt(1 + 4 * time**2) - 1) / (2 * time**2)
        frames = np.arange(front_end.excerpt_frames)
        age = frames[None] - frames[:, None]
        response = np.where(age >= 0, weight * (1 - weight) ** np.maximum(age, 0), 0.0)
        self.register_buffer("response", torch.from_numpy(response).float())
        decay = torch.from_numpy((1 - weight) ** (frames + 1)).float()
        self.register_buffer("decay", decay)

    def forward(self, log_level: Tensor) -> Tensor:
        """The normalised energies."""
        keys, level = self.front_end, log_level.exp()
        first = keys.pcen_start or level[..., :1]
        smooth = level @ self.response + self.decay * first
        gained = level * (smooth + keys.pcen_eps) ** -keys.pcen_gain
        return keys.pcen_bias**keys.pcen_power * torch.expm1(
            keys.pcen_power * torch.log1p(gained / keys.pcen_bias)
        )


class BelowLoudest(nn.Module):
    """Values (B, F, T) relative to the largest of each excerpt, cut at `reach` below it."""

    def __init__(self, relative: bool, reach: float) -> None:
        super().__init__()
        self.relative, self.reach = relative, reach

    def forward(self, value: Tensor) -> Tensor:
        """The relative or cut values."""
        if self.relative:
            value = value - value.amax((1, 2), keepdim=True)
        if self.reach:
            value = torch.maximum(value, value.amax((1, 2), keepdim=True) - self.reach)
        return value


class Scaled(nn.Module):
    """Values times `scale` plus `shift`."""

    def __init__(self, scale: float, shift: float) -> None:
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, value: Tensor) -> Tensor:
        """The scaled values."""
        return value * self.scale + self.shift


def cosines(front_end: FrontEnd) -> np.ndarray:
    """Orthonormal cosine transform (bands, cepstra), type 2, with the lifter's weights."""
    bands, count = front_end.mel_bands, front_end.cepstra
    transform = scipy.fft.dct(np.eye(bands), type=2, norm="ortho", axis=1)[:, :count]
    if front_end.lifter:
        angles = np.pi * (np.arange(count) + front_end.lifter_start) / front_end.lifter
        transform = transform * (1 + front_end.lifter / 2 * np.sin(angles))
    return np.asarray(transform)


class Product(nn.Module):
    """The product of a matrix with an axis of values."""

    matrix: Tensor

    def __init__(self, matrix: np.ndarray, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.register_buffer("matrix", torch.from_numpy(matrix.copy()).float())

    def forward(self, value: Tensor) -> Tensor:
        """The products."""
        return self.matrix @ value if self.axis == -2 else value @ self.matrix.T


class Deltas(nn.Module):
    """Values (B, F, T) with n slopes over time, (B, F (1 + n), T) or (B, 1 + n, F, T)."""

    def __init__(self, front_end: FrontEnd) -> None:
        super().__init__()
        self.as_channels = front_end.delta_axis == "channels"
        self.slopes = nn.ModuleList(
            Product(slopes(front_end, order), -1) for order in range(1, front_end.deltas + 1)
        )

    def forward(self, value: Tensor) -> Tensor:
        """The values and their slopes."""
        parts = [value, *(slope(value) for slope in self.slopes)]
        return torch.stack(parts, 1) if self.as_channels else torch.cat(parts, 1)


def slopes(front_end: FrontEnd, order: int) -> np.ndarray:
    """Matrix (T, T) of the slopes of that order over time, by least squares."""
    from scipy.signal import savgol_filter  # half a second

    frames = np.eye(front_end.excerpt_frames)
    width = front_end.delta_width
    if front_end.delta_kind == "fitted":
        fitted = savgol_filter(frames, width, polyorder=order, deriv=order, axis=0, mode="interp")
        return np.asarray(fitted)
    once = savgol_filter(frames, width, polyorder=1, deriv=1, axis=0, mode="nearest")
    return np.asarray(np.linalg.matrix_power(once, order))


class Standardised(nn.Module):
    """Values (B, ..., T) standardised over each excerpt or over the time of each band."""

    def __init__(self, over: str, unbiased: bool) -> None:
        super().__init__()
        self.over, self.unbiased = over, unbiased

    def forward(self, value: Tensor) -> Tensor:
        """The standardised values."""
        axes = tuple(range(1, value.ndim)) if self.over in ("excerpt", "range") else (-1,)
        if self.over == "range":
            low, high = value.amin(axes, keepdim=True), value.amax(axes, keepdim=True)
            return (value - low) / (high - low).clamp_min(SMALLEST)
        centred = value - value.mean(axes, keepdim=True)
        if self.over == "band-mean":
            return centred
        variance = value.var(axes, correction=int(self.unbiased), keepdim=True)
        return centred / (variance + SMALLEST).sqrt()


class Constants(nn.Module):
    """Values minus a mean and by a deviation, one for all, or one a band or channel."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, front_end: FrontEnd) -> None:
        super().__init__()
        for name in ("mean", "deviation"):
            values = torch.tensor(getattr(front_end, name))[:, None]
            if len(values) == front_end.channels != front_end.rows(front_end.mel_bands):
                values = values[..., None]
            self.register_buffer(name, values)

    def forward(self, value: Tensor) -> Tensor:
        """The standardised values."""
        return (value - self.mean) / self.deviation


class Stacked(nn.Module):
    """Values (B, F, T) -> (B, n F, T // n): n frames are one, without those that are left over."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, value: Tensor) -> Tensor:
        """The longer frames."""
        whole = value[..., : value.shape[-1] // self.count * self.count]
        return whole.unflatten(-1, (-1, self.count)).movedim(-1, 1).flatten(1, 2)
