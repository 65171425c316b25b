"""Decoding: every format, rate and channel count gives the sound that was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from support.recordings import noise, tone, write_sound

from ganexplain.audio.io import load_excerpt, load_mono, mono_blocks, read_duration
from ganexplain.errors import BadFile, SilentFile

RATE = 22050


def frequency_of(sound: np.ndarray, rate: int = RATE) -> float:
    """Frequency (Hz) of the strongest line of a sound."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size), 8 * sound.size))
    return float(spectrum.argmax() * rate / (8 * sound.size))


def middle(sound: np.ndarray) -> np.ndarray:
    """A sound without its first and last tenth of a second."""
    return sound[RATE // 10 : -RATE // 10]


def level_of(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


# --- formats --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        ("wav", "PCM_16", 1e-4),
        ("wav", "PCM_24", 1e-6),
        ("wav", "PCM_U8", 0.02),
        ("wav", "FLOAT", 1e-7),
        ("wav", "DOUBLE", 1e-7),
        ("flac", "PCM_16", 1e-4),
        ("flac", "PCM_24", 1e-6),
        ("aiff", "PCM_16", 1e-4),
    ],
)
def test_lossless_formats_come_back(
    tmp_path: Path, suffix: str, subtype: str, tolerance: float
) -> None:
    sound = tone(440, 0.5)
    path = write_sound(tmp_path / f"a.{suffix}", sound, subtype=subtype)
    loaded = load_mono(path, RATE)
    assert loaded.dtype == np.float32
    np.testing.assert_allclose(loaded, sound, atol=tolerance)


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_lossy_formats_keep_tone_and_level(tmp_path: Path, suffix: str, rate: int) -> None:
    path = write_sound(tmp_path / f"a.{suffix}", tone(1000, 1.0, rate), rate)
    loaded = middle(load_mono(path, RATE))
    assert frequency_of(loaded) == pytest.approx(1000, abs=1)
    assert level_of(loaded) == pytest.approx(0.3 / np.sqrt(2), rel=0.03)
    assert read_duration(path) == pytest.approx(1.0, abs=0.1)


# --- rates and channels ---------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 11025, 32000, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("hertz", [200.0, 3000.0])
def test_resampling_keeps_the_wave(tmp_path: Path, rate: int, hertz: float) -> None:
    path = write_sound(tmp_path / "a.wav", tone(hertz, 1.0, rate), rate, subtype="FLOAT")
    loaded = load_mono(path, RATE)
    assert abs(loaded.size - RATE) <= 1
    wanted = tone(hertz, 1.0, RATE)[: loaded.size]
    np.testing.assert_allclose(middle(loaded), middle(wanted[: loaded.size]), atol=2e-4)


