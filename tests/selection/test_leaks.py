"""Recordings of a test that real excerpts were searched in are found by their content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.recordings import JamendoFolder, song

from ganexplain.corpora.interfaces import AnyCorpus
from ganexplain.corpora.load import open_corpus
from ganexplain.files.shipped import is_carried, shipped
from ganexplain.selection import leaks
from ganexplain.selection.leaks import Use, held_out, leak_notes


def test_a_copy_of_a_training_recording_is_named(jamendo: JamendoFolder, tmp_path: Path) -> None:
    other = JamendoFolder(tmp_path / "other")
    other.add("test", "copy.wav", song(0))  # as one.wav of the training split
    other.add("test", "new.wav", song(7))  # as long, so that the contents decide
    other.add("valid", "three.wav", song(2))  # of the validation split there
    other.add("train", "more.wav", song(8))
    corpus = open_corpus([str(other.root)])
    use = Use("the search", (str(jamendo.root),), ("train",))
    (note,) = leak_notes(held_out(corpus, "test+valid"), [use])
    assert note.startswith("1 of 2 files of the split test is also in") and "(copy.wav)" in note
    own = open_corpus(use.corpora)
    assert leak_notes(held_out(own, "test"), [use]) == []


def test_only_the_test_split_is_held_out(jamendo: JamendoFolder) -> None:
    """All others have notes of their own."""
    corpus = open_corpus([str(jamendo.root)])
    both = Use("the network", (str(jamendo.root),))
    (note,) = leak_notes(corpus.split("valid"), [both])
    assert "split train or valid, which the network had" in note
    assert leak_notes(held_out(corpus, "valid"), [both]) == []


def test_a_corpus_of_several_uses_is_read_once(
    jamendo: JamendoFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, hashed = Counter[str](), Counter[str]()

    def opening(names: Sequence[str], skip_bad_files: bool = False) -> AnyCorpus:
        opened.update(names)
        return open_corpus(names, skip_bad_files)

    def hashing(path: Path) -> str:
        hashed[path.name] += 1
        return path.name  # no copies

    monkeypatch.setattr(leaks, "open_corpus", opening)
    monkeypatch.setattr(leaks, "file_hash", hashing)
    tested, root = open_corpus([str(jamendo.root)]).split("test"), str(jamendo.root)
    once = leak_notes(tested, [Use("the network", (root,))])
    read = dict(hashed)
    assert once == [] and read
    uses = [Use("the network", (root,)), Use("the GAN", (root,)), Use("it", (root,), ("train",))]
    hashed.clear()
    opened.clear()
    assert leak_notes(tested, uses) == []
    assert opened == {root: 1} and hashed == read


def test_a_corpus_that_cannot_be_known_or_read_is_named(jamendo: JamendoFolder) -> None:
    tested = open_corpus([str(jamendo.root)]).split("test")
    (unrecorded,) = leak_notes(tested, [Use("the GAN", ())])
    assert "whether the GAN had files that are tested here" in unrecorded
    assert unrecorded.endswith("the corpus is not on record")
    (unread,) = leak_notes(tested, [Use("the GAN", ("nowhere", str(jamendo.root)))])
    assert "the corpus cannot be read (nowhere: no such corpus" in unread
    (both,) = leak_notes(tested, [Use("the GAN", ("nowhere", "gone"))])
    assert "the corpora cannot be read (nowhere: no such corpus, gone: no such corpus)" in both


def test_uses_that_are_unknown_for_one_reason_have_one_note(jamendo: JamendoFolder) -> None:
    tested = open_corpus([str(jamendo.root)]).split("test")
    uses = [Use("the network", ("nowhere",)), Use("the GAN", ("nowhere",)), Use("it", ("gone",))]
    first, second = leak_notes(tested, uses)
    assert "whether the network and the GAN had files" in first and "(nowhere: no such" in first
    assert "whether it had files" in second and "(gone: no such" in second


def test_one_note_says_what_shipped_networks_have_learned_from(jamendo: JamendoFolder) -> None:
    tested = open_corpus([str(jamendo.root)]).split("test")
    uses = [Use(words, ("nowhere",), unread="other music") for words in ("the network", "the GAN")]
    assert leak_notes(tested, uses) == [
        "it is not known whether the network and the GAN had files that are tested here: other "
        "music"
    ]
    assert is_carried(shipped("pretrained/gan.pt")) and not is_carried(str(jamendo.root / "gan.pt"))
