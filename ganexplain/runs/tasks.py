"""A task in whichever process does it: the work is prepared once a process, and done by names.

Tasks and the arguments of the work are names, numbers and settings, no large arrays: what a task
makes is a whole file in the run directory, so it does not matter where, when or how often it is
done. Before it writes, it calls `advance(0)`, which raises if the command has ended.
"""

from __future__ import annotations

import logging
import os
import pickle
import platform
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganexplain.errors import GanexplainError, is_out_of_memory
from ganexplain.files.atomic import file_hash
from ganexplain.runs.machine import hide_library_warnings, keep_freed_memory
from ganexplain.runs.progress import LOGGER
from ganexplain.runs.record import library_versions
from ganexplain.version import __version__

Advance = Callable[[int], None]
Work = Callable[[Any, Advance], None]
Prepare = Callable[..., Work]
SETTINGS = "config.toml"  # of a run directory, by which a worker recognises it
NUMERIC = ("torch", "numpy")  # on whose versions the last bits of results depend


def own_versions() -> dict[str, str]:
    """Versions that must be the same in all processes, for results that are equal."""
    found = {name: library_versions()[name] for name in NUMERIC}
    python = ".".join(platform.python_version_tuple()[:2])
    return {"ganexplain": __version__, "python": python, **found}


@dataclass(frozen=True)
class Job:
    """What tasks are done with: `prepare(*arguments)`, pickled, and where the command runs.

    `key` is of this job alone: files of the same names may be others in the next one. `folder` is
    the current folder, to which names are relative, `out` the run directory, or None, and
    `settings` the hash of its settings.
    """

    key: str
    pickled: bytes
    host: str
    process: int
    folder: str
    out: str | None
    settings: str
    versions: Mapping[str, str]

    @classmethod
    def of(cls, prepare: Prepare, arguments: tuple[Any, ...], out: Path | None) -> Job:
        """The job of this process."""
        return cls(
            key=secrets.token_hex(16),
            pickled=pickle.dumps((prepare, arguments)),
            host=socket.gethostname(),
            process=os.getpid(),
            folder=str(Path.cwd()),
            out=str(out.resolve()) if out else None,
            settings=file_hash(out / SETTINGS) if out else "",
            versions=own_versions(),
        )

    @property
    def is_here(self) -> bool:
        """Whether this process is the one of the command."""
        return (self.host, self.process) == (socket.gethostname(), os.getpid())


_one_at_a_time = threading.Lock()  # networks and torch's settings belong to the process
_prepared: tuple[str, Work] | None = None  # of the job that was done last, by its key


def do_task(
    job: Job, number: int, task: Any, report: Callable[[int, int], None] | None = None
) -> int:
    """Do a task; returns its units, which `report` gets with its number while it runs.

    A thread does it alone in its process. Raises the errors of the work, GanexplainError if the
    worker has other versions or does not see the run directory.
    """
    units = 0

    def advance(more: int) -> None:
        nonlocal units
        units += more
        if report:
            report(number, more)

    with _one_at_a_time:
        try:
            _work_of(job)(task, advance)
        except Exception as error:
            sendable = _sendable(error)
            if sendable is error:
                raise
            raise sendable from error
    return units


def _work_of(job: Job) -> Work:
    """The work of a job, prepared if the last one in this process was another."""
    global _prepared
    if not job.is_here:
        _check_versions(job)
        _enter_folder(job)
    if _prepared is None or _prepared[0] != job.key:
        _prepared = None  # frees its networks first
        if not job.is_here:
            _set_up_process()
        prepare, arguments = pickle.loads(job.pickled)
        _prepared = job.key, prepare(*arguments)
    return _prepared[1]


def _check_versions(job: Job) -> None:
    own = own_versions()
    for name, wanted in job.versions.items():
        if own.get(name) != wanted:
            raise GanexplainError(
                f"worker on {socket.gethostname()}: has {name} {own.get(name)}, this command "
                f"{wanted}; install the same there"
            )


def _enter_folder(job: Job) -> None:
    """Change to the folder of the command; GanexplainError where its disk is not shared."""
    where = f"worker on {socket.gethostname()}"
    try:
        os.chdir(job.folder)
    except OSError as error:
        raise GanexplainError(
            f"{where}: {job.folder}: {error.strerror}; start the command in a folder on a disk "
            "that all machines share"
        ) from error
    settings = Path(job.out or "") / SETTINGS
    if job.out and not (settings.is_file() and file_hash(settings) == job.settings):
        raise GanexplainError(
            f"{where}: {job.out} is not the run directory of this command there; name one on a "
            "disk that all machines share"
        )


def _set_up_process() -> None:
    """Settings of a process that does nothing but tasks."""
    import torch

    if not LOGGER.handlers:
        LOGGER.addHandler(logging.NullHandler())  # the command has logged the same warnings
    torch.set_num_threads(1)
    keep_freed_memory()
    hide_library_warnings()


def _sendable(error: Exception) -> Exception:
    """The error to send to the command, where its causes do not arrive."""
    return MemoryError(str(error)) if is_out_of_memory(error) else error
