"""From what a GAN draws to what a network takes, differentiable; refused where there is no way.

Log-mel becomes other log-mel through the magnitudes where both have the same frames, else through
a waveform; waveforms become log-mel, and waveforms of another rate, level or length; pictures of
the same size become pictures of another range.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganexplain.audio.log_mel import check_filters, used_bins
from ganexplain.audio.sonify import highest_level
from ganexplain.errors import UsageError
from ganexplain.inputs.kinds import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.spectra import LogMel, Magnitudes, Resampled, Waveform

AXES = {FrontEnd: "FT", ImageInput: "CHW", WaveformInput: "W"}
USUAL_LAYOUTS = {
    FrontEnd: ("FT", "TF", "1FT", "1TF"),
    ImageInput: ("CHW", "HWC"),
    WaveformInput: ("W", "1W", "W1"),
}
SAME_FRAMES = (
    "sample_rate", "frame_length", "hop_length", "window", "window_length", "centred",
)  # fmt: skip


def bridge_between(drawn: Input, eaten: Input, layout: str = "") -> nn.Module:
    """The module from what is drawn (B, ...) to what is eaten, its axes as `layout` names them.

    Raises UsageError where there is no such map, saying why.
    """
    if drawn != eaten:
        for front_end in (drawn, eaten):
            if isinstance(front_end, FrontEnd):
                check_filters(front_end)
    steps = _conversion(drawn, eaten)
    axes = AXES[type(eaten)]
    if layout and layout != axes:
        steps = [*steps, _Layout(axes, layout)]
    return nn.Sequential(*steps)


def _conversion(drawn: Input, eaten: Input) -> list[nn.Module]:
    if isinstance(eaten, ImageInput):
        if not isinstance(drawn, ImageInput) or drawn.shape != eaten.shape:
            raise _no_way(drawn, eaten, "train one on pictures of that size: train-gan --input")
        return _picture_steps(eaten)
    if isinstance(drawn, ImageInput):
        raise _no_way(drawn, eaten, "train one on sound")
    if isinstance(drawn, WaveformInput):
        return _of_sound(Resampled(drawn.samples, drawn.sample_rate, eaten.sample_rate), eaten)
    if drawn == eaten:
        return []
    if isinstance(eaten, FrontEnd) and all(
        getattr(drawn, name) == getattr(eaten, name) for name in SAME_FRAMES
    ):
        _check_length(drawn.excerpt_frames, eaten.excerpt_frames, "frames")
        cut = _Middle(eaten.excerpt_frames)
        return [cut, Magnitudes(drawn, highest_level(drawn)), _MelOfMagnitudes(eaten)]
    return _through_sound(drawn, eaten)


def _no_way(drawn: Input, eaten: Input, advice: str) -> UsageError:
    names = [f"{_named(each)} ({' x '.join(map(str, each.shape))})" for each in (drawn, eaten)]
    return UsageError(f"the GAN draws {names[0]}, the network takes {names[1]}; {advice}")


def _named(each: Input) -> str:
    return {FrontEnd: "log-mel", ImageInput: "pictures", WaveformInput: "waveforms"}[type(each)]


def _check_length(there: int, wanted: int, unit: str) -> None:
    if there < wanted:
        raise UsageError(
            f"the network takes {wanted} {unit}, an excerpt of the GAN's spans {there}; say less "
            "in --input, or train a GAN on longer excerpts (excerpt_frames of train-gan --input)"
        )


def _through_sound(drawn: FrontEnd, eaten: FrontEnd | WaveformInput) -> list[nn.Module]:
    sound = Waveform(drawn, drawn.excerpt_frames)
    resampled = Resampled(sound.samples, drawn.sample_rate, eaten.sample_rate)
    return [Magnitudes(drawn, highest_level(drawn)), sound, *_of_sound(resampled, eaten)]


def _of_sound(resampled: Resampled, eaten: FrontEnd | WaveformInput) -> list[nn.Module]:
    """From waveforms, resampled first, to log-mel or the waveforms that a network takes."""
    if isinstance(eaten, FrontEnd):
        mel = LogMel(eaten)
        _check_length(mel.frames(resampled.after), eaten.excerpt_frames, "frames")
        return [resampled, mel, _Middle(eaten.excerpt_frames)]
    _check_length(resampled.after, eaten.samples, "samples")
    return [resampled, _Middle(eaten.samples), _Level(eaten)]


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
        return self.mel.of_squares(magnitudes[:, :bins].transpose(1, 2).square())


class _Level(nn.Module):
    """Waveforms (B, W) as loud as the network takes them."""

    def __init__(self, eaten: WaveformInput) -> None:
        super().__init__()
        self.eaten = eaten

    def forward(self, waveform: Tensor) -> Tensor:
        """The same, scaled."""
        if self.eaten.standardise:
            waveform = waveform - waveform.mean(1, keepdim=True)
            waveform = waveform / waveform.std(1, keepdim=True).clamp_min(1e-10)
        return waveform * self.eaten.gain


def _picture_steps(eaten: ImageInput) -> list[nn.Module]:
    usual = eaten.low == 0 and eaten.high == 1 and not any(eaten.mean)
    return [] if usual and set(eaten.deviation) == {1.0} else [_PictureRange(eaten)]


class _PictureRange(nn.Module):
    """Pictures (B, C, H, W) in 0..1 to the range and standardisation a network takes."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, eaten: ImageInput) -> None:
        super().__init__()
        self.low, self.high = eaten.low, eaten.high
        self.register_buffer("mean", torch.tensor(eaten.mean).view(-1, 1, 1))
        self.register_buffer("deviation", torch.tensor(eaten.deviation).view(-1, 1, 1))

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
