"""Compares the input that a specification computes with the same input as others compute it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np
import torch

from ganexplain.audio.log_mel import frame_count
from ganexplain.errors import GanexplainError
from ganexplain.inputs.base import Input
from ganexplain.inputs.layouts import arrangements
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.metrics.agreement import Agreement, agreement
from ganexplain.networks.bridges.bridge import bridge_between

FEWEST, LEAST_SHARE = 4, 0.01  # steps of features of fixed length, and share of those of the sound


@dataclass(frozen=True)
class Comparison:
    """How far two inputs are apart, the layout of theirs, and the shapes that were compared."""

    agreement: Agreement
    layout: str
    ours: tuple[int, ...]
    theirs: tuple[int, ...]


@singledispatch
def spanning(input_spec: Input, samples: int) -> Input:
    """A specification whose inputs span so many samples of sound: one function for each kind."""
    return input_spec


@spanning.register
def _log_mel(front_end: FrontEnd, samples: int) -> Input:
    return replace(front_end, excerpt_frames=max(1, frame_count(samples, front_end)))


@spanning.register
def _waveform(waveform: WaveformInput, samples: int) -> Input:
    return replace(waveform, samples=samples)


@singledispatch
def source_of(input_spec: Input, samples: int) -> Input:
    """What the values are computed from, as an input: sound, or pictures with values 0 to 1."""
    return WaveformInput(sample_rate=input_spec.sound_rate, samples=samples)


@source_of.register
def _picture(picture: ImageInput, samples: int) -> Input:
    return ImageInput(channels=picture.channels, height=picture.height, width=picture.width)


def computed_input(input_spec: Input, values: np.ndarray) -> np.ndarray:
    """The input of a specification for samples (W,) at its rate, or a picture (C, H, W)."""
    bridge = bridge_between(source_of(input_spec, values.shape[-1]), input_spec)
    with torch.no_grad():
        found: np.ndarray = bridge(torch.from_numpy(values)[None])[0].numpy()
    return found


def compare(input_spec: Input, ours: np.ndarray, theirs: np.ndarray) -> Comparison | None:
    """How far ours, in the order of the axes, are from theirs in the layout that fits best.

    Of sound the steps that both have are compared. None if the axes have other lengths.
    """
    found = []
    for layout, arranged in arrangements(theirs, input_spec.axes):
        if input_spec.sound_rate:
            steps = min(ours.shape[-1], arranged.shape[-1])
            cut, arranged = ours[..., :steps], arranged[..., :steps]
        else:
            cut = ours
        if cut.shape == arranged.shape:
            measured = agreement(cut, arranged)
            found.append(Comparison(measured, layout, ours.shape, theirs.shape))
    return max(found, key=lambda each: each.agreement.correlation, default=None)


def check_steps(name: str, input_spec: Input, found: Comparison, is_fixed: bool) -> None:
    """Check that features have the steps of the sound, on which alone they were compared.

    With `is_fixed` their number does not depend on the sound, and some of its beginning are enough.
    Raises GanexplainError for fewer; `name` is what computes them.
    """
    ours, theirs = found.ours[-1], found.theirs[found.layout.index(input_spec.axes[-1])]
    few = max(FEWEST, ours * LEAST_SHARE) if is_fixed else ours - _lost_steps(input_spec, ours)
    if theirs < min(ours, few):
        raise GanexplainError(
            f"{name}: returns {theirs:,} steps for a sound of {ours:,}; return those of the whole "
            "sound"
        )


@singledispatch
def _lost_steps(input_spec: Input, steps: int) -> float:
    """By how many steps features may be shorter as ends are not padded: one function a kind."""
    return steps * LEAST_SHARE


@_lost_steps.register
def _lost_frames(front_end: FrontEnd, steps: int) -> float:
    return 2 + front_end.frame_length / front_end.hop_length
