"""The feature cache, and the excerpts drawn from it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.recordings import RATE, JamendoFolder, jamendo_folder, noise, tone, write_sound

from ganexplain.audio.log_mel import log_mel
from ganexplain.corpora.cache import cache_directory, cached_log_mel, cached_waveform
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.recordings import Recording
from ganexplain.corpora.splits import (
    LabelledFrames,
    Split,
    batch_rows,
    load_log_mel_split,
    require_classes,
)
from ganexplain.errors import BadFile, GanexplainError, SilentFile
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.runs.progress import NullProgress

FRONT_END = FrontEnd()
FLOOR = np.float32(math.log(1e-7))


def entries(folder: Path) -> list[str]:
    """Names of all files in a cache, hidden ones too."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


# --- cache ----------------------------------------------------------------------------------


def test_entry_is_the_log_mel_memory_mapped(tmp_path: Path) -> None:
    sound = noise(3.0)
    path = write_sound(tmp_path / "a.wav", sound, subtype="FLOAT")
    mel = cached_log_mel(path, FRONT_END, tmp_path / "cache")
    assert isinstance(mel, np.memmap)
    assert not mel.flags.writeable
    assert mel.dtype == np.float32
    np.testing.assert_allclose(mel, log_mel(sound.astype(np.float32), FRONT_END), atol=1e-4)


def test_second_call_computes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sound(tmp_path / "a.wav", noise(1.0))
    first = cached_log_mel(path, FRONT_END, tmp_path / "cache")
    monkeypatch.setattr("ganexplain.corpora.cache.mono_blocks", lambda *_: pytest.fail("decoded"))
    np.testing.assert_array_equal(cached_log_mel(path, FRONT_END, tmp_path / "cache"), first)


def test_same_content_under_another_name_is_one_entry(tmp_path: Path) -> None:
    first = write_sound(tmp_path / "a.wav", noise(1.0))
    second = tmp_path / "elsewhere" / "b.wav"
    second.parent.mkdir()
    second.write_bytes(first.read_bytes())
    for path in (first, second):
        cached_log_mel(path, FRONT_END, tmp_path / "cache")
    assert len(entries(tmp_path / "cache")) == 1


def test_changed_content_is_another_entry(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(1.0, seed=1))
    old = np.array(cached_log_mel(path, FRONT_END, tmp_path / "cache"))
    write_sound(path, noise(1.0, seed=2))
    new = cached_log_mel(path, FRONT_END, tmp_path / "cache")
    assert len(entries(tmp_path / "cache")) == 2
    assert np.abs(new - old).max() > 0.1


@pytest.mark.parametrize(
    "change",
    [
        {"sample_rate": 16000},
        {"frame_length": 2048},
        {"hop_length": 441},
        {"mel_bands": 60},
        {"lowest_hz": 50.0},
        {"highest_hz": 7000.0},
        {"floor": 1e-5},
    ],
)
def test_changed_front_end_is_another_entry(tmp_path: Path, change: dict[str, Any]) -> None:
    path = write_sound(tmp_path / "a.wav", noise(1.0))
    cached_log_mel(path, FRONT_END, tmp_path / "cache")
    cached_log_mel(path, replace(FRONT_END, **change), tmp_path / "cache")
    assert len(entries(tmp_path / "cache")) == 2


def test_waveforms_and_features_do_not_meet(tmp_path: Path) -> None:
    sound = noise(1.0, 44100)
    path = write_sound(tmp_path / "a.wav", sound, 44100)
    mel = cached_log_mel(path, FRONT_END, tmp_path / "cache")
    waveform = cached_waveform(path, RATE, tmp_path / "cache")
    assert mel.ndim == 2
    assert waveform.shape == (RATE,)
    assert cached_waveform(path, 16000, tmp_path / "cache").shape == (16000,)
    assert len(entries(tmp_path / "cache")) == 3


