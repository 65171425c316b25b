"""Descriptors of a log-mel without a network."""

import numpy as np
import pytest

from ganexplain.audio.descriptors import descriptors


def test_a_band_that_swings_has_its_mean_its_deviation_and_one_modulation() -> None:
    bands, frames, swings, depth = 4, 40, 5, 3.0
    mel = np.full((1, bands, frames), -2.0)
    mel[0, 1] += depth * np.cos(2 * np.pi * swings * np.arange(frames) / frames)
    (found,) = descriptors(mel)
    assert found.shape == (2 * bands + frames // 2,)
    np.testing.assert_allclose(found[:bands], -2)
    np.testing.assert_allclose(found[bands : 2 * bands], [0, depth / np.sqrt(2), 0, 0], atol=1e-12)
    modulation = found[2 * bands :]  # half of the amplitude, of one band in four
    assert modulation[swings - 1] == pytest.approx(depth / 2 / bands)
    assert modulation.sum() == pytest.approx(modulation[swings - 1])


def test_pictures_are_rows_of_their_channels() -> None:
    pictures = np.random.default_rng(0).normal(size=(2, 3, 8, 6))
    np.testing.assert_array_equal(descriptors(pictures), descriptors(pictures.reshape(2, 24, 6)))
