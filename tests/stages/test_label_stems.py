"""Labels from vocal stems: times that are known come back, and the manifest is a corpus."""

from __future__ import annotations

import csv
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from support.recordings import noise, tone, write_sound

from ganexplain.attribution.inputs.excerpts import read_truth_spans
from ganexplain.config import LabelStemsConfig
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.spans import active_spans
from ganexplain.corpora.splits import load_log_mel_split
from ganexplain.errors import BadFile, GanexplainError, UsageError
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.label_stems import label_stems

Spans = list[tuple[float, float]]


def voice(spans: Spans, seconds: float, rate: int, hiss: float = 1e-4) -> np.ndarray:
    """Tone bursts over a faint hiss (samples,)."""
    times = np.arange(round(seconds * rate)) / rate
    sounding = np.zeros(times.size)
    for start, end in spans:
        sounding[(times >= start) & (times < end)] = 1
    return sounding * tone(440, seconds, rate)[: times.size] + noise(seconds, rate, hiss)


def add_track(
    folder: Path, spans: Spans, seconds: float = 6.0, rate: int = 44100, suffix: str = "wav"
) -> None:
    """A track folder of a mixture and its vocals."""
    vocals = voice(spans, seconds, rate)
    write_sound(folder / f"vocals.{suffix}", vocals, rate)
    write_sound(folder / f"mixture.{suffix}", vocals + noise(seconds, rate, seed=1), rate)


def rows_of(manifest: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(manifest.read_text(encoding="utf-8").splitlines()))


def sung(rows: list[dict[str, str]], path: str) -> Spans:
    """Spans of singing in a recording."""
    return [
        (float(row["start"]), float(row["end"]))
        for row in rows
        if row["path"] == path and row["label"] == "sing"
    ]


def label(folder: Path, **settings: Any) -> Path:
    return label_stems(replace(LabelStemsConfig(stems=str(folder)), **settings), NullProgress())


# --- times ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_known_times_come_back(tmp_path: Path, suffix: str, rate: int) -> None:
    spans = [(0.713, 2.031), (3.309, 5.127)]
    add_track(tmp_path / "a", spans, rate=rate, suffix=suffix)
    found = sung(rows_of(label(tmp_path)), f"a/mixture.{suffix}")
    np.testing.assert_allclose(found, spans, atol=0.02)


def test_spans_cover_the_mixture_without_holes(tmp_path: Path) -> None:
    add_track(tmp_path / "a", [(1.0, 2.0), (4.0, 6.0)])
    rows = rows_of(label(tmp_path))
    assert [row["label"] for row in rows] == ["nosing", "sing", "nosing", "sing"]
    assert rows[0]["start"] == "0.000"
    assert rows[-1]["end"] == "6.000"
    for before, after in itertools.pairwise(rows):
        assert before["end"] == after["start"]


def test_short_pauses_are_singing_and_short_sounds_are_not(tmp_path: Path) -> None:
    add_track(tmp_path / "a", [(1.0, 2.0), (2.3, 3.0), (3.6, 4.2), (5.0, 5.06)])
    name = "a/mixture.wav"
    found = sung(rows_of(label(tmp_path)), name)
    np.testing.assert_allclose(found, [(1.0, 3.0), (3.6, 4.2)], atol=0.02)
    (tmp_path / "manifest.csv").unlink()
    found = sung(rows_of(label(tmp_path, join_gaps=0.1, shortest=0.02)), name)
    wanted = [(1.0, 2.0), (2.3, 3.0), (3.6, 4.2), (5.0, 5.06)]
    np.testing.assert_allclose(found, wanted, atol=0.02)


@pytest.mark.parametrize(("level_db", "counts"), [(-35.0, True), (-45.0, False)])
def test_threshold_is_relative_to_the_loudest(level_db: float, counts: bool) -> None:
    sound = tone(440, 3.0, level=0.5)
    sound[22050:] *= 10 ** (level_db / 20)
    spans = active_spans(sound, 22050, -40.0, 0.35, 0.1)
    np.testing.assert_allclose(spans, [(0.0, 3.0 if counts else 1.0)], atol=0.021)


@pytest.mark.parametrize("gain", [1.0, 0.01])
def test_labels_do_not_depend_on_the_level(tmp_path: Path, gain: float) -> None:
    vocals = voice([(1.0, 2.5)], 4.0, 44100)
    write_sound(tmp_path / "a" / "vocals.wav", gain * vocals, 44100, subtype="FLOAT")
    write_sound(tmp_path / "a" / "mixture.wav", vocals, 44100)
    np.testing.assert_allclose(
        sung(rows_of(label(tmp_path)), "a/mixture.wav"), [(1.0, 2.5)], atol=0.02
    )


def test_silent_vocals_are_a_track_without_singing(tmp_path: Path) -> None:
    add_track(tmp_path / "a", [(1.0, 2.0)])
    add_track(tmp_path / "instrumental", [])
    write_sound(tmp_path / "instrumental" / "vocals.wav", np.zeros(6 * 44100), 44100)
    rows = [r for r in rows_of(label(tmp_path)) if r["path"].startswith("instrumental")]
    assert [(r["start"], r["end"], r["label"]) for r in rows] == [("0.000", "6.000", "nosing")]


