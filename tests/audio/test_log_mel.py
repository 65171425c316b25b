"""The front end against the numbers of the method (section 1) and against closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.recordings import noise, tone

from ganexplain.audio.filterbank import hz_to_mel, mel_filterbank, mel_frequencies, mel_to_hz
from ganexplain.audio.log_mel import frame_count, frame_times, log_mel, log_mel_blocks, magnitudes
from ganexplain.inputs.log_mel import FrontEnd

FRONT_END = FrontEnd()
FLOOR = math.log(1e-7)
FIRST_CORNERS = [2, 3, 4, 5, 6, 7, 9, 10, 11, 13, 14, 15]  # bins, method section 1
LAST_CORNERS = [348, 360, 372]


# --- filterbank -----------------------------------------------------------------------------


def test_filterbank_has_the_published_shape_and_no_holes() -> None:
    filters = mel_filterbank(FRONT_END)
    assert filters.shape == (372, 80)
    assert np.isfinite(filters).all()
    assert (filters >= 0).all()
    assert (filters.max(axis=0) > 0).all()


def test_every_filter_sums_to_one() -> None:
    sums = mel_filterbank(FRONT_END).sum(axis=0, dtype=np.float64)
    np.testing.assert_allclose(sums, 1, atol=1e-6)


def test_corners_fall_on_the_published_bins() -> None:
    grid = np.arange(513) * 22050 / 1024
    corners = np.searchsorted(grid, mel_frequencies(FRONT_END))
    assert corners[:12].tolist() == FIRST_CORNERS
    assert corners[-3:].tolist() == LAST_CORNERS


def test_filters_stand_between_their_published_corners() -> None:
    filters = mel_filterbank(FRONT_END)
    for band in range(10):
        used = np.flatnonzero(filters[:, band])
        left, top, right = FIRST_CORNERS[band : band + 3]
        assert used[0] == left
        assert used[-1] == right - 1
        assert 2 <= used.size <= 4
        assert filters[:, band].argmax() in (top - 1, top)
    last = np.flatnonzero(filters[:, 79])
    assert (last[0], last[-1]) == (348, 371)


def test_filter_values_are_those_of_the_triangle() -> None:
    # Band 40 recomputed by hand: the slopes in Hz a bin, the sum divided out.
    filters = mel_filterbank(FRONT_END)
    low, high = 1127 * math.log(1 + 27.5 / 700), 1127 * math.log(1 + 8000 / 700)
    corner_hz = [700 * (math.exp((low + (high - low) * k / 81) / 1127) - 1) for k in (40, 41, 42)]
    corner_bin = [math.ceil(hz / (22050 / 1024)) for hz in corner_hz]
    weights = np.zeros(372)
    for k in range(corner_bin[0], corner_bin[1]):
        weights[k] = (k * 22050 / 1024 - corner_hz[0]) / (corner_bin[1] - corner_bin[0])
    for k in range(corner_bin[1], corner_bin[2]):
        weights[k] = (corner_hz[2] - k * 22050 / 1024) / (corner_bin[2] - corner_bin[1])
    np.testing.assert_allclose(filters[:, 40], weights / weights.sum(), atol=1e-6)


def test_filterbank_is_of_full_rank_and_well_conditioned() -> None:
    filters = mel_filterbank(FRONT_END).astype(np.float64)
    assert np.linalg.matrix_rank(filters) == 80
    assert np.linalg.cond(filters) == pytest.approx(5.218, abs=1e-3)
    inverse = np.linalg.pinv(filters)
    assert inverse.shape == (80, 372)
    assert np.mean(inverse < 0) == pytest.approx(0.5, abs=0.05)


def test_too_many_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        mel_filterbank(FrontEnd(mel_bands=400))


# --- mel scale ------------------------------------------------------------------------------


def test_mel_corners_are_equally_spaced() -> None:
    corners = mel_frequencies(FRONT_END)
    assert corners.shape == (82,)
    np.testing.assert_allclose(corners[[0, -1]], [27.5, 8000], rtol=1e-9)
    np.testing.assert_allclose(np.diff(1127 * np.log(1 + corners / 700)), 34.526, atol=5e-4)


def test_mel_scale_and_its_inverse() -> None:
    assert float(hz_to_mel(0.0)) == 0
    assert float(hz_to_mel(700.0)) == pytest.approx(1127 * math.log(2))
    hertz = np.geomspace(1, 20000, 50)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hertz)), hertz, rtol=1e-12)


# --- spectra of known signals ---------------------------------------------------------------


def test_impulse_gives_the_window_in_every_band() -> None:
    # The spectrum of an impulse is flat, of the window's height; unit sums keep it.
    at = 1000
    waveform = np.zeros(4096, dtype=np.float32)
    waveform[at] = 1
    mel = log_mel(waveform, FRONT_END)
    for frame in range(len(mel)):
        inside = at - 315 * frame
        hann = 0.5 - 0.5 * math.cos(2 * math.pi * inside / 1023) if 0 <= inside < 1024 else 0.0
        np.testing.assert_allclose(mel[frame], math.log(max(hann, 1e-7)), atol=2e-3)


def test_tone_at_a_bin_has_half_the_window_times_its_level() -> None:
    spectrum = magnitudes(tone(100 * 22050 / 1024, 0.2, level=0.5).astype(np.float32), FRONT_END)
    assert spectrum.shape[1] == 513
    assert (spectrum.argmax(axis=1) == 100).all()
    np.testing.assert_allclose(spectrum[:, 100], 0.5 * np.hanning(1024).sum() / 2, rtol=1e-4)


@pytest.mark.parametrize("hertz", [220.0, 440.0, 997.0, 1760.0, 3000.0, 5123.0, 7500.0])
def test_tone_peaks_in_a_band_that_covers_it(hertz: float) -> None:
    mel = log_mel(tone(hertz, 0.3).astype(np.float32), FRONT_END)
    corners = mel_frequencies(FRONT_END)
    for band in mel.argmax(axis=1):
        assert corners[band] < hertz < corners[band + 2]


def test_doubling_the_amplitude_adds_ln_2() -> None:
    waveform = noise(0.5).astype(np.float32)
    difference = log_mel(2 * waveform, FRONT_END) - log_mel(waveform, FRONT_END)
    np.testing.assert_allclose(difference, math.log(2), atol=1e-5)


def test_silence_stands_at_the_floor() -> None:
    mel = log_mel(np.zeros(3000, dtype=np.float32), FRONT_END)
    np.testing.assert_allclose(mel, -16.118, atol=1e-3)


def test_sound_below_the_floor_is_raised_to_it() -> None:
    mel = log_mel((1e-12 * noise(0.2, level=1)).astype(np.float32), FRONT_END)
    np.testing.assert_allclose(mel, FLOOR, atol=1e-5)


# --- frames ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "frames"),
    [(0, 0), (1, 0), (1023, 0), (1024, 1), (1338, 1), (1339, 2), (36934, 115), (22050, 67)],
)
def test_only_whole_frames_are_counted(samples: int, frames: int) -> None:
    assert frame_count(samples, FRONT_END) == frames
    mel = log_mel(np.zeros(samples, dtype=np.float32), FRONT_END)
    assert mel.shape == (frames, 80)
    assert mel.dtype == np.float32


def test_excerpt_spans_the_published_samples() -> None:
    assert FRONT_END.excerpt_samples == 36934
    assert FRONT_END.frame_rate == 70


def test_frames_are_timed_by_their_centres() -> None:
    np.testing.assert_allclose(
        frame_times(3, FRONT_END), [512 / 22050, 827 / 22050, 1142 / 22050], rtol=1e-12
    )


WHOLE = noise(9.0, seed=3).astype(np.float32)  # more frames than are transformed at once
WHOLE_MEL = log_mel(WHOLE, FRONT_END)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(0, 60000), min_size=1, max_size=30))
def test_blocks_of_any_size_give_the_whole(sizes: list[int]) -> None:
    edges = np.minimum(np.cumsum([0, *sizes]), WHOLE.size)
    pieces = [WHOLE[a:b] for a, b in itertools.pairwise(edges)]
    pieces.append(WHOLE[edges[-1] :])
    joined = np.concatenate(list(log_mel_blocks(pieces, FRONT_END)))
    assert joined.shape == WHOLE_MEL.shape
    np.testing.assert_array_equal(joined, WHOLE_MEL)


def test_long_signal_equals_its_frames_one_by_one() -> None:
    filters = mel_filterbank(FRONT_END).astype(np.float64)
    for frame in (0, 511, 512, len(WHOLE_MEL) - 1):
        piece = WHOLE[frame * 315 : frame * 315 + 1024].astype(np.float64)
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(1024)))[:372]
        np.testing.assert_allclose(WHOLE_MEL[frame], np.log(spectrum @ filters), atol=1e-4)
