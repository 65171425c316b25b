"""Held-out recordings that are not held out: those that real excerpts were searched in."""

from __future__ import annotations

from collections.abc import Sequence

from ganexplain.corpora.interfaces import AnyCorpus
from ganexplain.corpora.load import open_corpus
from ganexplain.errors import GanexplainError
from ganexplain.files.atomic import file_hash
from ganexplain.runs.inputs import Recording


def copies(recordings: Sequence[Recording], others: Sequence[Recording]) -> list[Recording]:
    """Those of some recordings whose files have the contents of others'."""
    sizes = {other.path.stat().st_size for other in others}
    alike = [each for each in recordings if each.path.stat().st_size in sizes]
    own = {each.path.stat().st_size for each in alike}
    contents = {file_hash(each.path) for each in others if each.path.stat().st_size in own}
    return [each for each in alike if file_hash(each.path) in contents]


def leak_note(
    corpus: AnyCorpus, split: str, searched: Sequence[str], skip_bad_files: bool = False
) -> str:
    """What to say of held-out recordings that real excerpts were searched in; empty for none.

    The recordings are those of a corpus and a split, as in `valid+test`; `searched` names the
    corpora whose training split was searched.
    """
    held_out = [each for name in split.split("+") if name != "train" for each in corpus.split(name)]
    if not (held_out and searched):
        return ""
    names = " + ".join(searched)
    try:
        training = open_corpus(searched, skip_bad_files).split("train")
        found = copies(held_out, training)
    except (GanexplainError, OSError) as error:
        return (
            "it is not known whether the real excerpts are of recordings that are tested here: "
            f"their corpus cannot be read ({error})"
        )
    if not found:
        return ""
    first, more = found[0].path.name, len(found) - 1
    return (
        f"{len(found)} of {len(held_out)} recordings are also in the training split of {names}, "
        f"where the real excerpts are from ({first}{f' and {more} more' if more else ''}): they "
        "are not held out"
    )
