"""The parts of a run, and the folder with the file of each until all are done."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ganexplain.runs.progress import Progress

Part = TypeVar("Part")

PARTS_FOLDER = "parts"  # of a run directory


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
