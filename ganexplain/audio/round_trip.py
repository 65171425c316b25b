"""A sound as another program gets it: written as a file at a usual rate, read, and resampled."""

from __future__ import annotations

import io

import numpy as np
import soundfile as sf

from ganexplain.audio.io import to_pcm
from ganexplain.audio.sonify import limit_peak

FILE_RATE = 48_000  # Hz, of the file: that of most recorders and of browsers


def as_heard(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """A waveform (samples,) as read, float32, from a 16-bit WAV of 48 kHz that it was written to.

    It is softened to a peak within full scale before it is written.
    """
    import soxr

    file, other = io.BytesIO(), sample_rate != FILE_RATE
    written = soxr.resample(waveform, sample_rate, FILE_RATE, "HQ") if other else waveform
    sf.write(file, to_pcm(limit_peak(written)), FILE_RATE, format="WAV", subtype="PCM_16")
    file.seek(0)
    read, _ = sf.read(file, dtype="float32")
    heard = soxr.resample(read, FILE_RATE, sample_rate, "HQ") if other else read
    cut = heard[: waveform.size]
    return np.pad(cut, (0, waveform.size - cut.size))
