"""What must hold of a run directory after any fault."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from pathlib import Path

import numpy as np
import soundfile as sf
from PIL import Image

from ganexplain.errors import GanexplainError
from ganexplain.files.atomic import UNFINISHED, try_lock
from ganexplain.stages.rerun import compare_runs, read_any


def broken_features(cache: Path) -> list[str]:
    """What of ours in the cache directory is not whole; libraries have theirs below it."""
    return broken_files(cache / "ganexplain", "*.npy")


def broken_files(folder: Path, pattern: str = "**/*") -> list[str]:
    """What under a final name is not whole, file by file with the reason."""
    return [
        f"{path}: {type(error).__name__}: {error}"
        for path in sorted(folder.glob(pattern))
        if path.is_file() and not path.name.endswith(UNFINISHED)
        for error in [_error_of(path)]
        if error is not None
    ]


def _error_of(path: Path) -> Exception | None:
    try:
        _read(path)
    except (GanexplainError, ValueError, OSError, sf.LibsndfileError, SyntaxError) as error:
        return error
    return None


def _read(path: Path) -> None:
    kind = path.suffix
    if kind in (".npz", ".pt", ".json"):
        read_any(path)
    elif kind == ".npy":
        np.load(path, allow_pickle=False)
    elif kind == ".toml":
        tomllib.loads(path.read_text())
    elif kind == ".jsonl":
        for line in path.read_text().splitlines():
            json.loads(line)
    elif kind == ".csv":
        rows = list(csv.reader(io.StringIO(path.read_text())))
        if len({len(row) for row in rows}) > 1 or not path.read_text().endswith("\n"):
            raise ValueError("rows of several lengths")
    elif kind == ".html":
        if not path.read_text().rstrip().endswith("</html>"):
            raise ValueError("cut off")
    elif kind == ".png":
        with Image.open(path) as picture:
            picture.load()
    elif kind == ".flac":
        if not len(sf.read(path)[0]):
            raise ValueError("no sound")
    elif kind == ".md":
        if not path.read_text().endswith("\n"):
            raise ValueError("cut off")
    elif kind not in (".txt", ".lab") and "tfevents" not in path.name:
        raise ValueError("a file of a kind that nobody writes")


def left_over(*folders: Path) -> list[str]:
    """Unfinished files, wherever they are."""
    return [str(path) for folder in folders for path in folder.rglob(f"*{UNFINISHED}")]


def is_locked(run: Path) -> bool:
    """Whether some process holds the run."""
    for log in run.glob("log*.txt"):
        with log.open() as stream:
            if try_lock(stream) is False:
                return True
    return False


def unequal(run: Path, wanted: Path) -> list[str]:
    """Artifacts that are not those of the other run, with what differs."""
    found = compare_runs(run, wanted)
    return [f"{name}: {each}" for name, each in found.items() if each.in_words() != "equal"]