def test_what_the_new_rate_cannot_hold_disappears(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", tone(15000, 1.0, 48000), 48000, subtype="FLOAT")
    assert level_of(middle(load_mono(path, RATE))) < 1e-4


@pytest.mark.parametrize("channels", [2, 6])
@pytest.mark.parametrize("rate", [22050, 44100])
def test_down_mix_is_the_mean_of_the_channels(tmp_path: Path, channels: int, rate: int) -> None:
    sounds = np.stack([noise(0.5, rate, seed=k) for k in range(channels)], axis=1)
    many = write_sound(tmp_path / "many.wav", sounds, rate, subtype="FLOAT")
    mean = write_sound(tmp_path / "mean.wav", sounds.mean(axis=1), rate, subtype="FLOAT")
    np.testing.assert_allclose(load_mono(many, RATE), load_mono(mean, RATE), atol=1e-6)


def test_one_silent_channel_halves_the_level(tmp_path: Path) -> None:
    # The pinned down-mix: -6 dB, not the -3 dB of a decoder that keeps the power.
    left = tone(440, 0.5)
    path = write_sound(tmp_path / "a.wav", np.stack([left, 0 * left], axis=1), subtype="FLOAT")
    np.testing.assert_allclose(load_mono(path, RATE), left / 2, atol=1e-6)


@pytest.mark.parametrize("rate", [22050, 44100])
def test_blocks_join_to_the_whole(tmp_path: Path, rate: int) -> None:
    sound = tone(500, 10.0, rate, level=0.2)  # exactly one block of reading, nothing after it
    path = write_sound(tmp_path / "ten.wav", sound, rate, subtype="FLOAT")
    longer = write_sound(
        tmp_path / "longer.wav", tone(500, 21.3, rate, level=0.2), rate, subtype="FLOAT"
    )
    for file, seconds in ((path, 10.0), (longer, 21.3)):
        loaded = np.concatenate(list(mono_blocks(file, RATE)))
        wanted = tone(500, seconds, RATE, level=0.2)
        assert abs(loaded.size - wanted.size) <= 1
        count = min(loaded.size, wanted.size)
        np.testing.assert_allclose(middle(loaded[:count]), middle(wanted[:count]), atol=2e-4)


@pytest.mark.parametrize("rate", [8000, 22050, 192000])
def test_file_of_one_sample_is_loaded(tmp_path: Path, rate: int) -> None:
    path = write_sound(tmp_path / "a.wav", np.array([0.5]), rate)
    assert load_mono(path, RATE).size <= 3


# --- excerpts -------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_excerpts_equal_the_slice_of_the_whole(tmp_path: Path, rate: int) -> None:
    sound = tone(1000, 8.0, rate, level=0.2) + tone(317, 8.0, rate, level=0.2, phase=1)
    path = write_sound(tmp_path / "a.wav", sound, rate, subtype="FLOAT")
    whole = load_mono(path, RATE)
    for frame in range(0, 400, 7):  # excerpts start at frames, every 315 samples
        first = frame * 315
        excerpt = load_excerpt(path, first / RATE, 2000, RATE)
        assert excerpt.dtype == np.float32
        np.testing.assert_allclose(excerpt, whole[first : first + 2000], atol=1e-3)


def test_excerpt_of_many_channels_is_their_mean(tmp_path: Path) -> None:
    sounds = np.stack([noise(3, seed=1), noise(3, seed=2)], axis=1)
    path = write_sound(tmp_path / "a.wav", sounds, subtype="FLOAT")
    wanted = sounds.mean(axis=1)[RATE : RATE + 500]
    np.testing.assert_allclose(load_excerpt(path, 1.0, 500, RATE), wanted, atol=1e-6)


@pytest.mark.parametrize("rate", [22050, 44100])
def test_excerpt_over_the_end_is_padded_with_zeros(tmp_path: Path, rate: int) -> None:
    path = write_sound(tmp_path / "a.wav", noise(2.0, rate), rate, subtype="FLOAT")
    excerpt = load_excerpt(path, 1.9, RATE, RATE)
    assert excerpt.shape == (RATE,)
    held = round(0.1 * RATE)
    assert np.abs(excerpt[: held - 20]).max() > 0.01
    assert (excerpt[held + 1 :] == 0).all()


@pytest.mark.parametrize("rate", [22050, 44100])
def test_excerpt_beyond_the_end_is_silence(tmp_path: Path, rate: int) -> None:
    path = write_sound(tmp_path / "a.wav", noise(2.0, rate), rate)
    np.testing.assert_array_equal(load_excerpt(path, 30.0, 100, RATE), np.zeros(100))


# --- what cannot be used --------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("seconds", "at"), [(2.0, 1.25), (12.0, 11.5)])
def test_sample_that_is_no_number_is_named_with_its_time(
    tmp_path: Path, bad: float, seconds: float, at: float
) -> None:
    sound = np.stack([noise(seconds, 8000), noise(seconds, 8000)], axis=1)
    sound[round(at * 8000), 1] = bad
    path = write_sound(tmp_path / "broken song.wav", sound, 8000, subtype="FLOAT")
    with pytest.raises(BadFile, match=rf"broken song\.wav: a sample at {at:.3f} s"):
        load_mono(path, RATE)


def test_file_without_samples_is_named(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "empty.wav", np.zeros(0))
    assert read_duration(path) == 0
    with pytest.raises(BadFile, match=r"empty\.wav: contains no samples"):
        load_mono(path, RATE)


def test_silent_file_is_named(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "quiet.flac", np.zeros((44100, 2)), 44100)
    with pytest.raises(SilentFile, match=r"quiet\.flac: is silent"):
        load_mono(path, RATE)


def test_very_quiet_file_is_not_silent(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", tone(440, 0.5, level=1e-4), subtype="FLOAT")
    assert level_of(load_mono(path, RATE)) == pytest.approx(1e-4 / np.sqrt(2), rel=1e-3)


@pytest.mark.parametrize("content", [b"", b"not a sound at all\n" * 50, b"RIFF\x00\x00\x00\x00"])
def test_file_that_is_no_sound_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.wav"
    path.write_bytes(content)
    for read in (lambda: load_mono(path, RATE), lambda: read_duration(path)):
        with pytest.raises(BadFile, match=r"notes\.wav: cannot be read as sound") as caught:
            read()
        assert len(str(caught.value).splitlines()) == 1


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    for read in (
        lambda path: load_mono(path, RATE),
        read_duration,
        lambda path: load_excerpt(path, 0.0, 10, RATE),
    ):
        with pytest.raises(BadFile, match=r"absent\.wav: no such file"):
            read(tmp_path / "absent.wav")
        with pytest.raises(BadFile, match="cannot be read as sound"):
            read(tmp_path)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "wav"])
def test_file_cut_short_gives_a_part_or_is_named(tmp_path: Path, suffix: str) -> None:
    whole = write_sound(tmp_path / f"whole.{suffix}", noise(3.0)).read_bytes()
    path = tmp_path / f"part.{suffix}"
    length = sf.info(str(tmp_path / f"whole.{suffix}")).frames
    for share in (0.01, 0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(share * len(whole))])
        try:
            assert 0 < load_mono(path, RATE).size <= length
        except BadFile as error:
            assert f"part.{suffix}" in str(error)
