"""The part of a real sound that a map of its log-mel excerpt keeps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganexplain.audio.log_mel import mel_filterbank, window
from ganexplain.inputs.kinds import FrontEnd


def filtered(waveform: np.ndarray, share: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """The waveform (samples,) with each cell of its log-mel (F, T) turned down to a share 0..1.

    `waveform` spans the T frames. Its short-time Fourier transform, of the front end's window
    and hop, is multiplied by the shares: of a bin, those of the bands that hear it, by how
    well; below and above all bands, of the nearest. Linear in `share`, so what a map keeps and
    what it removes add up to the sound.
    """
    import librosa

    hop, length = front_end.hop_length, front_end.frame_length
    held = -(-length // hop)  # frames before and after, so that every sample lies under windows
    padded = np.pad(waveform.astype(np.float64), held * hop)
    options: dict[str, Any] = {"hop_length": hop, "window": window(front_end), "center": False}
    spectrum = librosa.stft(padded, n_fft=length, dtype=np.complex128, **options)
    gain = _bin_shares(front_end) @ np.asarray(share, dtype=np.float64)
    frames = spectrum.shape[1]
    after = frames - held - gain.shape[1]
    gain = np.pad(gain, ((0, 0), (held, after)), mode="edge")
    sound = librosa.istft(
        spectrum * gain, n_fft=length, length=padded.size, dtype=np.float64, **options
    )
    return sound[held * hop : held * hop + waveform.size].astype(np.float32)


def _bin_shares(front_end: FrontEnd) -> np.ndarray:
    """Weights (bins, F), rows of unit sum, of the bands in each spectral bin."""
    filters = mel_filterbank(front_end).astype(np.float64)
    bins = front_end.frame_length // 2 + 1
    shares = np.zeros((bins, front_end.mel_bands))
    shares[: len(filters)] = filters
    heard = np.flatnonzero(shares.sum(axis=1) > 0)
    shares[: heard[0], 0] = 1.0
    shares[heard[-1] + 1 :, -1] = 1.0
    for deaf in np.flatnonzero(shares.sum(axis=1) == 0):
        shares[deaf] = shares[heard[np.argmin(np.abs(heard - deaf))]]
    return shares / shares.sum(axis=1, keepdims=True)
