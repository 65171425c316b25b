"""Recordings of a test that a network or a search has met, by the contents of their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ganexplain.artifacts.prediction import NOT_HELD_OUT
from ganexplain.corpora.interfaces import AnyCorpus
from ganexplain.corpora.load import open_corpus
from ganexplain.errors import GanexplainError
from ganexplain.files.atomic import file_hash
from ganexplain.runs.inputs import Recording


@dataclass(frozen=True)
class Use:
    """The `splits` of `corpora` that were used for something; `words` name it.

    `corpora` are as typed then, and empty where they are not known: `unknown` says why. `unread` is
    said in place of the errors where they cannot be read.
    """

    words: str
    corpora: tuple[str, ...]
    splits: tuple[str, ...] = ("train", "valid")
    unknown: str = "the corpus is not on record"
    unread: str = ""


def copies(recordings: Sequence[Recording], others: Sequence[Recording]) -> list[Recording]:
    """Those of some recordings whose files have the contents of others'."""
    sizes = {other.path.stat().st_size for other in others}
    alike = [each for each in recordings if each.path.stat().st_size in sizes]
    own = {each.path.stat().st_size for each in alike}
    contents = {file_hash(each.path) for each in others if each.path.stat().st_size in own}
    return [each for each in alike if file_hash(each.path) in contents]


def leak_notes(
    tested: Sequence[Recording], uses: Sequence[Use], skip_bad_files: bool = False
) -> list[str]:
    """What to say of tested recordings that were used already, or of which that is not known."""

    @cache
    def opened(name: str) -> AnyCorpus:
        return open_corpus([name], skip_bad_files)

    @cache  # uses often have the same corpora
    def copied(name: str, split: str) -> list[Recording]:
        return copies(tested, opened(name).split(split))

    notes = []
    unknown: dict[str, list[str]] = {}  # the words of uses by the reason why they are not known
    for use in uses if tested else ():
        if not use.corpora:
            unknown.setdefault(use.unknown, []).append(use.words)
        unread = []
        for name in use.corpora:
            try:
                met = [each for split in use.splits for each in copied(name, split)]
            except (GanexplainError, OSError) as error:
                unread.append(str(error).partition(";")[0])  # what to do about it is no use here
                continue
            if found := [each for each in tested if each in met]:
                notes.append(_copies_note(found, len(tested), name, use))
        if unread:
            corpora = "corpus" if len(unread) == 1 else "corpora"
            why = use.unread or f"the {corpora} cannot be read ({', '.join(unread)})"
            unknown.setdefault(why, []).append(use.words)
    return notes + [
        f"it is not known whether {' and '.join(words)} had files that are tested here: {why}"
        for why, words in unknown.items()
    ]


def _copies_note(found: Sequence[Recording], tested: int, name: str, use: Use) -> str:
    first, more = found[0].path.name, len(found) - 1
    return (
        f"{len(found)} of {tested} {'files' if tested > 1 else 'file'} of the split test "
        f"{'are' if len(found) > 1 else 'is'} also in {name}, split {' or '.join(use.splits)}, "
        f"which {use.words} had ({first}{f' and {more} more' if more else ''}): {NOT_HELD_OUT}"
    )


def held_out(corpus: AnyCorpus, split: str) -> Sequence[Recording]:
    """The recordings of splits, as in `valid+test`, that training and selection leave out."""
    return corpus.split("test") if "test" in split.split("+") else []
