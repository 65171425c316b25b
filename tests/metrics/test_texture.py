"""Onsets, notes and lattices of log-mel that is drawn so that they are known."""

from __future__ import annotations

import numpy as np
import pytest

from ganexplain.metrics.texture import lattice, note_lengths, onset_strengths

BANDS, FRAMES = 80, 115


def silence(count: int = 1) -> np.ndarray:
    return np.zeros((count, BANDS, FRAMES), np.float32)


def test_a_step_in_half_of_the_bands_is_an_onset_of_half_its_height() -> None:
    mel = silence()
    mel[0, 40:, 50:] = 3.0
    np.testing.assert_allclose(onset_strengths(mel), [1.5])


def test_a_rise_over_four_frames_is_an_onset_of_a_quarter_at_each_of_them() -> None:
    mel = silence()
    mel[0] += np.interp(np.arange(FRAMES), [50, 54], [0.0, 2.0])
    np.testing.assert_allclose(onset_strengths(mel), [0.5] * 4, rtol=1e-6)


def test_of_two_steps_within_three_frames_the_larger_is_the_onset() -> None:
    mel = silence(2)
    mel[0, :, 50:] += 1.0
    mel[0, :, 53:] += 2.0
    mel[1, :, 50:] += 1.0
    mel[1, :, 54:] += 2.0
    np.testing.assert_allclose(onset_strengths(mel), [2.0, 1.0, 2.0])


def test_what_is_61_db_below_the_loudest_has_no_onset() -> None:
    mel = silence()
    mel[0, 0, :] = 20.0
    mel[0, 1:, 50:] = 12.0
    assert not onset_strengths(mel).size


def test_a_note_is_as_long_as_its_band_stands_out() -> None:
    mel = silence()
    mel[0, 30, 10:22] = 2.0
    mel[0, 60, 100:] = 2.0
    mel[0, 10, 40:80] = 0.4  # too soft
    assert sorted(note_lengths(mel)) == [12, 15]


def test_a_glide_is_a_note_in_each_band_that_it_crosses() -> None:
    mel = silence()
    for band in range(30, 35):
        first = 20 + 6 * (band - 30)
        mel[0, band, first : first + 6] = 2.0
    assert list(note_lengths(mel)) == [6] * 5


@pytest.mark.parametrize("axis", [1, 2])
def test_a_lattice_of_every_other_band_or_frame_shows_along_its_axis_alone(axis: int) -> None:
    """A Hann window of L has sum L / 2 and squared sum 3 L / 8."""
    rng, size, height = np.random.default_rng(0), (80, 112)[axis - 1], 0.4
    mel = rng.normal(size=(60, BANDS, FRAMES))
    np.testing.assert_allclose(lattice(mel), 1, atol=0.1)
    signs = np.where(np.arange(mel.shape[axis]) % 2, height, -height)
    found = lattice(mel + np.expand_dims(signs, 2 - axis))
    line = 1 + height**2 * size * 2 / 3
    assert found[axis - 1] == pytest.approx((line + 3) / 4, rel=0.1)
    assert found[2 - axis] == pytest.approx(1, abs=0.1)
