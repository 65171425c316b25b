"""The record of a run that is done, the versions for a new one, and TensorBoard's files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from ganexplain.files.atomic import Document, read_json
from ganexplain.files.fields import Fields

LIBRARIES = ("torch", "numpy", "scipy", "librosa", "soundfile", "soxr")


@dataclass(frozen=True)
class FinishedRun:
    """The `run.json` at a path, whose run is done."""

    path: Path
    document: Document

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """That of a path; None if there is none, or its run is not done."""
        document = read_json(path) if path.is_file() else {}
        return cls(path, document) if document.get("state") == "done" else None

    @property
    def results(self) -> Fields:
        """What the stage has recorded."""
        return Fields(f"{self.path}: ", self.document).child("results")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was unusual; GanexplainError for anything but texts."""
        return Fields(f"{self.path}: ", self.document).texts("warnings")


def library_versions() -> dict[str, str]:
    """Versions by name of the library; `absent` if it is not installed."""
    return {name: _installed_version(name) for name in LIBRARIES}


@cache
def _installed_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def tensorboard_writer(folder: Path) -> Any:
    """A writer of TensorBoard's event files, or False if it is not installed."""
    if find_spec("tensorboard") is None:
        return False
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))