@pytest.mark.parametrize(
    "damage", ["empty", "head", "garbled head", "half", "one byte short", "foreign"]
)
def test_damaged_entry_is_made_again(tmp_path: Path, damage: str) -> None:
    path = write_sound(tmp_path / "a.wav", noise(1.0))
    whole = np.array(cached_log_mel(path, FRONT_END, tmp_path / "cache"))
    entry = tmp_path / "cache" / entries(tmp_path / "cache")[0]
    content = entry.read_bytes()
    entry.write_bytes(
        {
            "empty": b"",
            "head": content[:40],
            "garbled head": content[:60] + b"({'" + content[63:],
            "half": content[: len(content) // 2],
            "one byte short": content[:-1],
            "foreign": b"something else entirely" * 100,
        }[damage]
    )
    np.testing.assert_array_equal(cached_log_mel(path, FRONT_END, tmp_path / "cache"), whole)
    assert entry.read_bytes() == content


def test_unusable_recordings_leave_no_entry(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    silent = write_sound(tmp_path / "silent.wav", np.zeros(RATE))
    short = write_sound(tmp_path / "short.wav", noise(0.04))
    holed = noise(12.0)
    holed[-5] = np.nan
    broken = write_sound(tmp_path / "nan.wav", holed, subtype="FLOAT")
    with pytest.raises(SilentFile, match=r"silent\.wav"):
        cached_log_mel(silent, FRONT_END, cache)
    with pytest.raises(BadFile, match=r"short\.wav: shorter than one frame \(0\.046 s\)"):
        cached_log_mel(short, FRONT_END, cache)
    with pytest.raises(BadFile, match=r"nan\.wav: a sample at"):
        cached_log_mel(broken, FRONT_END, cache)
    with pytest.raises(BadFile, match=r"absent\.wav: no such file"):
        cached_log_mel(tmp_path / "absent.wav", FRONT_END, cache)
    assert entries(cache) == []


def test_cache_stands_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory("here") == Path("here")
    assert cache_directory("") == tmp_path / "ganexplain"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_directory("") == tmp_path / "home" / ".cache" / "ganexplain"


# --- excerpts -------------------------------------------------------------------------------


def counting_split(lengths: list[int], labels: list[np.ndarray] | None = None) -> Split:
    """A split whose log-mel at (recording i, frame t, band f) is 1e6 i + 100 t + f."""
    mels = tuple(
        (1e6 * i + 100.0 * np.arange(n)[:, None] + np.arange(80)).astype(np.float32)
        for i, n in enumerate(lengths)
    )
    recordings = tuple(
        Recording(Path(f"{i}.wav"), "train", (), Path()) for i in range(len(lengths))
    )
    labels = labels or [np.zeros(n, np.int64) for n in lengths]
    return Split(recordings, mels, tuple(labels), FRONT_END)


def test_excerpt_stands_around_its_centre() -> None:
    excerpts = counting_split([300, 200]).gather(np.array([[0, 57], [1, 100], [0, 242]]))
    assert excerpts.shape == (3, 80, 115)
    assert excerpts.dtype == np.float32
    for excerpt, (i, centre) in zip(excerpts, [(0, 57), (1, 100), (0, 242)], strict=True):
        frames = np.arange(centre - 57, centre + 58)
        wanted = 1e6 * i + 100.0 * frames[None, :] + np.arange(80)[:, None]
        np.testing.assert_array_equal(excerpt, wanted.astype(np.float32))


@pytest.mark.parametrize("centre", [0, 1, 30, 56, 57, 142, 143, 170, 198, 199])
def test_excerpt_over_an_end_is_padded_with_the_floor(centre: int) -> None:
    excerpt = counting_split([200]).gather(np.array([[0, centre, 1]]))[0]
    for column in range(115):
        frame = centre - 57 + column
        wanted = 100.0 * frame + np.arange(80) if 0 <= frame < 200 else np.full(80, FLOOR)
        np.testing.assert_array_equal(excerpt[:, column], wanted.astype(np.float32))


def test_short_recording_is_padded_on_both_sides() -> None:
    split = counting_split([21])
    centres = split.whole_excerpts()
    assert centres.tolist() == [[0, 10]]
    excerpt = split.gather(centres)[0]
    assert (excerpt[:, :47] == FLOOR).all()
    assert (excerpt[:, 68:] == FLOOR).all()
    np.testing.assert_array_equal(excerpt[0, 47:68], 100.0 * np.arange(21))


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(115, 400), min_size=1, max_size=4),
    hop=st.integers(1, 50),
)
def test_whole_excerpts_lie_inside_and_miss_none(lengths: list[int], hop: int) -> None:
    split = counting_split(lengths)
    centres = split.whole_excerpts(hop)
    wanted = [
        [i, first + 57] for i, n in enumerate(lengths) for first in range(0, n - 115 + 1, hop)
    ]
    assert centres.tolist() == wanted
    assert (split.gather(centres) >= 0).all()  # no frame of padding


