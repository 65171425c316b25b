"""Recordings of a test that real excerpts were searched in are found by their content."""

from __future__ import annotations

from pathlib import Path

from support.recordings import JamendoFolder, song

from ganexplain.corpora.load import open_corpus
from ganexplain.selection.leaks import leak_note


def test_a_copy_of_a_training_recording_is_named(jamendo: JamendoFolder, tmp_path: Path) -> None:
    other = JamendoFolder(tmp_path / "other")
    other.add("test", "copy.wav", song(0))  # as one.wav of the training split
    other.add("test", "new.wav", song(7))  # as long, so that the contents decide
    other.add("valid", "three.wav", song(2))  # of the validation split there
    other.add("train", "more.wav", song(8))
    corpus, searched = open_corpus([str(other.root)]), (str(jamendo.root),)
    assert "1 of 3 recordings" in leak_note(corpus, "test+valid", searched)
    assert "(copy.wav)" in leak_note(corpus, "test", searched)
    assert leak_note(corpus, "valid", searched) == ""
    assert leak_note(corpus, "train+valid", searched) == ""
    own = open_corpus(searched)
    assert leak_note(own, "test", searched) == ""
