"""Converts a GAN's output to a network's input, differentiably.

Log-mel is converted to other log-mel through magnitudes if both have the same frames, otherwise
through a waveform; waveforms to log-mel and to waveforms of another rate, level or length;
pictures to pictures of another size, range or number of channels. There are no other conversions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain.audio.filterbank import check_filters, used_bins
from ganexplain.audio.sonify import highest_level
from ganexplain.errors import UsageError
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.bridges.excerpt_steps import excerpt_steps
from ganexplain.networks.bridges.fitting import PictureSize, fit_length
from ganexplain.networks.bridges.spectra import (
    LogMel,
    Magnitudes,
    Resampled,
    Waveform,
    preemphasised,
)

FEATURES = "zero-features"  # a `fit` of log-mel, not of the sound before it
SAME_FRAMES = (
    "sample_rate", "frame_length", "hop_length", "window", "window_shape", "window_length",
    "fft_length", "centred", "pad_start", "pad_end", "preemphasis", "remove_mean",
)  # fmt: skip


def bridge_between(
    generator_output: Input, network_input: Input, layout: str = "", fit: str = ""
) -> nn.Module:
    """The module from a generator's output (B, ...) to a network's input.

    `layout` is the order of the axes of the input and `fit` how shorter excerpts are extended, as
    in `--input`. Raises UsageError, with the reason, if there is no conversion.
    """
    if generator_output != network_input:
        for front_end in (generator_output, network_input):
            check_filters(front_end)
    steps = _conversion(generator_output, network_input, fit)
    if layout and layout != network_input.axes:
        steps = [*steps, _Layout(network_input.axes, layout)]
    return nn.Sequential(*steps)


def _conversion(generator_output: Input, network_input: Input, fit: str) -> list[nn.Module]:
    convert = CONVERSIONS.get((type(generator_output), type(network_input)))
    if convert:
        return convert(generator_output, network_input, fit)
    if generator_output == network_input:
        return []
    if not network_input.sound_rate:
        advice = f"train one on {network_input.plural} of that size: train-gan --input"
    elif generator_output.sound_rate:
        advice = f"train one on {network_input.plural}: train-gan --input"
    else:
        advice = "train one on sound"
    names = [
        f"{each.plural} ({' x '.join(map(str, each.shape))})"
        for each in (generator_output, network_input)
    ]
    raise UsageError(f"the GAN generates {names[0]}, the network takes {names[1]}; {advice}")


def _between_pictures(
    generator_output: ImageInput, network_input: ImageInput, fit: str
) -> list[nn.Module]:
    steps: list[nn.Module] = []
    if generator_output.shape != network_input.shape:
        other = generator_output.channels != network_input.channels
        channels = network_input.channels if other else 0
        steps = [PictureSize(channels, network_input.height, network_input.width)]
    usual = network_input.low == 0 and network_input.high == 1 and not any(network_input.mean)
    if usual and set(network_input.deviation) == {1.0}:
        return steps
    return [*steps, _PictureRange(network_input)]


def _between_log_mels(
    generator_output: FrontEnd, network_input: FrontEnd, fit: str
) -> list[nn.Module]:
    plain, steps = network_input.generator_output, excerpt_steps(network_input)
    if generator_output == plain:
        return steps
    if any(getattr(generator_output, name) != getattr(plain, name) for name in SAME_FRAMES):
        magnitudes, sound = _sound_of(generator_output)
        return [
            magnitudes,
            sound,
            *_log_mel_of(sound.samples, generator_output, network_input, fit),
        ]
    magnitudes = Magnitudes(generator_output, highest_level(generator_output))
    mel = _MelOfMagnitudes(plain)
    frames = generator_output.excerpt_frames, plain.excerpt_frames
    fitted = fit_length(*frames, fit, "frames", plain.shift if fit == FEATURES else 0.0)
    if frames[0] >= frames[1]:
        return [fitted, magnitudes, mel, *steps]
    if fit == FEATURES:
        return [magnitudes, mel, fitted, *steps]
    return [magnitudes, fitted, mel, *steps]


def _log_mel_to_waveforms(
    generator_output: FrontEnd, network_input: WaveformInput, fit: str
) -> list[nn.Module]:
    magnitudes, sound = _sound_of(generator_output)
    return [magnitudes, sound, *_waveforms_of(sound.samples, generator_output, network_input, fit)]


def _waveforms_to_log_mel(
    generator_output: WaveformInput, network_input: FrontEnd, fit: str
) -> list[nn.Module]:
    return _log_mel_of(generator_output.samples, generator_output, network_input, fit)


def _between_waveforms(
    generator_output: WaveformInput, network_input: WaveformInput, fit: str
) -> list[nn.Module]:
    return _waveforms_of(generator_output.samples, generator_output, network_input, fit)


def _sound_of(front_end: FrontEnd) -> tuple[Magnitudes, Waveform]:
    """The steps from log-mel to magnitudes, and from these to waveforms."""
    magnitudes = Magnitudes(front_end, highest_level(front_end))
    return magnitudes, Waveform(front_end, front_end.excerpt_frames)


def _log_mel_of(samples: int, sound: Input, network_input: FrontEnd, fit: str) -> list[nn.Module]:
    """The steps from waveforms with `samples` samples at the rate of `sound` to log-mel.

    Waveforms that are too short are extended before their log-mel is computed; with zero-features
    the log-mel is, by zeros before the steps of the excerpt, `scale` and `shift`.
    """
    resampled = Resampled(samples, sound.sound_rate, network_input.sample_rate)
    plain, steps = network_input.generator_output, excerpt_steps(network_input)
    mel, wanted = LogMel(plain), plain.excerpt_frames
    available = mel.frames(resampled.after)
    fitted = fit_length(available, wanted, fit, "frames", plain.shift)
    if available >= wanted or fit == FEATURES:
        return [resampled, mel, fitted, *steps]
    longer = (wanted - 1) * plain.hop_length + plain.frame_length - sum(plain.padding)
    return [resampled, fit_length(resampled.after, longer, fit, "samples"), mel, *steps]


def _waveforms_of(
    samples: int, sound: Input, network_input: WaveformInput, fit: str
) -> list[nn.Module]:
    """The steps from waveforms with `samples` samples at the rate of `sound` to the network's.

    Those that are too short have their level before they are extended: silence is zero.
    """
    resampled = Resampled(samples, sound.sound_rate, network_input.sample_rate)
    fitted = fit_length(resampled.after, network_input.samples, fit, "samples")
    level = _Level(network_input)
    steps = [fitted, level] if resampled.after >= network_input.samples else [level, fitted]
    return [resampled, *steps]


# Steps by the kinds of the GAN's output and the network's input, and how shorter excerpts are
# extended. Other kinds must be equal.
CONVERSIONS: dict[tuple[type[Input], type[Input]], Callable[[Any, Any, str], list[nn.Module]]] = {
    (FrontEnd, FrontEnd): _between_log_mels,
    (FrontEnd, WaveformInput): _log_mel_to_waveforms,
    (WaveformInput, FrontEnd): _waveforms_to_log_mel,
    (WaveformInput, WaveformInput): _between_waveforms,
    (ImageInput, ImageInput): _between_pictures,
}


class _MelOfMagnitudes(nn.Module):
    """Magnitudes (B, bins, T) -> log-mel of a front end with the same frames."""

    def __init__(self, front_end: FrontEnd) -> None:
        super().__init__()
        self.mel = LogMel(front_end)

    def forward(self, magnitudes: Tensor) -> Tensor:
        """Log-mel (B, F, T)."""
        bins = used_bins(self.mel.front_end)
        return self.mel.from_power(magnitudes[:, :bins].transpose(1, 2).square())


class _Level(nn.Module):
    """Waveforms (B, W) -> waveforms at the level of the network's input."""

    def __init__(self, network_input: WaveformInput) -> None:
        super().__init__()
        self.network_input = network_input

    def forward(self, waveform: Tensor) -> Tensor:
        """The scaled waveforms."""
        waveform = preemphasised(waveform, self.network_input.preemphasis)
        if self.network_input.standardise:
            waveform = waveform - waveform.mean(1, keepdim=True)
            if offset := self.network_input.variance_offset:
                variance = waveform.square().mean(1, keepdim=True)
                waveform = waveform / (variance + offset).sqrt()
            else:
                waveform = waveform / waveform.std(1, keepdim=True).clamp_min(1e-10)
        return waveform * self.network_input.gain


