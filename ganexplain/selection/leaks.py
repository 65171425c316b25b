"""Recordings of a test that a network or a search has met, by the contents of their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ganexplain.corpora.interfaces import AnyCorpus
from ganexplain.corpora.load import open_corpus
from ganexplain.errors import GanexplainError
from ganexplain.files.atomic import file_hash
from ganexplain.runs.inputs import Recording


@dataclass(frozen=True)
class Use:
    """The `splits` of `corpora` that were used for something; `words` name it.

    `corpora` are as typed then, and empty where they are not known.
    """

    words: str
    corpora: tuple[str, ...]
    splits: tuple[str, ...] = ("train", "valid")


def copies(recordings: Sequence[Recording], others: Sequence[Recording]) -> list[Recording]:
    """Those of some recordings whose files have the contents of others'."""
    sizes = {other.path.stat().st_size for other in others}
    alike = [each for each in recordings if each.path.stat().st_size in sizes]
    own = {each.path.stat().st_size for each in alike}
    contents = {file_hash(each.path) for each in others if each.path.stat().st_size in own}
    return [each for each in alike if file_hash(each.path) in contents]


def leak_notes(tested: Sequence[Recording], use: Use, skip_bad_files: bool = False) -> list[str]:
    """What to say of tested recordings that were used already, or of which that is not known."""
    if not tested:
        return []
    unknown = f"it is not known whether {use.words} had files that are tested here"
    if not use.corpora:
        return [f"{unknown}: its corpus is not on record"]
    notes = []
    for name in use.corpora:
        try:
            corpus = open_corpus([name], skip_bad_files)
            found = copies(tested, [each for split in use.splits for each in corpus.split(split)])
        except (GanexplainError, OSError) as error:
            notes.append(f"{unknown}: its corpus cannot be read ({error})")
            continue
        if found:
            first, more = found[0].path.name, len(found) - 1
            notes.append(
                f"{len(found)} of {len(tested)} files are also in {name}, split "
                f"{' or '.join(use.splits)}, which {use.words} had "
                f"({first}{f' and {more} more' if more else ''}): they are not held out"
            )
    return notes


def held_out(corpus: AnyCorpus, split: str) -> Sequence[Recording]:
    """The recordings of splits, as in `valid+test`, that training and selection leave out."""
    return corpus.split("test") if "test" in split.split("+") else []
