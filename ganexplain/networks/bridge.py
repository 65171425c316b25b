"""From what a GAN draws to what a network takes, differentiable; refused where there is no way.

Log-mel becomes other log-mel through the magnitudes where both have the same frames, else through
a waveform; waveforms become log-mel, and waveforms of another rate, level or length; pictures of
the same size become pictures of another range.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain.audio.log_mel import check_filters, used_bins
from ganexplain.audio.sonify import highest_level
from ganexplain.errors import UsageError
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.spectra import LogMel, Magnitudes, Resampled, Waveform

SAME_FRAMES = (
    "sample_rate", "frame_length", "hop_length", "window", "window_length", "centred",
)  # fmt: skip


def bridge_between(generator_output: Input, network_input: Input, layout: str = "") -> nn.Module:
    """The module from what is drawn (B, ...) to what is eaten, its axes as `layout` names them.

    Raises UsageError where there is no such map, saying why.
    """
    if generator_output != network_input:
        for front_end in (generator_output, network_input):
            check_filters(front_end)
    steps = _conversion(generator_output, network_input)
    if layout and layout != network_input.axes:
        steps = [*steps, _Layout(network_input.axes, layout)]
    return nn.Sequential(*steps)


def _conversion(generator_output: Input, network_input: Input) -> list[nn.Module]:
    convert = CONVERSIONS.get((type(generator_output), type(network_input)))
    if convert:
        return convert(generator_output, network_input)
    if generator_output == network_input:
        return []
    if not network_input.sound_rate:
        advice = f"train one on {network_input.plural} of that size: train-gan --input"
    elif generator_output.sound_rate:
        advice = f"train one on {network_input.plural}: train-gan --input"
    else:
        advice = "train one on sound"
    raise _no_way(generator_output, network_input, advice)


def _no_way(generator_output: Input, network_input: Input, advice: str) -> UsageError:
    names = [
        f"{each.plural} ({' x '.join(map(str, each.shape))})"
        for each in (generator_output, network_input)
    ]
    return UsageError(f"the GAN draws {names[0]}, the network takes {names[1]}; {advice}")


def _check_length(there: int, wanted: int, unit: str) -> None:
    if there < wanted:
        raise UsageError(
            f"the network takes {wanted} {unit}, an excerpt of the GAN's spans {there}; say less "
            "in --input, or train a GAN on longer excerpts (excerpt_frames of train-gan --input)"
        )


def _between_pictures(generator_output: ImageInput, network_input: ImageInput) -> list[nn.Module]:
    if generator_output.shape != network_input.shape:
        advice = "train one on pictures of that size: train-gan --input"
        raise _no_way(generator_output, network_input, advice)
    return _picture_steps(network_input)


def _between_log_mels(generator_output: FrontEnd, network_input: FrontEnd) -> list[nn.Module]:
    if generator_output == network_input:
        return []
    if any(getattr(generator_output, name) != getattr(network_input, name) for name in SAME_FRAMES):
        magnitudes, sound = _sound_of(generator_output)
        return [magnitudes, sound, *_log_mel_of(sound.samples, generator_output, network_input)]
    _check_length(generator_output.excerpt_frames, network_input.excerpt_frames, "frames")
    return [
        _Middle(network_input.excerpt_frames),
        Magnitudes(generator_output, highest_level(generator_output)),
        _MelOfMagnitudes(network_input),
    ]


def _log_mel_to_waveforms(
    generator_output: FrontEnd, network_input: WaveformInput
) -> list[nn.Module]:
    magnitudes, sound = _sound_of(generator_output)
    return [magnitudes, sound, *_waveforms_of(sound.samples, generator_output, network_input)]


def _waveforms_to_log_mel(
    generator_output: WaveformInput, network_input: FrontEnd
) -> list[nn.Module]:
    return _log_mel_of(generator_output.samples, generator_output, network_input)


def _between_waveforms(
    generator_output: WaveformInput, network_input: WaveformInput
) -> list[nn.Module]:
    return _waveforms_of(generator_output.samples, generator_output, network_input)


def _sound_of(front_end: FrontEnd) -> tuple[Magnitudes, Waveform]:
    """From log-mel to magnitudes, and on to waveforms."""
    magnitudes = Magnitudes(front_end, highest_level(front_end))
    return magnitudes, Waveform(front_end, front_end.excerpt_frames)


def _log_mel_of(samples: int, sound: Input, network_input: FrontEnd) -> list[nn.Module]:
    """From waveforms of `samples` samples at the rate of `sound` to log-mel."""
    resampled = Resampled(samples, sound.sound_rate, network_input.sample_rate)
    mel = LogMel(network_input)
    _check_length(mel.frames(resampled.after), network_input.excerpt_frames, "frames")
    return [resampled, mel, _Middle(network_input.excerpt_frames)]


def _waveforms_of(samples: int, sound: Input, network_input: WaveformInput) -> list[nn.Module]:
    """From waveforms of `samples` samples at the rate of `sound` to those of a network."""
    resampled = Resampled(samples, sound.sound_rate, network_input.sample_rate)
    _check_length(resampled.after, network_input.samples, "samples")
    return [resampled, _Middle(network_input.samples), _Level(network_input)]


# From what a GAN generates to what a network takes. Kinds that are not listed take what is equal.
CONVERSIONS: dict[tuple[type[Input], type[Input]], Callable[[Any, Any], list[nn.Module]]] = {
    (FrontEnd, FrontEnd): _between_log_mels,
    (FrontEnd, WaveformInput): _log_mel_to_waveforms,
    (WaveformInput, FrontEnd): _waveforms_to_log_mel,
    (WaveformInput, WaveformInput): _between_waveforms,
    (ImageInput, ImageInput): _between_pictures,
}


class _Middle(nn.Module):
    """The middle of the last axis."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, x: Tensor) -> Tensor:
        """As many values as wanted."""
        return x.narrow(-1, (x.shape[-1] - self.length) // 2, self.length)


class _MelOfMagnitudes(nn.Module):
    """Magnitudes (B, bins, T) to the log-mel of a front end with the same frames."""

    def __init__(self, front_end: FrontEnd) -> None:
        super().__init__()
        self.mel = LogMel(front_end)

    def forward(self, magnitudes: Tensor) -> Tensor:
        """Log-mel (B, F, T)."""
        bins = used_bins(self.mel.front_end)
        return self.mel.from_power(magnitudes[:, :bins].transpose(1, 2).square())


class _Level(nn.Module):
    """Waveforms (B, W) as loud as the network takes them."""

    def __init__(self, network_input: WaveformInput) -> None:
        super().__init__()
        self.network_input = network_input

    def forward(self, waveform: Tensor) -> Tensor:
        """The same, scaled."""
        if self.network_input.standardise:
            waveform = waveform - waveform.mean(1, keepdim=True)
            waveform = waveform / waveform.std(1, keepdim=True).clamp_min(1e-10)
        return waveform * self.network_input.gain


def _picture_steps(network_input: ImageInput) -> list[nn.Module]:
    usual = network_input.low == 0 and network_input.high == 1 and not any(network_input.mean)
    return [] if usual and set(network_input.deviation) == {1.0} else [_PictureRange(network_input)]


class _PictureRange(nn.Module):
    """Pictures (B, C, H, W) in 0..1 to the range and standardisation a network takes."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network_input: ImageInput) -> None:
        super().__init__()
        self.low, self.high = network_input.low, network_input.high
        self.register_buffer("mean", torch.tensor(network_input.mean).view(-1, 1, 1))
        self.register_buffer("deviation", torch.tensor(network_input.deviation).view(-1, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """The same pictures in other numbers."""
        values = self.low + pictures * (self.high - self.low)
        return (values - self.mean) / self.deviation


class _Layout(nn.Module):
    """Axes (B, FT...) in another order, with axes of length one where the layout has a 1."""

    def __init__(self, axes: str, layout: str) -> None:
        super().__init__()
        letters = layout.replace("1", "")
        if sorted(letters) != sorted(axes):
            raise UsageError(f"layout = {layout!r}: give each of {', '.join(axes)} once, and 1s")
        self.order = (0, *(1 + axes.index(letter) for letter in letters))
        self.ones = [1 + place for place, letter in enumerate(layout) if letter == "1"]

    def forward(self, x: Tensor) -> Tensor:
        """The same values, (B, ...) as the layout has it."""
        x = x.permute(self.order)
        for place in self.ones:
            x = x.unsqueeze(place)
        return x
