"""The training music: its list, its packages, its mixes."""

from __future__ import annotations

import csv
import dataclasses
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile as sf

from ganexplain.corpora.load import read_corpus
from ganexplain.files.atomic import file_hash
from sample_data.pretrained.music.__main__ import build_corpus
from sample_data.pretrained.music.check import voice_share
from sample_data.pretrained.music.listing import (
    LISTING,
    Listing,
    Origin,
    Piece,
    Speaker,
    Voices,
    check_listing,
    read_listing,
)
from sample_data.pretrained.music.making import mix_at_level
from sample_data.pretrained.music.packages import Missing, fetch_package, find_piece
from sample_data.pretrained.music.plan import (
    LEAD,
    Credit,
    Draw,
    Layer,
    Take,
    deal_music,
    plan_alone,
    plan_mixes,
)
from sample_data.pretrained.music.sound import RATE
from sample_data.pretrained.music.voice import add_room, change_speed, shift_formants

ROOT = Path(__file__).parents[2]
FREE = (
    r"GPL-[23]\.0-(only|or-later)|LGPL-2\.1-only|CC-BY(-SA)?-[34]\.0|CC-BY-SA|CC0-1\.0|MIT|Zlib"
    r"|BSD-2-Clause|Free-Art-1\.2|EFF Open Audio License 1\.0|public domain"
)


def layer(name: str, split: str, kind: str, seconds: float = 40.0) -> Layer:
    credit = Credit("someone", name, "CC0-1.0", "nowhere")
    sung = ((1.0, seconds - 1.0),) if kind == "voice" else ()
    return Layer(name, Path(name), 0.0, seconds, sung, split, kind, credit)


def test_all_licences_of_the_list_are_free() -> None:
    works = tomllib.loads(LISTING.read_text(encoding="utf-8"))
    licences = {entry["licence"] for entry in (*works["works"], *works["speakers"])}
    choices = {choice for licence in licences for choice in licence.split(" OR ")}
    assert [choice for choice in choices if not re.fullmatch(FREE, choice)] == []


def test_composers_of_the_test_split_of_sample_data_are_in_no_other_split() -> None:
    sources = (ROOT / "sample_data" / "SOURCES.md").read_text(encoding="utf-8")
    table = sources.split("## test: ")[1].split("## How")[0]
    cells = [line.split("|")[2] for line in table.splitlines() if re.match(r"\| (band|mix)_", line)]
    composers = {cell.split(";")[-1].strip() for cell in cells}
    splits = {p.origin.artist: p.origin.split for p in read_listing().pieces}
    found = composers & set(splits)
    assert len(found) >= 6
    assert {splits[composer] for composer in found} == {"test"}


def test_artists_are_reserved_for_the_test_of_rock_electronic_and_chip_music() -> None:
    reserved = {p.kind for p in read_listing().pieces if p.origin.split == "test"}
    assert {"rock", "electronic", "chip"} <= reserved


ORIGIN = Origin("game-music", "usr/share/game", "", "A. Composer", "CC0-1.0", "train")
PIECE = Piece("rock_one", ORIGIN, "rock", "one.flac", "One", 0, "", 0.5, 21.0, 0.0)


def test_an_artist_in_two_splits_is_refused() -> None:
    other = dataclasses.replace(
        PIECE, name="rock_two", origin=dataclasses.replace(ORIGIN, split="test")
    )
    with pytest.raises(ValueError, match=r"A\. Composer is in two splits"):
        check_listing(Listing((PIECE, other), (), ()))


def test_a_piece_with_a_voice_is_refused() -> None:
    with pytest.raises(ValueError, match="a voice is heard in 20%"):
        check_listing(Listing((dataclasses.replace(PIECE, voice=0.2),), (), ()))


def test_a_frame_has_a_voice_if_speech_or_singing_is_likely() -> None:
    speech, singing, music, unsure = (
        (0.6, 0.1, 0.0),
        (0.1, 0.9, 0.9),
        (0.0, 0.2, 1.0),
        (0.4, 0.4, 0),
    )
    assert voice_share(np.array([speech, singing, music, unsure])) == 0.5


def write_tone(path: Path, hertz: float, seconds: float, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * rate)) / rate
    sf.write(path, 0.3 * np.sin(2 * np.pi * hertz * times), rate)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A Debian package with one recording."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    tree = tmp_path / "tree"
    write_tone(tree / "usr/share/game/one.flac", 440.0, 22.0)
    write_tone(tree / "usr/share/gameplay/two.flac", 440.0, 0.1)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        "Package: game-music\nVersion: 1\nArchitecture: all\nMaintainer: nobody <a@b.c>\n"
        "Description: music\n"
    )
    target = tmp_path / "game-music_1_all.deb"
    subprocess.run(["dpkg-deb", "-b", tree, target], check=True, capture_output=True)
    return target


