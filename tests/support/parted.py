"""Runs that are done in parts: stopped after the first part, resumed by threads, and compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ganexplain.runs.progress import NullProgress


class Stopped(NullProgress):
    """Ctrl-C when the first units are done and their file is written, as `parts` says."""

    def __init__(self, parts: Path) -> None:
        super().__init__()
        self.parts = parts

    def advance(self, units: int = 1, **values: float) -> None:
        if self.parts.is_dir() and any(self.parts.glob("0*")):
            raise KeyboardInterrupt


def record(run: Path) -> dict[str, Any]:
    """What `run.json` says apart from when and by which command."""
    found: dict[str, Any] = json.loads((run / "run.json").read_text().replace(str(run), "RUN"))
    return {name: found[name] for name in ("results", "warnings", "inputs", "files")}


def files_of(run: Path) -> dict[str, bytes]:
    """The files of a run that are no records, with the name of its directory left out."""
    return {
        str(path.relative_to(run)): path.read_bytes().replace(str(run).encode(), b"RUN")
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name not in ("run.json", "log.txt", "config.toml")
    }


def check_parts(stage: Callable[..., Any], config: Any, folder: Path, parts: int) -> list[str]:
    """Assert that a run of `parts` parts has the same files and record whoever does them.

    A run that is done is not done again. Returns the notes of the run that one process did.
    """
    one, two = folder / "one", folder / "two"
    alone = NullProgress()
    first = stage(config, one, alone)
    done = {path: path.read_bytes() for path in one.rglob("*") if path.is_file()}
    assert stage(config, one, again := NullProgress(), resume=True) == first
    assert again.notes[-1] == f"{one}: was done before; --overwrite computes it again"
    assert all(path.read_bytes() == data for path, data in done.items() if path.name != "log.txt")
    with pytest.raises(KeyboardInterrupt):
        stage(config, two, Stopped(two / "parts"))
    assert len(list((two / "parts").glob("0*"))) == 1
    progress = NullProgress()
    with ThreadPoolExecutor(2) as threads:
        stage(config, two, progress, resume=True, executor=threads)
    assert f"1 of {parts} parts were done before" in progress.notes
    assert [note for note in progress.notes if "done before" not in note] == alone.notes
    assert record(one) == record(two)
    assert files_of(one) == files_of(two) and not (one / "parts").exists()
    return alone.notes
