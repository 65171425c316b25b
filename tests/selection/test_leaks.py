"""Recordings of a test that real excerpts were searched in are found by their content."""

from __future__ import annotations

from pathlib import Path

from support.recordings import JamendoFolder, song

from ganexplain.corpora.load import open_corpus
from ganexplain.selection.leaks import Use, held_out, leak_notes


def test_a_copy_of_a_training_recording_is_named(jamendo: JamendoFolder, tmp_path: Path) -> None:
    other = JamendoFolder(tmp_path / "other")
    other.add("test", "copy.wav", song(0))  # as one.wav of the training split
    other.add("test", "new.wav", song(7))  # as long, so that the contents decide
    other.add("valid", "three.wav", song(2))  # of the validation split there
    other.add("train", "more.wav", song(8))
    corpus, use = (
        open_corpus([str(other.root)]),
        Use("the search", (str(jamendo.root),), ("train",)),
    )
    (note,) = leak_notes(held_out(corpus, "test+valid"), use)
    assert note.startswith("1 of 2 files are also in") and "(copy.wav)" in note
    assert leak_notes(held_out(corpus, "valid"), use) == []
    own = open_corpus(use.corpora)
    assert leak_notes(held_out(own, "test"), use) == []


def test_a_corpus_that_cannot_be_known_or_read_is_named(jamendo: JamendoFolder) -> None:
    tested = open_corpus([str(jamendo.root)]).split("test")
    (unrecorded,) = leak_notes(tested, Use("the GAN", ()))
    assert "whether the GAN had files that are tested here" in unrecorded
    assert unrecorded.endswith("its corpus is not on record")
    (unread,) = leak_notes(tested, Use("the GAN", ("nowhere", str(jamendo.root))))
    assert "cannot be read (nowhere: no such corpus" in unread
