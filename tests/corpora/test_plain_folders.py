"""Folders of recordings without labels."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from support.commands import Run
from support.recordings import JamendoFolder, noise, write_sound

from ganexplain.corpora.load import open_corpus
from ganexplain.errors import BadFile, UsageError


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Six songs in folders, with a cover, as people have them."""
    for number, name in enumerate(
        ["a/1.wav", "a/2.wav", "a/b/3.flac", "b/4.WAV", "b/5.ogg", "c.wav"]
    ):
        write_sound(tmp_path / "songs" / name, noise(0.5, seed=number))
    Image.new("L", (8, 8)).save(tmp_path / "songs" / "a" / "cover.png")
    return tmp_path / "songs"


def test_a_folder_of_songs_is_a_corpus_with_something_held_out(songs: Path) -> None:
    corpus = open_corpus([str(songs)])
    assert corpus.classes == () and corpus.has_sound
    names = {
        split: [each.path.name for each in corpus.split(split)]
        for split in ("train", "valid", "test")
    }
    assert names == {
        "train": ["1.wav", "2.wav", "4.WAV", "c.wav"],
        "valid": ["5.ogg"],
        "test": ["3.flac"],
    }
    assert all(not each.segments for each in corpus.split("train"))


@pytest.mark.parametrize("name", ["audio", "labels"])
def test_a_folder_in_it_may_have_a_name_of_the_other_layout(songs: Path, name: str) -> None:
    (songs / "a").rename(songs / name)
    corpus = open_corpus([str(songs)])
    assert sum(len(corpus.split(split)) for split in ("train", "valid", "test")) == 6


def test_no_classifier_is_trained_without_labels(command: Run, songs: Path, tmp_path: Path) -> None:
    done = command("train-classifier", songs, "--out", tmp_path / "out")
    assert done.code == 2
    assert done.error_line().startswith(f"{songs}: recordings without labels, from which nothing")


def test_a_file_that_cannot_be_decoded_is_named_or_skipped(songs: Path) -> None:
    (songs / "d.m4a").write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(64))
    with pytest.raises(BadFile, match=r"d\.m4a: is an MPEG-4 file .*; "):
        open_corpus([str(songs)])
    corpus = open_corpus([str(songs)], skip_bad_files=True)
    assert len(corpus.skipped) == 1 and "d.m4a" in corpus.skipped[0]


def test_a_single_recording_is_no_corpus(songs: Path) -> None:
    with pytest.raises(UsageError, match="a single recording; name a folder of several"):
        open_corpus([str(songs / "c.wav")])


def test_a_corpus_with_lists_is_no_plain_folder(jamendo: JamendoFolder) -> None:
    (jamendo.root / "filelists" / "train").unlink()
    with pytest.raises(UsageError, match="no such list"):
        open_corpus([str(jamendo.root)])
    (jamendo.root / "filelists").rename(jamendo.root / "lists")
    with pytest.raises(UsageError, match="no folder filelists/"):
        open_corpus([str(jamendo.root)])
