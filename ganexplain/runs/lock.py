"""Locks the directory of a run, and clears it so that a killed run is recognised.

The lock is on the log file of a run, and ends with the process.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.atomic import UNFINISHED, read_json, try_lock

KEPT_FOR_RESUME = ("parts", "training.pt")  # of a run directory
RECORDS = ("config.toml", "log.txt", "metrics.jsonl", "plan.json", "mixtures.pt")


def directory_entries(path: Path) -> list[Path]:
    """Entries of the directory, without temporary files."""
    found = list(path.iterdir()) if path.is_dir() else []
    return [entry for entry in found if not entry.name.endswith(UNFINISHED)]


def run_records(path: Path) -> list[Path]:
    """The `run.json` files of a directory, one for each share."""
    return sorted(path.glob("run*.json"))


def has_only_start_files(entries: Iterable[Path]) -> bool:
    """Whether these are only files that a run writes before all else."""
    return all(e.name in ("config.toml", "log.txt") or _is_log_of_share(e) for e in entries)


def has_run_of(path: Path, stage: str) -> bool:
    """Whether a directory has records of a stage, which --overwrite would delete."""
    return any(read_json(run).get("stage", stage) == stage for run in run_records(path))


def contains_results(path: Path, stage: str) -> bool:
    """Whether a directory contains more than records of runs that ended without a result.

    A run that failed, was interrupted or was killed leaves records. A failed run that cannot be
    resumed also lists files as `left`, which are not results; the corrected command may overwrite
    them.
    """
    runs = run_records(path)
    documents = [read_json(run) for run in runs]
    ended = ("failed", "interrupted", "running")  # of a killed run
    if not runs or any(document.get("state") not in ended for document in documents):
        return True
    lists = [found.get("left") for found in documents if found.get("stage") == stage]
    left = {name for names in lists if isinstance(names, list) for name in map(str, names)}
    return not left.issuperset(map(str, result_files(path)))


def way_on(path: Path, resumable: bool) -> str:
    """The advice for a directory with results, or with work that a `resumable` stage continues."""
    kept = (path / "config.toml").is_file() and any((path / n).exists() for n in KEPT_FOR_RESUME)
    ended = all(read_json(run).get("state") == "done" for run in run_records(path))
    if resumable and kept and not ended:
        return "--resume to continue, or --overwrite to start again"
    return "add --overwrite or name another"


def check_new(path: Path, stage: str, resumable: bool) -> None:
    """Raise UsageError if a directory contains the results of an earlier run."""
    if directory_entries(path) and contains_results(path, stage):
        raise UsageError(f"--out {path}: not empty; {way_on(path, resumable)}")


def result_files(path: Path) -> list[Path]:
    """The files of a run that are not records, relative to its directory."""
    files = (file for file in path.rglob("*") if file.is_symlink() or not file.is_dir())
    below = (f.relative_to(path) for f in files if not f.name.endswith(UNFINISHED))
    return sorted(file for file in below if not _is_record(file))


def _is_record(file: Path) -> bool:
    """Whether a file, relative to a run's directory, is a record of the run and not a result."""
    if file.parts[0] == "tensorboard":
        return True
    of_share = file.match("run*.json") or _is_log_of_share(file)
    return len(file.parts) == 1 and (file.name in RECORDS or of_share)


def create_directory(path: Path) -> None:
    """Create the directory of a run; UsageError if that is not possible."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"--out {path}: is a file; name a directory")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {path}: cannot be created ({error.strerror})") from error


def check_creatable(path: Path) -> None:
    """Raise the errors of `create_directory`, and leave nothing there that was not."""
    absent = [each for each in (path, *path.parents) if not each.exists()]
    try:
        create_directory(path)
    finally:
        for each in absent:
            with suppress(OSError):  # was not created, or another run has begun there
                each.rmdir()


def lock_directory(log_file: Path, stack: ExitStack) -> None:
    """Lock the log of a run until `stack` is closed; UsageError if another run has the directory.

    Shares can run at the same time, but not together with a run of the whole.
    """
    path, share = log_file.parent, _is_log_of_share(log_file)
    try:
        free = try_lock(stack.enter_context(log_file.open("a"))) is not False
        logs = {log for log in path.glob("log*.txt") if not (share and _is_log_of_share(log))}
        for log in logs - {log_file}:
            with log.open("a") as stream:
                free = free and try_lock(stream) is not False
    except OSError as error:
        raise GanexplainError(f"{log_file}: {error.strerror}; name another --out") from error
    if not free:
        raise UsageError(
            f"--out {path}: another run is writing there; wait for it, or name another"
        )


def clear_directory(log_file: Path) -> None:
    """Delete files of an earlier run, and empty its log, which is locked.

    The settings are deleted first, so that the run cannot be resumed, and the records last, so that
    it stays recognisable. The directory, which may be a link, stays.
    """
    path = log_file.parent
    runs = run_records(path)

    def turn(entry: Path) -> int:
        return 0 if entry.name == "config.toml" else 2 if entry in runs else 1

    for entry in sorted(path.iterdir(), key=turn):
        if entry == log_file:
            os.truncate(entry, 0)
        elif entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _is_log_of_share(path: Path) -> bool:
    return path.name.startswith("log-") and path.suffix == ".txt"