class _PictureRange(nn.Module):
    """Pictures (B, C, H, W) in 0..1 -> the range and standardisation of the network's input."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network_input: ImageInput) -> None:
        super().__init__()
        self.low, self.high = network_input.low, network_input.high
        self.register_buffer("mean", torch.tensor(network_input.mean).view(-1, 1, 1))
        self.register_buffer("deviation", torch.tensor(network_input.deviation).view(-1, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """The pictures in the range of the network's input."""
        values = self.low + pictures * (self.high - self.low)
        return (values - self.mean) / self.deviation


class _Layout(nn.Module):
    """Reorders the axes behind the batch, and inserts axes of as many copies as a digit says."""

    def __init__(self, axes: str, layout: str) -> None:
        super().__init__()
        letters = "".join(letter for letter in layout if not letter.isdecimal())
        if sorted(letters) != sorted(axes) or "0" in layout:
            raise UsageError(
                f"layout = {layout!r}: give each of {', '.join(axes)} once, and digits (1: an axis "
                "of length one, 3: of three copies)"
            )
        self.order = (0, *(1 + axes.index(letter) for letter in letters))
        self.places = [1 + place for place, each in enumerate(layout) if each.isdecimal()]
        self.sizes = (-1, *(int(each) if each.isdecimal() else -1 for each in layout))

    def forward(self, x: Tensor) -> Tensor:
        """The values in the order of the layout (B, ...)."""
        x = x.permute(self.order)
        for place in self.places:
            x = x.unsqueeze(place)
        return x.expand(self.sizes)