def test_labelled_frames_are_all_and_only_those() -> None:
    labels = [np.array([-1, 0, 1, -1]), np.full(3, -1), np.array([1, 1])]
    rows = counting_split([4, 3, 2], labels).labelled_frames()
    assert rows[np.arange(len(rows))].tolist() == [[0, 1, 0], [0, 2, 1], [2, 0, 1], [2, 1, 1]]
    assert len(counting_split([3], [np.full(3, -1)]).labelled_frames()) == 0


def test_band_statistics_are_those_of_all_frames_together() -> None:
    stream = np.random.default_rng(5)
    mels = tuple(
        (stream.normal(-8, 3, (n, 80)) + np.linspace(0, 5, 80)).astype(np.float32)
        for n in (50, 1, 400)
    )
    recordings = tuple(Recording(Path("a"), "train", (), Path()) for _ in mels)
    split = Split(recordings, mels, tuple(np.zeros(len(m), np.int64) for m in mels), FRONT_END)
    mean, deviation = split.band_statistics()
    together = np.concatenate(mels).astype(np.float64)
    np.testing.assert_allclose(mean, together.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(deviation, together.std(axis=0, ddof=1), rtol=1e-5)


def test_band_that_never_varies_is_named() -> None:
    mel = np.random.default_rng(0).normal(size=(50, 80)).astype(np.float32)
    mel[:, 63] = FLOOR
    split = Split(
        (Recording(Path("a"), "train", (), Path()),), (mel,), (np.zeros(50, np.int64),), FRONT_END
    )
    with pytest.raises(GanexplainError, match="mel band 63 never varies"):
        split.band_statistics()


# --- splits from a corpus -------------------------------------------------------------------


def test_split_holds_features_and_labels_of_its_recordings(
    jamendo: JamendoFolder, tmp_path: Path
) -> None:
    corpus = read_corpus(jamendo.root)
    split = load_log_mel_split(corpus, "train", FRONT_END, tmp_path / "cache", NullProgress())
    assert [r.path.name for r in split.recordings] == ["one.wav", "two.flac"]
    assert [len(mel) for mel in split.mels] == [277, 277]  # (4 x 22050 - 1024) // 315 + 1
    assert split.labels[0][0] == 1
    assert split.labels[0][140] == 0  # the frame at 2.02 s
    require_classes(corpus, split, "train")


def test_class_without_a_frame_is_named(jamendo: JamendoFolder, tmp_path: Path) -> None:
    jamendo.label_file("three.wav").write_text("0 4 sing\n")
    corpus = read_corpus(jamendo.root)
    split = load_log_mel_split(corpus, "valid", FRONT_END, tmp_path / "cache", NullProgress())
    with pytest.raises(GanexplainError, match="no frame of class 'nosing' in the valid split"):
        require_classes(corpus, split, "valid")


def test_label_too_short_to_hold_a_frame_counts_as_absent(
    jamendo: JamendoFolder, tmp_path: Path
) -> None:
    jamendo.label_file("three.wav").write_text("0 4 sing\n0.001 0.01 nosing\n")
    corpus = read_corpus(jamendo.root)
    split = load_log_mel_split(corpus, "valid", FRONT_END, tmp_path / "cache", NullProgress())
    with pytest.raises(GanexplainError, match="'nosing' in the valid split"):
        require_classes(corpus, split, "valid")


def test_split_stops_at_a_bad_recording_or_skips_it(jamendo: JamendoFolder, tmp_path: Path) -> None:
    write_sound(jamendo.audio("one.wav"), np.zeros(4 * RATE))
    corpus = read_corpus(jamendo.root)
    with pytest.raises(SilentFile, match=r"one\.wav"):
        load_log_mel_split(corpus, "train", FRONT_END, tmp_path / "cache", NullProgress())
    progress = NullProgress()
    split = load_log_mel_split(corpus, "train", FRONT_END, tmp_path / "cache", progress, True)
    assert [r.path.name for r in split.recordings] == ["two.flac"]
    assert len(progress.notes) == 1
    assert "one.wav" in progress.notes[0]


def test_split_left_without_recordings_is_named(tmp_path: Path) -> None:
    folder = jamendo_folder(tmp_path / "corpus")
    write_sound(folder.audio("three.wav"), np.zeros(4 * RATE))
    corpus = read_corpus(folder.root)
    with pytest.raises(GanexplainError, match="valid split is empty"):
        load_log_mel_split(corpus, "valid", FRONT_END, tmp_path / "cache", NullProgress(), True)


# --- order of the excerpts ------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 40), batch=st.integers(1, 17), seed=st.integers(0, 9))
def test_every_epoch_holds_each_row_once(count: int, batch: int, seed: int) -> None:
    steps = -(-3 * count // batch)
    drawn = np.concatenate([batch_rows(count, batch, step, seed) for step in range(steps)])
    for epoch in range(3):
        part = drawn[epoch * count : (epoch + 1) * count]
        assert sorted(part.tolist()) == list(range(count))


def test_batches_depend_on_their_arguments_alone() -> None:
    forward = [batch_rows(1000, 32, step, 1).tolist() for step in range(70)]
    backward = [batch_rows(1000, 32, step, 1).tolist() for step in reversed(range(70))]
    assert forward == backward[::-1]
    assert forward[0] != batch_rows(1000, 32, 0, 2).tolist()


def test_epochs_are_in_different_and_random_order() -> None:
    first, second = (batch_rows(500, 500, epoch, 0) for epoch in (0, 1))
    assert np.mean(first == second) < 0.05
    for order in (first, second):
        assert abs(np.corrcoef(order, np.arange(500))[0, 1]) < 0.2


def test_features_of_a_tone_stand_where_it_sounds(tmp_path: Path) -> None:
    # End to end: two seconds of noise, then a tone; the excerpt around 3 s holds the tone only.
    sound = np.concatenate([noise(2.0), tone(1000, 2.0) + noise(2.0, level=1e-4)])
    folder = JamendoFolder(tmp_path / "corpus")
    folder.add("train", "a.wav", sound, "0 2 nosing\n2 4 sing\n")
    folder.add("valid", "b.wav", sound[::-1], "0 2 sing\n2 4 nosing\n")
    corpus = read_corpus(folder.root)
    for name, inside in (("train", 210), ("valid", 70)):
        split = load_log_mel_split(corpus, name, FRONT_END, tmp_path / "cache", NullProgress())
        assert split.labels[0][inside] == 1
        column = split.gather(np.array([[0, inside]]))[0, :, 57]
        assert column.max() - np.median(column) > 5  # one line stands out
        assert split.labels[0][280 - inside] == 0
        column = split.gather(np.array([[0, 280 - inside]]))[0, :, 57]
        assert column.max() - np.median(column) < 3


@given(
    labels=st.lists(st.lists(st.integers(-1, 2), max_size=12), min_size=1, max_size=4),
)
def test_runs_of_labelled_frames_read_as_all_of_them(labels: list[list[int]]) -> None:
    wanted = np.array(
        [[i, t, k] for i, of in enumerate(labels) for t, k in enumerate(of) if k >= 0]
    ).reshape(-1, 3)
    frames = LabelledFrames.from_labels([np.array(of, dtype=np.int16) for of in labels])
    assert len(frames) == len(wanted)
    assert frames.classes().tolist() == sorted(set(wanted[:, 2]))
    order = np.random.default_rng(0).permutation(len(wanted))
    np.testing.assert_array_equal(frames[order], wanted[order])
    for number in range(3):
        one = frames.of_class(number)
        np.testing.assert_array_equal(one[np.arange(len(one))], wanted[wanted[:, 2] == number])