@pytest.mark.parametrize("level_db", [-75.0, -96.0])
def test_noise_far_below_the_mixture_is_no_singing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, level_db: float
) -> None:
    add_track(tmp_path / "a", [(1.0, 2.0)])
    mixture, _ = sf.read(tmp_path / "a" / "mixture.wav")
    loudest = np.sqrt(np.mean(mixture[44100:88200] ** 2))
    leak = noise(6.0, 44100, loudest * 10 ** (level_db / 20), seed=3)
    write_sound(tmp_path / "a" / "vocals.wav", leak, 44100, subtype="FLOAT")
    rows = rows_of(label(tmp_path))
    assert [(row["end"], row["label"]) for row in rows] == [("6.000", "nosing")]
    assert "a/vocals.wav: nowhere louder than 60 dB below its mixture" in caplog.messages[0]


@pytest.mark.parametrize("channels", [(1, -1), (1, -1, 0.5, -0.5), (1, 0), (1, 1), (0, 0, 0, 1)])
@pytest.mark.parametrize("mixture", ["mono", "wide"])
def test_vocals_are_heard_in_whatever_channels_they_are(
    tmp_path: Path, channels: tuple[float, ...], mixture: str
) -> None:
    spans = [(0.713, 2.031), (3.309, 5.127)]
    add_track(tmp_path / "a", spans)
    vocals = np.outer(voice(spans, 6.0, 44100), channels)
    write_sound(tmp_path / "a" / "vocals.wav", vocals, 44100, subtype="FLOAT")
    if mixture == "wide":
        mix = vocals + noise(6.0, 44100, seed=1)[:, None] * np.arange(1, len(channels) + 1)
        write_sound(tmp_path / "a" / "mixture.wav", mix / 10, 44100)
    np.testing.assert_allclose(sung(rows_of(label(tmp_path)), "a/mixture.wav"), spans, atol=0.02)


def test_truth_of_a_vocal_stem_is_heard_in_all_channels(tmp_path: Path) -> None:
    spans = [(0.713, 2.031), (3.309, 5.127)]
    wide = np.outer(voice(spans, 6.0, 44100), (1, -1))
    stem = write_sound(tmp_path / "vocals.wav", wide, 44100, subtype="FLOAT")
    found = read_truth_spans(str(stem), tmp_path / "mixture.wav")
    assert found is not None
    np.testing.assert_allclose(found, spans, atol=0.02)


def test_vocals_of_another_length_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add_track(tmp_path / "a", [(1.0, 2.0)])
    write_sound(tmp_path / "a" / "vocals.wav", voice([(1.0, 2.0)], 3.0, 44100), 44100)
    label(tmp_path)
    assert "a/vocals.wav: 3.000 s long, its mixture 6.000 s" in caplog.messages[0]


def test_vocals_longer_than_the_mixture_are_cut(tmp_path: Path) -> None:
    add_track(tmp_path / "a", [(1.0, 2.0)], seconds=3.0)
    write_sound(tmp_path / "a" / "vocals.wav", voice([(1.0, 5.0)], 5.0, 44100), 44100)
    rows = rows_of(label(tmp_path))
    assert [r["end"] for r in rows] == ["1.000", "3.000"]


# --- layout ---------------------------------------------------------------------------------


def test_musdb_layout_gives_three_splits(tmp_path: Path) -> None:
    for k in range(5):
        add_track(tmp_path / "train" / f"Artist, {k} - Söng", [(0.5, 1.5)], seconds=2.0)
    for k in range(2):
        add_track(tmp_path / "test" / f"Other {k}", [(0.5, 1.5)], seconds=2.0)
    manifest = label(tmp_path)
    assert manifest == tmp_path / "manifest.csv"
    corpus = read_corpus(manifest)
    assert corpus.classes == ("nosing", "sing")
    assert [len(corpus.split(name)) for name in ("train", "valid", "test")] == [4, 1, 2]
    assert all("test" in r.path.parts for r in corpus.split("test"))
    front_end = FrontEnd()
    split = load_log_mel_split(corpus, "test", front_end, tmp_path / "cache", NullProgress())
    shares = [np.mean(labels == 1) for labels in split.labels]
    np.testing.assert_allclose(shares, 0.5, atol=0.03)


def test_tracks_held_out_depend_on_the_seed_alone(tmp_path: Path) -> None:
    for k in range(8):
        add_track(tmp_path / f"{k}", [(0.2, 0.6)], seconds=0.8)

    def held_out(seed: int) -> set[str]:
        (tmp_path / "manifest.csv").unlink(missing_ok=True)
        rows = rows_of(label(tmp_path, seed=seed, valid_share=0.25))
        return {row["path"] for row in rows if row["split"] == "valid"}

    sets = [held_out(seed) for seed in range(6)]
    assert all(len(one) == 2 for one in sets)
    assert held_out(0) == sets[0]
    assert len({frozenset(one) for one in sets}) > 1


