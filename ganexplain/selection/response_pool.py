"""The responses to all excerpts of a split, in the files of its parts: one is read at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.interfaces import AnyCorpus, AnySplit, split_files
from ganexplain.corpora.load import load_split
from ganexplain.errors import EmptySplit, GanexplainError
from ganexplain.inputs.base import Input
from ganexplain.runs.progress import NullProgress, Progress
from ganexplain.selection.response_parts import ResponsePart, SearchSettings

ROWS = 1024  # that are computed with at once


@dataclass(frozen=True)
class Pool:
    """The responses (M, C) to the excerpts of a split; it iterates over blocks (m, C) of them.

    `lengths` are the numbers of excerpts of its parts, whose files are in `folder`.
    """

    parts: Sequence[ResponsePart]
    folder: Path
    lengths: Sequence[int]

    @classmethod
    def open(cls, parts: Sequence[ResponsePart], folder: Path, width: int) -> Pool:
        """Those of `width` columns; GanexplainError for files of another number, or none."""
        found = cls(parts, folder, [])
        lengths = [len(responses) for responses, _ in found.arrays() if responses.shape[1] == width]
        if len(lengths) < len(parts):
            raise found._foreign()
        return cls(parts, folder, lengths)

    def __len__(self) -> int:
        return sum(self.lengths)

    def __iter__(self) -> Iterator[np.ndarray]:
        for responses, _ in self.arrays():
            yield from row_blocks(responses)

    def arrays(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The responses (m, C), memory-mapped, and the centres (m, 2) of each part."""
        for part in self.parts:
            if (found := part.read(self.folder)) is None:
                raise self._foreign()
            yield found

    def files(self) -> set[int]:
        """The numbers of the files of which there are excerpts."""
        return {int(number) for _, centres in self.arrays() for number in np.unique(centres[:, 0])}

    def centres(self, rows: np.ndarray) -> np.ndarray:
        """The centres (N, 2) of rows (N,), which ascend."""
        first, found = 0, [np.empty((0, 2), dtype=np.int64)]
        for length, (_, centres) in zip(self.lengths, self.arrays(), strict=True):
            found.append(centres[rows[(rows >= first) & (rows < first + length)] - first])
            first += length
        return np.concatenate(found)

    def _foreign(self) -> GanexplainError:
        return GanexplainError(
            f"{self.folder}: the parts are not those of this corpus; remove the folder, and run "
            "the command again"
        )


def row_blocks(responses: np.ndarray) -> Iterator[np.ndarray]:
    """Blocks of rows of responses (m, C)."""
    return (responses[first : first + ROWS] for first in range(0, len(responses), ROWS))


@dataclass(frozen=True)
class SearchedSplit:
    """A split of a corpus whose excerpts are searched, of which only those wanted are read."""

    corpus: AnyCorpus
    name: str
    input_spec: Input
    config: SearchSettings

    def excerpts(self, centres: np.ndarray) -> tuple[AnySplit, np.ndarray]:
        """A split with the files of excerpts at centres (N, 2), and their centres (N, 2) in it.

        Errors as `load_split`.
        """
        files, numbers = np.unique(centres[:, 0], return_inverse=True)
        listed = split_files(self.corpus, self.name)
        corpus = self.corpus.only([listed[file] for file in files])
        cache = cache_directory(self.config.cache)
        split = load_split(corpus, self.name, self.input_spec, cache, NullProgress())
        return split, np.stack([numbers, centres[:, 1]], axis=1)

    def gather(self, centres: np.ndarray) -> np.ndarray:
        """The excerpts (N, ...) at centres (N, 2); errors as `load_split`."""
        split, own = self.excerpts(centres)
        return split.gather(own)

    def note_skipped(self, used: set[int], progress: Progress) -> None:
        """Note why files are skipped that are not used; EmptySplit if none is used."""
        listed = split_files(self.corpus, self.name)
        left = [file for number, file in enumerate(listed) if number not in used]
        if used and not left:
            return
        cache, skip = cache_directory(self.config.cache), self.config.skip_bad_files
        with suppress(EmptySplit) if used else nullcontext():
            corpus = self.corpus.only(left)
            load_split(corpus, self.name, self.input_spec, cache, progress, skip)
