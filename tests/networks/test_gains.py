"""Changes of level of a waveform's cells, against the filter of NumPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganexplain.audio.display import display_front_end
from ganexplain.audio.filtering import filter_by_change
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.bridges.gains import Gains

VIEW = FrontEnd(excerpt_frames=40)
NOISE = np.random.default_rng(0).normal(0, 0.1, VIEW.excerpt_samples).astype(np.float32)


def test_nothing_changes_a_waveform_of_any_length_not_at_all() -> None:
    for samples in (VIEW.excerpt_samples, VIEW.excerpt_samples + 100, 5000):
        view = display_front_end(WaveformInput(sample_rate=22050, samples=samples))
        nothing = torch.zeros(2, view.mel_bands, view.excerpt_frames)
        same = Gains(NOISE[:samples], view)(nothing)
        assert same.shape == (2, NOISE[:samples].size)
        assert same[1].numpy() == pytest.approx(NOISE[:samples], abs=1e-6)


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_six_decibels_more_everywhere_is_twice_the_waveform(rate: int) -> None:
    view = display_front_end(WaveformInput(sample_rate=rate, samples=rate // 2))
    by = torch.full((1, view.mel_bands, view.excerpt_frames), 20 * np.log10(2.0))
    sound = np.resize(NOISE, rate // 2)
    assert Gains(sound, view)(by)[0].numpy() == pytest.approx(2 * sound, abs=1e-5)


def test_a_change_within_the_bands_is_that_of_numpy() -> None:
    by = np.zeros((80, 40))
    by[20:40, 10:30] = 9.0
    by[50:60, 15:] = -12.0
    expected = filter_by_change(NOISE, by, VIEW)
    got = Gains(NOISE, VIEW)(torch.from_numpy(by).float()[None])[0].numpy()
    assert np.abs(expected - NOISE).max() > 0.05
    assert got == pytest.approx(expected, abs=1e-5)


def test_the_gradient_is_that_of_the_energy_of_a_band() -> None:
    """Energy grows by 10^(dB / 10): its logarithm by ln(10) / 10 a decibel, over all cells."""
    by = torch.zeros(1, 80, 40, requires_grad=True)
    energy = Gains(NOISE, VIEW)(by).square().sum().log()
    (gradient,) = torch.autograd.grad(energy, by)
    assert float(gradient.sum()) == pytest.approx(np.log(10) / 10, rel=1e-3)
    assert float(gradient.abs().sum()) < 1.2 * float(gradient.sum())