def test_no_track_is_held_out_at_a_share_of_zero(tmp_path: Path) -> None:
    for k in range(3):
        add_track(tmp_path / f"{k}", [(0.2, 0.6)], seconds=0.8)
    assert {row["split"] for row in rows_of(label(tmp_path, valid_share=0.0))} == {"train"}


def test_files_that_are_no_sound_are_passed_over(tmp_path: Path) -> None:
    add_track(tmp_path / "a", [(1.0, 2.0)], seconds=3.0)
    (tmp_path / "a" / "mixture.txt").write_text("notes")
    (tmp_path / "a" / "vocals.json").write_text("{}")
    (tmp_path / "only mixture").mkdir()
    write_sound(tmp_path / "only mixture" / "mixture.wav", noise(1.0))
    assert {row["path"] for row in rows_of(label(tmp_path))} == {"a/mixture.wav"}


def test_stems_in_two_formats_are_one_track(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for k in range(4):
        for suffix in ("wav", "flac", "ogg"):
            add_track(tmp_path / "train" / f"t{k}", [(0.2, 0.6)], 0.8, suffix=suffix)
    rows = rows_of(label(tmp_path, valid_share=0.5))
    assert {row["path"] for row in rows} == {f"train/t{k}/mixture.flac" for k in range(4)}
    assert "t0: a stem exists as mixture.flac, mixture.ogg, mixture.wav" in caplog.text


def test_stems_are_known_in_capitals_behind_links_and_not_in_hidden_folders(tmp_path: Path) -> None:
    add_track(tmp_path / "a", [(0.2, 0.6)], 0.8)
    for stem in ("mixture", "vocals"):
        (tmp_path / "a" / f"{stem}.wav").rename(tmp_path / "a" / f"{stem.title()}.WAV")
    add_track(tmp_path / "disk" / "b", [(0.2, 0.6)], 0.8)
    stems = tmp_path / "stems"
    stems.mkdir()
    (tmp_path / "a").rename(stems / "a")
    (stems / "b").symlink_to(tmp_path / "disk" / "b")
    (stems / "b" / "loop").symlink_to(stems)
    for hidden in (".trash", "__MACOSX"):
        add_track(stems / hidden / "c", [(0.2, 0.6)], 0.8)
    rows = rows_of(label(stems))
    assert {row["path"] for row in rows} == {"a/Mixture.WAV", "b/mixture.wav"}


@pytest.mark.parametrize("samples", [88208, 88200, 88201, 88199, 88641])
def test_manifest_is_a_corpus_wherever_the_voice_ends(tmp_path: Path, samples: int) -> None:
    # The voice ends at 2 s, the files a few samples about it.
    vocals = voice([(0.5, 2.0)], samples / 44100, 44100, hiss=0)
    write_sound(tmp_path / "a" / "vocals.wav", vocals, 44100)
    write_sound(tmp_path / "a" / "mixture.wav", vocals + noise(samples / 44100, 44100), 44100)
    corpus = read_corpus(label(tmp_path))
    segments = corpus.recordings[0].segments
    assert [segment.label for segment in segments[:2]] == [0, 1]
    assert segments[1].end == pytest.approx(2.0, abs=0.02)


# --- what cannot be labelled ----------------------------------------------------------------


def test_manifest_that_is_there_is_kept(tmp_path: Path) -> None:
    add_track(tmp_path / "a", [(1.0, 2.0)], seconds=3.0)
    (tmp_path / "manifest.csv").write_text("corrected by hand")
    with pytest.raises(UsageError, match=r"manifest\.csv: exists already; add --overwrite"):
        label(tmp_path)
    assert (tmp_path / "manifest.csv").read_text() == "corrected by hand"
    label_stems(LabelStemsConfig(stems=str(tmp_path)), NullProgress(), overwrite=True)
    assert len(rows_of(tmp_path / "manifest.csv")) == 3


def test_folders_without_tracks_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="absent: no such folder"):
        label(tmp_path / "absent")
    with pytest.raises(GanexplainError, match="no folder below it has both"):
        label(tmp_path)


@pytest.mark.parametrize("stem", ["vocals.wav", "mixture.wav"])
@pytest.mark.parametrize("content", [b"", b"this is no sound"])
def test_stem_that_cannot_be_read_is_named(tmp_path: Path, stem: str, content: bytes) -> None:
    add_track(tmp_path / "a", [(1.0, 2.0)], seconds=3.0)
    (tmp_path / "a" / stem).write_bytes(content)
    with pytest.raises(BadFile, match=f"a/{stem}: cannot be read as sound"):
        label(tmp_path)
    assert not (tmp_path / "manifest.csv").exists()


def test_vocals_with_a_sample_that_is_no_number_are_named(tmp_path: Path) -> None:
    add_track(tmp_path / "a", [(1.0, 2.0)], seconds=3.0)
    vocals = voice([(1.0, 2.0)], 3.0, 44100)
    vocals[1000] = np.nan
    write_sound(tmp_path / "a" / "vocals.wav", vocals, 44100, subtype="FLOAT")
    with pytest.raises(BadFile, match=r"a/vocals\.wav: a sample at 0\.023 s"):
        label(tmp_path)
    assert not (tmp_path / "manifest.csv").exists()
