"""Prepares a command's environment: standard streams, warnings, cache folders.

Containers, schedulers and notebooks may close streams, have no home or a read-only one, or have
settings of other programs. A run writes the same files there, or reports in one line why not.
"""

from __future__ import annotations

import atexit
import io
import logging
import os
import shutil
import stat
import sys
import tempfile
import warnings
from pathlib import Path

from ganexplain.errors import UsageError

NARROWEST = 20  # columns of the narrowest terminal for help and tables


def prepare_process() -> None:
    """Prepare the process of a command, before anything is read, imported or printed."""
    repair_streams()
    disarm_warnings()
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) < NARROWEST:
        del os.environ["COLUMNS"]  # 0 in some containers, where help would be empty


def repair_streams() -> None:
    """Open closed standard streams, and make all accept any character of a file's name.

    Otherwise the next opened file would be number 2, and libraries would print into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number, which is this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_unwritable_output() -> None:
    """Discard output that the standard streams cannot write; Python would try it again at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except ValueError:  # it is closed
            pass


def disarm_warnings() -> None:
    """Keep warnings of libraries from ending a run, for PYTHONWARNINGS=error is set for tests."""
    if any(option.split(":")[0].strip() == "error" for option in sys.warnoptions):
        os.environ.pop("PYTHONWARNINGS", None)  # for processes started from this one
        sys.warnoptions.clear()
        warnings.resetwarnings()


# --- folders ------------------------------------------------------------------------------


def check_current_folder() -> None:
    """Raise UsageError if the current folder does not exist any more."""
    try:
        Path.cwd()
    except OSError as error:
        raise UsageError(
            f"the current folder cannot be found ({error.strerror}); go to another"
        ) from error


def user_cache() -> Path:
    """`ganexplain` in the user's cache directory, or a temporary folder.

    A temporary folder is used if there is no home (a container's user without a name) or it cannot
    be written. Raises UsageError if no folder can be written.
    """
    named = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = (Path(named) if named else Path.home() / ".cache") / "ganexplain"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return _temporary_cache()
    return folder if os.access(folder, os.W_OK) else _temporary_cache()


def _temporary_cache() -> Path:
    """A temporary folder that only this user can write, the same in each run if possible."""
    try:
        base = Path(tempfile.gettempdir())
        folder = base / f"ganexplain-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if _is_own(folder):
            return folder
        apart = tempfile.mkdtemp(prefix="ganexplain-")
    except OSError as error:
        raise UsageError(
            "no folder for cached files can be written: name one by XDG_CACHE_HOME or TMPDIR"
        ) from error
    atexit.register(shutil.rmtree, apart, ignore_errors=True)
    return Path(apart)


def _is_own(folder: Path) -> bool:
    """Whether a folder belongs to this user and nobody else can write it, as an attacker could."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or not os.access(folder, os.W_OK):
        return False
    return not hasattr(os, "getuid") or (
        status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def set_cache_dirs() -> None:
    """Point the caches of Numba and Matplotlib to `user_cache`, unless the user has set them.

    Otherwise Numba writes beside its source and Matplotlib into the home directory. Matplotlib is
    also set to draw into files, without a window system.
    """
    for variable, name in (("NUMBA_CACHE_DIR", "numba"), ("MPLCONFIGDIR", "matplotlib")):
        if not os.environ.get(variable):
            os.environ[variable] = str(user_cache() / name)
    os.environ["MPLBACKEND"] = "agg"
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns about the user's settings
