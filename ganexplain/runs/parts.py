"""The parts of a run over files, and the folder with the file of each until all are done."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

PARTS_FOLDER = "parts"  # of a run directory


@dataclass(frozen=True)
class FilePart:
    """The files `first` to before `last` of those that a run reads."""

    first: int
    last: int

    @classmethod
    def all_of(cls, count: int, size: int) -> list[FilePart]:
        """The parts of `count` files, of at most `size` each."""
        return [cls(first, min(first + size, count)) for first in range(0, count, size)]

    def path(self, out: Path) -> Path:
        """The path of its file below the run directory."""
        return out / PARTS_FOLDER / f"{self.first:06d}.json"


def remove_parts(out: Path) -> None:
    """Delete the parts of a run that has used them."""
    shutil.rmtree(out / PARTS_FOLDER, ignore_errors=True)
