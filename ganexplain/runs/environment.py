"""What a command makes of the environment it is started in: streams, warnings, cache folders.

Containers, schedulers and notebooks close streams, set no home, mount it read-only, or bring
settings of other programs along. A run gives the same files there, or says in one line why not.
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

NARROWEST = 20  # columns of a terminal that help and tables are fitted to


def prepare_process() -> None:
    """Prepare the process of a command, before anything is read, imported or printed."""
    repair_streams()
    disarm_warnings()
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) < NARROWEST:
        del os.environ["COLUMNS"]  # 0 in some containers, and help would then be empty


def repair_streams() -> None:
    """Give closed standard streams a place, and let no character of a name stop their text.

    Else the next file opened becomes number 2, and what libraries print would go into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_unwritable_output() -> None:
    """Drop what standard streams cannot write, which Python would try again at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except ValueError:  # it is closed
            pass


def disarm_warnings() -> None:
    """Let warnings of libraries end no run: PYTHONWARNINGS=error is for those who test them."""
    if any(option.split(":")[0].strip() == "error" for option in sys.warnoptions):
        os.environ.pop("PYTHONWARNINGS", None)  # nor in processes started from here
        sys.warnoptions.clear()
        warnings.resetwarnings()


# --- folders ------------------------------------------------------------------------------


def check_current_folder() -> None:
    """UsageError where the folder that the command is started in is gone."""
    try:
        Path.cwd()
    except OSError as error:
        raise UsageError(
            f"the current folder cannot be found ({error.strerror}); go to another"
        ) from error


def user_cache() -> Path:
    """`ganexplain` under the user's cache directory, or a folder for temporary files.

    The latter where there is no home (a container's user without a name) or it cannot be written.
    Raises UsageError where no folder can be written at all.
    """
    named = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = (Path(named) if named else Path.home() / ".cache") / "ganexplain"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return _temporary_cache()
    return folder if os.access(folder, os.W_OK) else _temporary_cache()


def _temporary_cache() -> Path:
    """A folder that only this user can write, kept between runs where the system keeps it."""
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
    """Whether a folder is this user's, and no other's to write: it may be another's trap."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or not os.access(folder, os.W_OK):
        return False
    return not hasattr(os, "getuid") or (
        status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def set_cache_dirs() -> None:
    """Have libraries keep what they cache with ours, unless the user has said where.

    Else Numba writes beside the code it has compiled, and Matplotlib into the home directory.
    Matplotlib draws into files, whatever window system it is set up for.
    """
    for variable, name in (("NUMBA_CACHE_DIR", "numba"), ("MPLCONFIGDIR", "matplotlib")):
        if not os.environ.get(variable):
            os.environ[variable] = str(user_cache() / name)
    os.environ["MPLBACKEND"] = "agg"
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # the user's settings are not ours