def fake_apt(folder: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt-get that copies the package and counts its calls in a file."""
    folder.mkdir()
    script = folder / "apt-get"
    script.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\ncp {archive} .\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "calls"


def test_a_package_is_downloaded_once_also_after_an_interruption(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_apt(tmp_path / "bin", archive, monkeypatch)
    store = tmp_path / "store"
    (store / "game-music.part").mkdir(parents=True)
    (store / "game-music.part" / "half.deb").write_bytes(b"!<arch>")
    folder = fetch_package("game-music", ["usr/share/game"], store)
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert files == [Path("usr/share/game/one.flac")]  # not what other folders have
    assert fetch_package("game-music", ["usr/share/game"], store) == folder
    assert calls.read_text() == "download -q game-music\n"


def test_a_damaged_package_is_reported_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "game-music_1_all.deb"
    damaged.write_bytes(b"!<arch>\n")
    fake_apt(tmp_path / "bin", damaged, monkeypatch)
    with pytest.raises(Missing, match=r"game-music_1_all\.deb: is damaged"):
        fetch_package("game-music", ["usr"], tmp_path / "store")


def test_another_version_of_a_recording_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "game-music/usr/share/game/one.flac"
    write_tone(path, 440.0, 5.0)
    listed = dataclasses.replace(PIECE, size=path.stat().st_size, sha256=file_hash(path)[:16])
    assert find_piece(listed, tmp_path) == path
    write_tone(path, 441.0, 5.0)
    with pytest.raises(Missing, match=r"rock_one: .* it is another version"):
        find_piece(listed, tmp_path)


def test_a_voice_is_mixed_at_the_level_that_was_drawn() -> None:
    generator = np.random.default_rng(0)
    music = generator.standard_normal(10 * RATE).astype(np.float32) * 0.1
    voice = np.sin(np.arange(5 * RATE) / 7).astype(np.float32)
    voice[: 2 * RATE] = 0.0  # sung from 2 s on, which is 4 s in the mix
    mix = mix_at_level(voice, music, [(LEAD + 2.0, LEAD + 5.0)], 6.0)
    sung = slice(round((LEAD + 2) * RATE), round((LEAD + 5) * RATE))
    above = (mix - music)[sung]
    measured = 10 * np.log10(np.mean(above**2) / np.mean(music[sung] ** 2))
    assert measured == pytest.approx(6.0, abs=0.01)
    assert np.array_equal(mix[: round(LEAD * RATE)], music[: round(LEAD * RATE)])


def test_labels_follow_a_voice_that_is_played_faster() -> None:
    voice = np.zeros(20 * RATE, np.float32)
    voice[6 * RATE : 9 * RATE] = np.sin(np.arange(3 * RATE) / 5)
    source = dataclasses.replace(layer("v", "train", "voice", 20.0), sung=((6.0, 9.0),), start=2.0)
    source = dataclasses.replace(source, seconds=15.0)
    take = Take("t", "voice-mix", source, layer("m", "train", "rock"), Draw(speed=1.25))
    fast = change_speed(voice[2 * RATE : 17 * RATE], 1.25)
    heard = np.flatnonzero(np.abs(fast) > 0.1) / RATE
    ((first, last),) = take.sung()
    assert first - LEAD == pytest.approx(heard[0], abs=0.01)
    assert last - LEAD == pytest.approx(heard[-1], abs=0.01)


def resonance(wave: np.ndarray) -> tuple[float, float]:
    """The loudest harmonic's frequency and the spacing of harmonics (Hz)."""
    level = np.abs(np.fft.rfft(wave[RATE : 2 * RATE] * np.hanning(RATE)))  # bins of 1 Hz
    alike = [float(np.dot(level[:-lag], level[lag:])) for lag in range(100, 250)]
    return float(np.argmax(level)), 100.0 + float(np.argmax(alike))


def test_formants_move_and_the_pitch_stays() -> None:
    pulses = np.zeros(3 * RATE)
    pulses[:: RATE // 150] = 1.0  # 150 Hz
    angle, radius = 2 * np.pi * 1050 / RATE, 0.97
    vowel = scipy.signal.lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], pulses)
    peak, pitch = resonance(vowel)
    moved_peak, moved_pitch = resonance(shift_formants(vowel.astype(np.float32), 1.286))
    assert peak == pytest.approx(1050, abs=10)
    assert moved_peak == pytest.approx(1350, abs=10)  # the harmonic next to 1.286 * 1050 Hz
    assert moved_pitch == pytest.approx(pitch, abs=1)


def test_a_room_decays_by_60_decibels_in_its_time() -> None:
    click = np.zeros(2 * RATE, np.float32)
    click[0] = 1.0
    wet = add_room(click, 0.8, -6.0, np.random.default_rng(3)) - click
    assert 10 * np.log10(np.sum(wet**2)) == pytest.approx(-6.0, abs=0.1)
    energy = 10 * np.log10(np.cumsum(wet[::-1] ** 2)[::-1] + 1e-30)  # Schroeder's integral
    early, late = round(0.11 * RATE), round(0.31 * RATE)
    assert energy[early] - energy[late] == pytest.approx(60 * 0.2 / 0.8, abs=1.0)


