"""An input, or a side of it, as it is written and shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganexplain.audio.io import flac

SOFT = 6.0  # dB below the whole from which a part is played louder
LOUDEST = 40.0  # dB, at most: beyond, what is heard is rounding


@dataclass(frozen=True)
class Side:
    """What is to look at, log-mel (F, T) or a picture (C, H, W), and the `content` of its file.

    `sound` is what the page plays, a FLAC `louder` by so many dB; of a picture nothing.
    """

    values: np.ndarray
    content: bytes
    sound: bytes = b""
    louder: int = 0


def sounding(values: np.ndarray, waveform: np.ndarray, rate: int, peak: float) -> Side:
    """The side of a waveform (samples,); on the page as loud as the whole, whose `peak` is."""
    content, own = flac(waveform, rate), float(np.abs(waveform).max(initial=0.0))
    soft = 20 * np.log10(peak / own) if own and peak else 0.0
    if soft < SOFT:
        return Side(values, content, content)
    louder = int(min(soft, LOUDEST))
    return Side(values, content, flac(waveform * 10 ** (louder / 20), rate), louder)
