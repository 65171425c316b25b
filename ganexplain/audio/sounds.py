"""Waveforms as sound that stands inside the page."""

from __future__ import annotations

import base64
import io

import numpy as np

FULL_SCALE = 32767


def data_uri(media_type: str, content: bytes) -> str:
    """Bytes as a `data:` address."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def to_pcm(waveform: np.ndarray) -> np.ndarray:
    """16-bit samples of a waveform in [-1, 1]; int16 is taken as it is."""
    if waveform.dtype == np.int16:
        return waveform
    return np.round(np.clip(waveform, -1.0, 1.0) * FULL_SCALE).astype(np.int16)


def flac(waveform: np.ndarray, sample_rate: int) -> bytes:
    """A mono waveform (samples,), float in [-1, 1] or int16, as a 16-bit FLAC file."""
    import soundfile as sf

    stream = io.BytesIO()
    sf.write(stream, to_pcm(waveform), sample_rate, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


def flac_uri(waveform: np.ndarray, sample_rate: int) -> str:
    """The same as a `data:` address."""
    return data_uri("audio/flac", flac(waveform, sample_rate))