def test_a_voice_is_mixed_only_over_music_of_its_split() -> None:
    music = [layer(f"{k}_{s}", s, k) for s in ("train", "test") for k in ("rock", "chip")]
    voices = [layer("a_1", "train", "voice"), layer("b_1", "test", "voice", 150.0)]
    takes = list(plan_mixes(voices, music, "voice-mix", 3))
    assert {take.split() for take in takes} == {"train", "test"}  # ValueError if mixed
    assert takes == list(plan_mixes(voices, music, "voice-mix", 3))
    assert len({take.name for take in takes}) == len(takes)


def test_all_of_a_voice_is_mixed_and_music_goes_on_after_it() -> None:
    music = [layer("long", "train", "rock", 60.0), layer("short", "train", "chip", 25.0)]
    takes = list(plan_mixes([layer("a", "train", "voice", 200.0)], music, "voice-mix", 2))
    parts = [take.voice for take in takes if take.voice]
    assert sum(part.seconds for part in parts) == pytest.approx(2 * 200.0, abs=8.0)
    for take, part in zip(takes, parts, strict=True):
        assert take.music is not None
        end = part.seconds / take.draw.speed + LEAD
        assert take.music.seconds == pytest.approx(end + LEAD)
        assert take.music.start + take.music.seconds <= {"long": 60, "short": 25}[take.music.name]
        assert all(0 <= first < last <= end + 1e-9 for first, last in take.sung())


def test_music_is_dealt_evenly_by_kind() -> None:
    music = [layer(f"rock{k}", "train", "rock") for k in range(9)] + [layer("c", "train", "chip")]
    dealt = deal_music(music, 1)
    kinds = [next(dealt).kind for _ in range(20)]
    assert kinds.count("chip") == 10


def test_only_voices_of_the_training_split_are_changed_alone() -> None:
    takes = list(plan_alone([layer("a", "train", "voice"), layer("b", "valid", "voice")], 2))
    assert [take.name for take in takes] == ["voice_a", "voice_a_0", "voice_a_1", "voice_b"]


def write_corpus(folder: Path) -> None:
    """A corpus of one solo voice, which sings from 2 to 5 s."""
    write_tone(folder / "audio/makam_x_1.flac", 300.0, 6.0)
    for name in ("labels", "filelists"):
        (folder / name).mkdir()
    (folder / "labels/makam_x_1.lab").write_text("0 2 nosing\n2 5 sing\n5 6 nosing\n")
    (folder / "filelists/train").write_text("makam_x_1.flac\n")
    (folder / "filelists/valid").write_text("")


def test_the_corpus_that_is_built_can_be_trained_on(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_apt(tmp_path / "bin", archive, monkeypatch)
    one = tmp_path / "tree/usr/share/game/one.flac"
    piece = dataclasses.replace(PIECE, size=one.stat().st_size, sha256=file_hash(one)[:16])
    lost = dataclasses.replace(piece, name="rock_lost", file="lost.flac")
    spoken = dataclasses.replace(ORIGIN, artist="A. Speaker")
    speaker = Speaker("speech_xx", spoken, "*.flac", (), 1, 1)
    listing = Listing((piece, lost), (speaker,), (Voices("makam_*", "voice", "", "CC0-1.0"),))
    write_corpus(tmp_path / "given")
    out = tmp_path / "out"
    missing = build_corpus(listing, out, None, [tmp_path / "given"], mixes=1)
    assert missing == ["rock_lost: game-music has no lost.flac; another version?"]
    corpus = read_corpus(out / "manifest.csv")
    kinds = {row["kind"] for row in csv.DictReader((out / "manifest.csv").open())}
    assert kinds == {"rock", "speech", "voice", "voice-mix", "speech-mix"}
    (voice,) = [r for r in corpus.recordings if r.path.stem == "voice_makam_x_1"]
    assert [(s.start, s.end, corpus.classes[s.label]) for s in voice.segments] == [
        (0.0, 2.0, "nosing"), (2.0, 5.0, "sing"), (5.0, 6.0, "nosing"),
    ]  # fmt: skip
    sung = [row for row in csv.DictReader((out / "draws.csv").open()) if row["kind"] == "voice-mix"]
    assert [float(row["sung"]) for row in sung] == [
        pytest.approx(3.0 / float(row["speed"]), abs=0.01) for row in sung
    ]
    assert "| rock | 0.01 h |" in (out / "hours.md").read_text()
    assert "A. Composer" in (out / "SOURCES.md").read_text()
    made = {path: path.stat().st_mtime_ns for path in (out / "audio").iterdir()}
    assert build_corpus(listing, out, None, [tmp_path / "given"], mixes=1) == missing
    assert made == {path: path.stat().st_mtime_ns for path in (out / "audio").iterdir()}
