"""The command in processes that can be hit: signals, limits, a small disk of its own."""

from __future__ import annotations

import ctypes
import os
import pickle
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ganexplain.cli.app import main
from ganexplain.config import STAGES

for _, stage in STAGES.values():  # all is imported once, by the process that is forked
    import_module(f"ganexplain.stages.{stage.split(':')[0]}")

HANG = 300.0  # s after which a command counts as hung


@dataclass
class Running:
    """A command at work in a process of its own; `said` is what it wrote to stdout and stderr."""

    pid: int
    said_in: Path
    status: int | None = None

    def hit(self, number: int) -> None:
        """Send a signal where it still runs."""
        if not self.ended():
            os.kill(self.pid, number)

    def ended(self) -> bool:
        """Whether it is over."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def wait(self, seconds: float = HANG) -> int | None:
        """Its exit status, a signal as a negative number; None where it hangs, and is killed."""
        until = time.monotonic() + seconds
        while not self.ended() and time.monotonic() < until:
            time.sleep(0.005)
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            return None
        return self.status

    @property
    def said(self) -> str:
        """All it wrote."""
        return self.said_in.read_text(errors="replace")


def start(
    words: Sequence[str],
    folder: Path,
    said_in: Path,
    environment: dict[str, str],
    afresh: bool = False,
    memory: int = 0,
    file_size: int = 0,
) -> Running:
    """Start `ganexplain WORDS` in a folder: in a fork of this process, which has all imported.

    With `afresh` in a new interpreter, which imports under fire. `memory` bytes of address space
    beyond what there is now, files of at most `file_size` bytes; 0: no limit.
    """
    pid = os.fork()
    if pid:
        return Running(pid, said_in)
    code = 70
    try:
        os.chdir(folder)
        os.environ.update(environment)
        handle = os.open(said_in, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if file_size:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
        if memory:
            taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (taken + memory, taken + memory))
        if afresh:
            os.execv(sys.executable, [sys.executable, "-m", "ganexplain", *words])
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = ["ganexplain", *words]
        main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
    except KeyboardInterrupt:  # before the command began: as the interpreter ends then
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


# --- a disk of its own ------------------------------------------------------------------------

NEW_USER, NEW_MOUNTS = 0x10000000, 0x00020000
RECURSIVE, PRIVATE, REMOUNT, READ_ONLY = 0x4000, 1 << 18, 32, 1


def mount(path: Path, kilobytes: int, again: bool = False, read_only: bool = False) -> None:
    """Mount a tmpfs of that size, or change the one there."""
    flags = (REMOUNT if again else 0) | (READ_ONLY if read_only else 0)
    _called("mount", b"tmpfs", os.fsencode(path), b"tmpfs", flags, b"size=%dk" % kilobytes)


def _called(name: str, *arguments: Any) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def with_own_mounts(work: Callable[..., Any], *arguments: Any) -> Any:
    """What `work` gives in a fork of this process whose mounts nobody else sees.

    Raises OSError where the system does not let processes have their own.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            user, group = os.getuid(), os.getgid()
            _called("unshare", NEW_USER | NEW_MOUNTS)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1")
            _called("mount", None, b"/", None, RECURSIVE | PRIVATE, None)
            found: Any = work(*arguments)
        except BaseException as error:
            found = error
        with os.fdopen(writer, "wb") as stream:
            pickle.dump(found, stream)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        found = pickle.load(stream)
    os.waitpid(pid, 0)
    if isinstance(found, BaseException):
        raise found
    return found


def mounts_allowed(folder: Path) -> bool:
    """Whether a process may have mounts of its own here."""
    try:
        with_own_mounts(mount, folder, 16)
    except OSError:
        return False
    return True
