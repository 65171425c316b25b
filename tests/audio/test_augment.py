"""Augmentation against scipy's affine transform, and against what stretching must do."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import affine_transform
from support.recordings import noise, tone

from ganexplain.audio.augment import (
    Alteration,
    alter_excerpt,
    alter_excerpts,
    draw_alteration,
    equaliser,
    frames_needed,
    mix_at_level,
    samples_around,
    spline_matrix,
)
from ganexplain.audio.filterbank import mel_filterbank, mel_frequencies
from ganexplain.audio.log_mel import log_mel
from ganexplain.inputs.log_mel import FrontEnd

FRONT_END = FrontEnd()
FLOOR = math.log(1e-7)
PLAIN = Alteration(time_scale=1.0, pitch_scale=1.0, eq_hz=1000.0, eq_semitones=5.0, eq_db=0.0)
SOUND = (noise(6.0, seed=7) + tone(500, 6.0)).astype(np.float32)
CENTRE = 200  # far from both ends of SOUND


def spectrum_around(centre: int, frames: int) -> np.ndarray:
    """Magnitudes (frames, 513) of SOUND, frame `centre` in row frames // 2, float64."""
    rows = []
    for frame in range(centre - frames // 2, centre - frames // 2 + frames):
        piece = SOUND[frame * 315 : frame * 315 + 1024].astype(np.float64)
        rows.append(np.abs(np.fft.rfft(piece * np.hanning(1024))))
    return np.array(rows)


def reference(alteration: Alteration) -> np.ndarray:
    """The authors' way: one two-dimensional affine transform, then mel and logarithm (F, T)."""
    frames = frames_needed(FRONT_END)
    altered = affine_transform(
        spectrum_around(CENTRE, frames),
        matrix=[1 / alteration.time_scale, 1 / alteration.pitch_scale],
        offset=[frames // 2 - 57 / alteration.time_scale, 0],
        output_shape=(115, 372),
        order=2,
    )
    mel = altered @ mel_filterbank(FRONT_END).astype(np.float64)
    return np.log(np.maximum(mel, 1e-7)).T


# --- spline interpolation -------------------------------------------------------------------


@pytest.mark.parametrize("step", [0.7, 0.83, 1.0, 1.21, 1.4])
@pytest.mark.parametrize("offset", [0.0, 0.31, 4.5])
def test_spline_matrix_is_scipys_interpolation(step: float, offset: float) -> None:
    values = np.random.default_rng(1).normal(size=60)
    positions = offset + step * np.arange(90)  # runs beyond the end
    coefficients = affine_coefficients(values)
    ours = spline_matrix(positions, 60).astype(np.float64) @ coefficients
    wanted = affine_transform(values, [step], offset=offset, output_shape=(90,), order=2)
    np.testing.assert_allclose(ours, wanted, atol=1e-5)


def affine_coefficients(values: np.ndarray) -> np.ndarray:
    """Quadratic spline coefficients by solving the interpolation equations directly."""
    size = values.size
    matrix = np.zeros((size, size))
    for row in range(size):
        for shift, share in ((-1, 1 / 8), (0, 6 / 8), (1, 1 / 8)):
            column = abs(row + shift)
            column = 2 * (size - 1) - column if column > size - 1 else column
            matrix[row, column] += share
    return np.linalg.solve(matrix, values)


def test_quadratic_polynomials_are_reproduced() -> None:
    # A quadratic spline reproduces parabolas; away from the ends the mirror is not felt.
    grid = np.arange(80.0)
    values = 3 + 0.5 * grid - 0.02 * grid**2
    positions = np.array([30.0, 30.25, 35.5, 40.9, 45.49])
    ours = spline_matrix(positions, 80) @ affine_coefficients(values)
    np.testing.assert_allclose(ours, 3 + 0.5 * positions - 0.02 * positions**2, atol=1e-4)


# --- altered excerpts -----------------------------------------------------------------------


def test_frames_needed_hold_the_greatest_stretch() -> None:
    assert frames_needed(FRONT_END) in (164, 165)  # int(115 / 0.7), or the odd number above


@pytest.mark.parametrize("time_scale", [0.72, 0.9, 1.0, 1.3])
@pytest.mark.parametrize("pitch_scale", [0.7, 0.95, 1.0, 1.3])
def test_excerpt_equals_the_two_dimensional_transform(
    time_scale: float, pitch_scale: float
) -> None:
    alteration = replace(PLAIN, time_scale=time_scale, pitch_scale=pitch_scale)
    excerpt = alter_excerpt(SOUND, CENTRE, alteration, FRONT_END)
    assert excerpt.shape == (80, 115)
    assert excerpt.dtype == np.float32
    wanted = reference(alteration)
    # Splines overshoot below zero where a band is weak; there the logarithm magnifies rounding.
    clear = wanted > -6
    assert clear.mean() > 0.9
    np.testing.assert_allclose(excerpt[clear], wanted[clear], atol=2e-3)


def test_no_alteration_gives_the_excerpt_itself() -> None:
    excerpt = alter_excerpt(SOUND, CENTRE, PLAIN, FRONT_END)
    wanted = log_mel(SOUND, FRONT_END)[CENTRE - 57 : CENTRE + 58].T
    np.testing.assert_allclose(excerpt, wanted, atol=1e-3)


@pytest.mark.parametrize("pitch_scale", [0.75, 1.25])
def test_pitch_is_multiplied(pitch_scale: float) -> None:
    sound = tone(1000, 6.0).astype(np.float32)
    alteration = replace(PLAIN, pitch_scale=pitch_scale)
    band = alter_excerpt(sound, CENTRE, alteration, FRONT_END)[:, 57].argmax()
    corners = mel_frequencies(FRONT_END)
    assert corners[band] < 1000 * pitch_scale < corners[band + 2]


@pytest.mark.parametrize("time_scale", [0.75, 1.0, 1.25])
def test_durations_are_multiplied_about_the_centre(time_scale: float) -> None:
    sound = noise(6.0, level=1e-4).astype(np.float32)
    for offset in (-30, 30):  # two clicks, thirty frames either side of the centre
        sound[(CENTRE + offset) * 315 + 512] = 1
    excerpt = alter_excerpt(sound, CENTRE, replace(PLAIN, time_scale=time_scale), FRONT_END)
    level = excerpt.mean(axis=0)
    assert abs(level[:57].argmax() - (57 - 30 * time_scale)) <= 1
    assert abs(57 + level[57:].argmax() - (57 + 30 * time_scale)) <= 1


@pytest.mark.parametrize("time_scale", [0.7, 0.701, 0.703, 1.3])
def test_every_frame_of_the_most_compressed_excerpt_holds_sound(time_scale: float) -> None:
    excerpt = alter_excerpt(SOUND, CENTRE, replace(PLAIN, time_scale=time_scale), FRONT_END)
    assert excerpt.max(axis=0).min() > -5


def test_frames_beyond_the_ends_are_silence() -> None:
    length = (SOUND.size - 1024) // 315 + 1
    first = alter_excerpt(SOUND, 0, PLAIN, FRONT_END)
    last = alter_excerpt(SOUND, length - 1, PLAIN, FRONT_END)
    np.testing.assert_allclose(first[:, :53], FLOOR, atol=1e-4)
    np.testing.assert_allclose(last[:, -53:], FLOOR, atol=1e-4)
    assert first[:, 57:].max(axis=0).min() > -5
    assert last[:, :58].max(axis=0).min() > -5


def test_short_waveform_gives_a_whole_excerpt() -> None:
    excerpt = alter_excerpt(SOUND[:2000], 1, PLAIN, FRONT_END)
    assert excerpt.shape == (80, 115)
    assert np.isfinite(excerpt).all()


def test_bins_from_above_half_the_rate_are_empty() -> None:
    # Pitch times 0.7 asks bin 371 from bin 530, which there is not (513).
    bright = noise(6.0, seed=2).astype(np.float32)
    excerpt = alter_excerpt(bright, CENTRE, replace(PLAIN, pitch_scale=0.7), FRONT_END)
    plain = alter_excerpt(bright, CENTRE, PLAIN, FRONT_END)
    assert excerpt[79].mean() < plain[79].mean() - 0.3  # bins 348 .. 371, the last 13 empty
    assert abs(excerpt[70].mean() - plain[70].mean()) < 0.1


# --- equaliser ------------------------------------------------------------------------------


def test_equaliser_is_a_bump_of_the_drawn_gain_and_width() -> None:
    centres = mel_frequencies(FRONT_END)[1:-1]
    bump = Alteration(1, 1, eq_hz=float(centres[50]), eq_semitones=6, eq_db=10)
    gain = equaliser(bump, FRONT_END)
    assert gain.argmax() == 50
    assert gain[50] == pytest.approx(10 / 8.685889638)  # 10 dB in nat
    semitones = 12 * np.log2(centres / centres[50])
    at_width = np.interp(6, semitones, gain) / gain[50]
    assert at_width == pytest.approx(math.exp(-0.5), abs=0.01)
    np.testing.assert_allclose(equaliser(replace(bump, eq_db=-10), FRONT_END), -gain, atol=1e-7)


def test_equaliser_is_added_in_the_log_domain() -> None:
    loud = replace(PLAIN, eq_db=7.0, eq_hz=800.0)
    difference = alter_excerpt(SOUND, CENTRE, loud, FRONT_END) - alter_excerpt(
        SOUND, CENTRE, PLAIN, FRONT_END
    )
    wanted = np.repeat(equaliser(loud, FRONT_END)[:, None], 115, axis=1)
    np.testing.assert_allclose(difference, wanted, atol=1e-5)


# --- draws ----------------------------------------------------------------------------------


def test_draws_fill_their_ranges() -> None:
    stream = np.random.default_rng(0)
    drawn = [draw_alteration(stream, level=6.0) for _ in range(4000)]
    for name, low, high in (
        ("time_scale", 0.7, 1.3),
        ("pitch_scale", 0.7, 1.3),
        ("eq_db", -10, 10),
        ("eq_semitones", 3, 7),
        ("level_db", -6, 6),
        ("added_db", -15, 5),
    ):
        values = np.array([getattr(one, name) for one in drawn])
        assert values.min() >= low
        assert values.max() <= high
        np.testing.assert_allclose(
            np.quantile(values, [0, 0.25, 0.5, 0.75, 1]),
            np.linspace(low, high, 5),
            atol=0.03 * (high - low),
        )
    hertz = np.log([one.eq_hz for one in drawn])  # uniform in its logarithm
    np.testing.assert_allclose(
        np.quantile(hertz, [0, 0.5, 1]),
        [math.log(150), math.log(150 * 8000) / 2, math.log(8000)],
        atol=0.15,
    )


def test_all_but_a_share_keep_time_pitch_and_spectrum() -> None:
    stream = np.random.default_rng(0)
    drawn = [draw_alteration(stream, share=0.7, level=6.0) for _ in range(2000)]
    kept = [one for one in drawn if one.time_scale == one.pitch_scale == 1 and one.eq_db == 0]
    assert len(kept) == pytest.approx(600, abs=60)
    assert np.std([one.level_db for one in kept]) == pytest.approx(12 / math.sqrt(12), rel=0.1)


def test_excerpts_of_a_batch_are_altered_one_by_one() -> None:
    waveforms = [SOUND, noise(3.0, seed=4).astype(np.float32)]
    rows = np.array([[0, 100, 1], [1, 30, 0], [0, 100, 1]])
    added = np.array([[-1, -1], [0, 50], [-1, -1]])
    stream = np.random.default_rng(3)
    alterations = [draw_alteration(stream) for _ in rows]
    batch = alter_excerpts(waveforms, rows, alterations, added, FRONT_END)
    assert batch.shape == (3, 80, 115)
    for k, (excerpt, (i, frame, _)) in enumerate(zip(batch, rows, strict=True)):
        sound = samples_around(SOUND, 50, FRONT_END) if k == 1 else None
        wanted = alter_excerpt(waveforms[i], frame, alterations[k], FRONT_END, sound)
        np.testing.assert_array_equal(excerpt, wanted)
    assert np.abs(batch[0] - batch[2]).max() > 0.1


# --- added sound ----------------------------------------------------------------------------


@pytest.mark.parametrize("level", [-15.0, 0.0, 5.0])
def test_added_sound_has_the_level_asked_for(level: float) -> None:
    """Of uncorrelated sounds the powers add."""
    low, high = (tone(hz, 2.0).astype(np.float32) * gain for hz, gain in ((300, 0.5), (3000, 0.01)))
    both = mix_at_level(low, high, level)
    spectrum = np.abs(np.fft.rfft(both)) ** 2
    ratio = spectrum[6000 - 20 : 6000 + 20].sum() / spectrum[600 - 20 : 600 + 20].sum()
    assert 10 * math.log10(ratio) == pytest.approx(level, abs=0.05)


def test_silence_adds_nothing_and_takes_nothing() -> None:
    silence = np.zeros(1000, dtype=np.float32)
    np.testing.assert_array_equal(mix_at_level(silence, SOUND[:1000], 0.0), silence)
    np.testing.assert_array_equal(mix_at_level(SOUND[:1000], silence, 0.0), SOUND[:1000])


def test_an_excerpt_with_added_sound_is_that_of_the_sum() -> None:
    other = (0.3 * noise(6.0, seed=8)).astype(np.float32)
    added = samples_around(other, 150, FRONT_END)
    shift = (CENTRE - 150) * 315  # so that frame 150 of `other` falls on CENTRE
    moved = np.zeros_like(SOUND)
    moved[shift:] = other[: len(SOUND) - shift]
    own = samples_around(SOUND, CENTRE, FRONT_END)
    gain = math.sqrt(np.mean(own**2) / np.mean(added**2))
    got = alter_excerpt(SOUND, CENTRE, PLAIN, FRONT_END, added)
    wanted = alter_excerpt(SOUND + np.float32(gain) * moved, CENTRE, PLAIN, FRONT_END)
    np.testing.assert_allclose(got, wanted, atol=1e-3)


def test_a_gain_of_the_sound_is_a_constant_of_the_log_mel() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 22050 * 4).astype(np.float32)
    louder = alter_excerpt(sound, 120, replace(PLAIN, level_db=6.0), FrontEnd())
    played = alter_excerpt(10 ** (6 / 20) * sound, 120, PLAIN, FrontEnd())
    assert louder == pytest.approx(played, abs=1e-4)
