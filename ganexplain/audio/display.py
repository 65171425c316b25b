"""How inputs are displayed and compared: waveforms as log-mel excerpts, others as they are.

`display_spec` and `display_inputs` have one function for each kind of input that is converted.
"""

from __future__ import annotations

import math
from functools import lru_cache, singledispatch

import numpy as np

from ganexplain.audio.filterbank import mel_filterbank
from ganexplain.audio.log_mel import frame_count, log_mel
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.waveform import WaveformInput

USUAL = FrontEnd()
LEAST_FRAMES = 4  # approximate least number of frames that do not overlap
SHORTEST_FRAME = 16


@lru_cache(maxsize=8)
def display_front_end(input_spec: WaveformInput) -> FrontEnd:
    """The front end for the display of waveforms, which have at least 16 samples.

    It follows the default front end: frames of the same duration, rounded to a power of two, but
    at most a quarter of the waveform; the same bands up to half the sample rate, but fewer if some
    would be empty.
    """
    rate = input_spec.sample_rate
    frame = 2 ** round(math.log2(rate * USUAL.frame_length / USUAL.sample_rate))
    room = 2 ** int(math.log2(max(input_spec.samples // LEAST_FRAMES, SHORTEST_FRAME)))
    frame = max(min(frame, room), SHORTEST_FRAME)
    hop = max(frame * USUAL.hop_length // USUAL.frame_length, 1)
    highest = min(USUAL.highest_hz, rate / 2)
    for bands in range(USUAL.mel_bands, 0, -1):
        found = FrontEnd(
            sample_rate=rate, frame_length=frame, hop_length=hop, mel_bands=bands,
            lowest_hz=min(USUAL.lowest_hz, highest / 4), highest_hz=highest,
            excerpt_frames=1 + (max(input_spec.samples, frame) - frame) // hop,
        )  # fmt: skip
        try:
            mel_filterbank(found)
        except ValueError:
            continue
        break
    assert frame_count(max(input_spec.samples, frame), found) == found.excerpt_frames
    return found


@singledispatch
def display_spec(input_spec: Input) -> Input:
    """What inputs are displayed as: by default as they are."""
    return input_spec


display_spec.register(WaveformInput, display_front_end)


@singledispatch
def display_inputs(input_spec: Input, inputs: np.ndarray) -> np.ndarray:
    """Inputs (..., *shape) of `input_spec` as inputs of its `display_spec`."""
    return inputs


@display_inputs.register
def display_waveforms(input_spec: WaveformInput, inputs: np.ndarray) -> np.ndarray:
    """Waveforms (..., W) as log-mel (..., F, T)."""
    view = display_front_end(input_spec)
    short = max(view.frame_length - inputs.shape[-1], 0)
    rows = np.pad(inputs.reshape(-1, inputs.shape[-1]), ((0, 0), (0, short)))
    mel = np.stack([log_mel(row, view).T for row in rows])
    return mel.reshape(*inputs.shape[:-1], *mel.shape[1:])
