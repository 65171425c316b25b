"""The parts of a run, and the folder with the file of each until all are done."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ganexplain.runs.progress import Progress

Part = TypeVar("Part")

PARTS_FOLDER = "parts"  # of a run directory


@dataclass(frozen=True)
class FilePart:
    """Some of the files that a run reads; `first` is the number of the first."""

    first: int
    files: tuple[Path, ...]

    @classmethod
    def all_of(cls, files: Sequence[Path], size: int) -> list[FilePart]:
        """The parts of all files, of at most `size` each."""
        starts = range(0, len(files), size)
        return [cls(first, tuple(files[first : first + size])) for first in starts]

    def path(self, out: Path) -> Path:
        """The path of its file below the run directory."""
        return out / PARTS_FOLDER / f"{self.first:06d}.json"


def parts_to_do(
    parts: Sequence[Part], is_done: Callable[[Part], bool], progress: Progress
) -> list[Part]:
    """The parts that are not done yet; a note says how many were."""
    todo = [part for part in parts if not is_done(part)]
    if len(todo) < len(parts):
        progress.note(f"{len(parts) - len(todo)} of {len(parts)} parts were done before")
    return todo


def remove_parts(out: Path) -> None:
    """Delete the parts of a run that has used them."""
    shutil.rmtree(out / PARTS_FOLDER, ignore_errors=True)
