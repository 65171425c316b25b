"""The short-time Fourier transform of uncentred frames, and its inverse by least squares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import DTypeLike


@dataclass(frozen=True)
class ShortTime:
    """Frames as long as the `window` (L,), `hop` samples apart, each with L // 2 + 1 bins.

    `dtype` is the precision of waveforms, which lasts for `count` frames (T).
    """

    window: np.ndarray
    hop: int
    count: int
    dtype: DTypeLike = np.float64

    @property
    def samples(self) -> int:
        """The length of a waveform of `count` frames."""
        return (self.count - 1) * self.hop + self.window.size

    def spectrum(self, waveform: np.ndarray) -> np.ndarray:
        """The complex spectrum (T, bins) of a waveform (samples,)."""
        frames = np.lib.stride_tricks.sliding_window_view(waveform, self.window.size)[:: self.hop]
        return scipy.fft.rfft(frames[: self.count] * self.window)

    def waveform(self, spectrum: np.ndarray) -> np.ndarray:
        """The waveform (samples,) whose spectrum is nearest to `spectrum` (T, bins).

        Frames are windowed again, added, and divided by the sum of the squared windows (Griffin &
        Lim 1984). A sample under no window is zero.
        """
        sound = self._added(scipy.fft.irfft(spectrum, self.window.size) * self.window)
        np.divide(sound, self._weight, out=sound, where=self._weight > np.finfo(self.dtype).tiny)
        return sound

    @cached_property
    def _weight(self) -> np.ndarray:
        """Sum (samples,) of the squared windows."""
        return self._added(np.broadcast_to(self.window**2, (self.count, self.window.size)))

    def _added(self, frames: np.ndarray) -> np.ndarray:
        """Sum (samples,) of frames (T, L) at their places.

        All first `hop` samples of frames are added at once, then all second and so on, the last
        first, so that the terms of each sample are added in the order of the frames.
        """
        pieces = -(-self.window.size // self.hop)
        total = np.zeros((self.count + pieces - 1, self.hop), self.dtype)
        for k in reversed(range(pieces)):
            piece = frames[:, k * self.hop : (k + 1) * self.hop]
            total[k : k + self.count, : piece.shape[1]] += piece
        return total.reshape(-1)[: self.samples]
