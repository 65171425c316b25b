"""Conversions between log-mel, spectra and waveforms, as differentiable modules.

Log-mel becomes a waveform as in `audio/sonify.py`, with fewer steps: magnitudes by multiplicative
updates, the phase by fast Griffin-Lim from a fixed start.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.audio.filterbank import mel_filterbank, used_bins
from ganexplain.audio.log_mel import check_frame_by_frame, frame_count, is_plain, window
from ganexplain.inputs.log_mel import FrontEnd

FIT_STEPS = 10  # of the magnitudes
PHASE_STEPS = 16  # of Griffin-Lim
MOMENTUM = 0.99
SMALLEST = 1e-8  # magnitude
NEXT_TO_NOTHING = 1e-18  # a magnitude whose square is still a float32


class Magnitudes(nn.Module):
    """Log-mel (B, F, T) of a front end -> non-negative magnitudes (B, frame_length // 2 + 1, T).

    Values above `highest`, which a waveform in [-1, 1] can reach, are clipped; values at the floor
    become zero.
    """

    filters: Tensor
    reach: Tensor

    def __init__(self, front_end: FrontEnd, highest: float) -> None:
        super().__init__()
        self.front_end, self.highest = front_end, highest
        filters = mel_filterbank(front_end)
        missing = front_end.transform_length // 2 + 1 - len(filters)
        filters = np.pad(filters, ((0, missing), (0, 0)))
        self.register_buffer("filters", torch.from_numpy(filters))
        self.register_buffer("reach", self.filters.sum(1, keepdim=True).clamp_min(SMALLEST))

    def forward(self, mel: Tensor) -> Tensor:
        """Magnitudes of log-mel."""
        level = _expanded(mel.clamp(max=self.highest), self.front_end)
        fit = self.filters @ level / self.reach
        for _ in range(FIT_STEPS):
            modelled = self.filters.T @ fit
            fit = fit * (self.filters @ (level / modelled.clamp_min(SMALLEST**2)) / self.reach)
        power = self.front_end.power
        return fit if power == 1 else fit.clamp_min(SMALLEST**2) ** (1 / power)


def _expanded(mel: Tensor, front_end: FrontEnd) -> Tensor:
    """Levels above the floor, as `audio.log_mel.log_expand`."""
    value = (mel - front_end.shift) / front_end.scale
    if front_end.logarithm == "ln":
        level = value.exp()
    elif front_end.logarithm == "none":
        level = value
    else:
        level = torch.pow(10.0, value / (10 if front_end.logarithm == "db" else 1))
    least = max(front_end.floor, front_end.offset)
    return (level - least).clamp_min(0) / front_end.gain + SMALLEST**2


class Waveform(nn.Module):
    """Magnitudes (B, bins, T) of uncentred frames -> waveforms (B, W) of the samples they span.

    Fast Griffin-Lim (Perraudin et al. 2013): `PHASE_STEPS` steps from random phases that are
    always the same. For the gradient the phases are constant: a gradient through the steps
    explodes (docs/results.md).
    """

    window: Tensor
    phase: Tensor
    weight: Tensor

    def __init__(self, front_end: FrontEnd, frames: int) -> None:
        super().__init__()
        self.length, self.hop = front_end.frame_length, front_end.hop_length
        self.samples = (frames - 1) * self.hop + self.length
        self.register_buffer("window", torch.from_numpy(window(front_end)))
        stream = np.random.default_rng(0)
        angles = stream.uniform(-math.pi, math.pi, (self.length // 2 + 1, frames))
        self.register_buffer("phase", torch.polar(torch.ones(()), torch.from_numpy(angles).float()))
        squares = self.window.square()[None, :, None].expand(1, -1, frames)
        weight = self._added(squares)
        # Windows are near zero at both ends; without a lower bound their samples would be huge.
        self.register_buffer("weight", weight.clamp_min(0.05 * float(weight.max())))

    def forward(self, magnitudes: Tensor) -> Tensor:
        """Waveforms whose spectra have about these magnitudes."""
        return self._waveform(magnitudes * self._phase(magnitudes))

    @torch.no_grad()
    def _phase(self, magnitudes: Tensor) -> Tensor:
        phase, previous = self.phase, torch.zeros_like(self.phase)
        for _ in range(PHASE_STEPS):
            rebuilt = self._spectrum(self._waveform(magnitudes * phase))
            moved = rebuilt - MOMENTUM / (1 + MOMENTUM) * previous
            phase = moved / (moved.abs() + SMALLEST)
            previous = rebuilt
        return phase

    def _waveform(self, spectrum: Tensor) -> Tensor:
        frames = torch.fft.irfft(spectrum, n=self.length, dim=1) * self.window[:, None]
        return self._added(frames) / self.weight

    def _added(self, frames: Tensor) -> Tensor:
        """Overlap-add of frames (B, length, T) to (B, W)."""
        kernel = (1, self.length)
        folded = nn.functional.fold(frames, (1, self.samples), kernel, stride=(1, self.hop))
        return folded[:, 0, 0]

    def _spectrum(self, waveform: Tensor) -> Tensor:
        frames = waveform.unfold(1, self.length, self.hop).transpose(1, 2)
        return torch.fft.rfft(frames * self.window[:, None], dim=1)


class Resampled(nn.Module):
    """Waveforms (B, W) at one rate -> (B, W') at another, through the discrete Fourier transform.

    Frequencies above half the lower rate are removed.
    """

    def __init__(self, samples: int, rate: int, wanted_rate: int) -> None:
        super().__init__()
        self.before, self.after = samples, round(samples * wanted_rate / rate)

    def forward(self, waveform: Tensor) -> Tensor:
        """The same sound at the other rate."""
        if self.after == self.before:
            return waveform
        spectrum = torch.fft.rfft(waveform, dim=1)
        bins = min(self.before, self.after) // 2 + 1
        kept = spectrum[:, :bins]
        return torch.fft.irfft(kept, n=self.after, dim=1) * (self.after / self.before)


class LogMel(nn.Module):
    """Waveforms (B, W) -> log-mel (B, F, T) of all their frames, equal to `audio.log_mel`.

    The steps of whole excerpts are in `excerpt_steps`; UsageError for a front end that has some.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, front_end: FrontEnd) -> None:
        super().__init__()
        check_frame_by_frame(front_end)
        self.front_end = front_end
        self.register_buffer("window", torch.from_numpy(window(front_end)))
        self.register_buffer("filters", torch.from_numpy(mel_filterbank(front_end)))
        # The root of zero needs a magnitude for its gradient, which must not be seen in silence.
        seen = SMALLEST * front_end.gain * float(self.filters.sum(0).max())
        hidden = seen < front_end.floor and not front_end.offset
        self.least = SMALLEST if hidden else NEXT_TO_NOTHING

    def frames(self, samples: int) -> int:
        """The number of frames of waveforms of that length."""
        return frame_count(samples, self.front_end)

    def forward(self, waveform: Tensor) -> Tensor:
        """Log-mel of waveforms."""
        front_end = self.front_end
        if front_end.preemphasis_of == "signal":
            waveform = preemphasised(waveform, front_end.preemphasis)
        waveform = _padded(waveform, front_end.padding, front_end.pad_mode)
        frames = waveform.unfold(1, front_end.frame_length, front_end.hop_length)
        if front_end.remove_mean:
            frames = frames - frames.mean(2, keepdim=True)
        if front_end.preemphasis and front_end.preemphasis_of == "frame":
            before = torch.cat([frames[..., :1], frames[..., :-1]], 2)
            frames = frames - front_end.preemphasis * before
        transformed = torch.fft.rfft(frames * self.window, n=front_end.transform_length, dim=2)
        spectrum = transformed[..., : used_bins(front_end)]
        return self.from_power(spectrum.real.square() + spectrum.imag.square())

    def from_power(self, squares: Tensor) -> Tensor:
        """Log-mel (B, F, T) of squared magnitudes (B, T, bins)."""
        power = self.front_end.power
        level = squares if power == 2 else (squares + self.least**2).sqrt()
        return compress_log((level @ self.filters).transpose(1, 2), self.front_end)


def preemphasised(waveform: Tensor, share: float) -> Tensor:
    """Waveforms (B, W) less that share of the sample before; the first one is kept."""
    before = nn.functional.pad(waveform[:, :-1], (1, 0))
    return waveform - share * before if share else waveform


def _padded(waveform: Tensor, padding: tuple[int, int], mode: str) -> Tensor:
    """Waveforms (B, W) with samples added before and behind them as by `numpy.pad`."""
    if mode == "constant" or not any(padding):
        return nn.functional.pad(waveform, padding)
    source = np.pad(np.arange(waveform.shape[1]), padding, mode=mode)  # type: ignore[call-overload]
    return waveform[:, torch.from_numpy(source).to(waveform.device)]


def compress_log(level: Tensor, front_end: FrontEnd) -> Tensor:
    """The logarithm of mel levels (B, F, T) as the front end defines it."""
    level = level if is_plain(front_end) else level * front_end.gain + front_end.offset
    value = level.clamp_min(front_end.floor)
    if front_end.logarithm == "ln":
        value = value.log()
    elif front_end.logarithm != "none":
        value = value.log10() * (10 if front_end.logarithm == "db" else 1)
    return value if is_plain(front_end) else value * front_end.scale + front_end.shift
