"""Changes of level of the cells of a waveform, as a differentiable module."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.audio.filtering import bin_shares
from ganexplain.audio.log_mel import window
from ganexplain.inputs.log_mel import FrontEnd


class Gains(nn.Module):
    """Changes (B, F, T) in dB of the cells of a waveform (W,) -> the waveforms (B, W) so changed.

    The cells are those of the log-mel of `view`. Each spectral bin changes by the mean of the bands
    that contain it, weighted by their filters, and below and above all bands by the nearest.
    Overlapping frames are joined by least squares (Griffin & Lim 1984), so the waveform is
    unchanged where the change is zero. The change of the first and last frame extends to the ends.
    """

    window: Tensor
    spectrum: Tensor
    weight: Tensor
    shares: Tensor

    def __init__(self, waveform: np.ndarray, view: FrontEnd) -> None:
        super().__init__()
        self.samples, self.hop, self.length = waveform.size, view.hop_length, view.frame_length
        self.before = -(-self.length // self.hop)  # frames, so that windows cover each sample
        count = -(-(self.samples + self.length) // self.hop) + self.before
        whole = (count - 1) * self.hop + self.length
        start = self.before * self.hop
        padded = np.pad(waveform, (start, whole - start - self.samples)).astype(np.float32)
        self.register_buffer("window", torch.from_numpy(window(view)))
        self.register_buffer("shares", torch.from_numpy(bin_shares(view)).float())
        frames = torch.from_numpy(padded).unfold(0, self.length, self.hop)
        self.register_buffer("spectrum", torch.fft.rfft(frames * self.window))
        weight = self._added(self.window.square().expand(1, count, -1))
        self.register_buffer("weight", weight[:, start : start + self.samples])

    def forward(self, by: Tensor) -> Tensor:
        """The changed waveforms."""
        after = len(self.spectrum) - self.before - by.shape[2]
        by = functional.pad(self.shares @ by, (self.before, after), mode="replicate")
        changed = self.spectrum * torch.pow(10.0, by.mT / 20)
        frames = torch.fft.irfft(changed, n=self.length) * self.window
        start = self.before * self.hop
        return self._added(frames)[:, start : start + self.samples] / self.weight

    def _added(self, frames: Tensor) -> Tensor:
        """Overlap-add of frames (B, T, length) to (B, samples of T frames)."""
        samples = (frames.shape[1] - 1) * self.hop + self.length
        kernel = (1, self.length)
        folded = functional.fold(frames.mT, (1, samples), kernel, stride=(1, self.hop))
        return folded[:, 0, 0]
