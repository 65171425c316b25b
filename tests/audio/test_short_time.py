"""The transform is torch's; its inverse is the least-squares solution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganexplain.audio.short_time import ShortTime

WINDOW = np.hanning(18)[1:-1]
SHAPES = [(5, 7), (4, 7), (16, 3), (20, 3)]  # hop, frames; 16 samples in a frame


@pytest.mark.parametrize(("hop", "count"), SHAPES)
def test_spectrum_is_that_of_torch(hop: int, count: int) -> None:
    frames = ShortTime(WINDOW, hop, count)
    sound = np.random.default_rng(0).normal(size=frames.samples + 2)
    wanted = torch.stft(
        torch.from_numpy(sound[: frames.samples]), 16, hop, window=torch.from_numpy(WINDOW),
        center=False, return_complex=True,
    )  # fmt: skip
    np.testing.assert_allclose(frames.spectrum(sound), wanted.numpy().T, atol=1e-12)


@pytest.mark.parametrize(("hop", "count"), SHAPES)
def test_waveform_is_the_least_squares_solution(hop: int, count: int) -> None:
    rng = np.random.default_rng(1)
    frames = ShortTime(WINDOW, hop, count)
    spectrum = np.fft.rfft(rng.normal(size=(count, 16)))
    windows = np.zeros((count, 16, frames.samples))
    for k in range(count):
        windows[k, np.arange(16), k * hop + np.arange(16)] = WINDOW
    wanted, *_ = np.linalg.lstsq(
        windows.reshape(-1, frames.samples), np.fft.irfft(spectrum).ravel(), rcond=None
    )
    np.testing.assert_allclose(frames.waveform(spectrum), wanted, atol=1e-12)


def test_single_precision_stays_single() -> None:
    frames = ShortTime(WINDOW.astype(np.float32), 5, 7, np.float32)
    spectrum = frames.spectrum(np.ones(frames.samples, np.float32))
    assert spectrum.dtype == np.complex64
    assert frames.waveform(spectrum).dtype == np.float32
