"""The command line as tests run it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

COMMAND = (sys.executable, "-m", "ganexplain")


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    def error_line(self) -> str:
        """The message of a run that wrote exactly one line to stderr, an error."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), self.err
        return lines[0].removeprefix("error: ")


def cli_environment(cache: Path) -> dict[str, str]:
    """The environment of a command: one thread, a cache of its own, plain text."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(cache),
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }


def finished_process(
    words: Sequence[str | Path],
    cache: Path,
    environment: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
) -> Finished:
    """How the command line ends in a process of its own; `before` is called there first."""
    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**cli_environment(cache), **(environment or {})},
        preexec_fn=before,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def status_here(words: Sequence[str | Path], cache: Path) -> int:
    """The exit status of the command line, run in this process."""
    from ganexplain.cli.app import command_line

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ganexplain", *map(str, words)])
        for name, value in cli_environment(cache).items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            command_line()
    return int(ended.value.code or 0)


def finished_here(words: Sequence[str | Path], cache: Path) -> Finished:
    """How the command line ends in this process: the same words and status as a process, sooner."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = status_here(words, cache)
    return Finished(code, out.getvalue(), err.getvalue())


def torchrun_sets(monkeypatch: pytest.MonkeyPatch, rank: int, world: int) -> None:
    """The environment of one of the processes that torchrun starts."""
    values = {"RANK": rank, "WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 29500}
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))


Run = Callable[..., Finished]


def wait_for(path: Path, process: subprocess.Popen[str], since: float = 0) -> None:
    """Until the file is there, written after `since` (seconds of the epoch)."""
    deadline = time.monotonic() + 300  # of a busy machine
    while time.monotonic() < deadline:
        if path.is_file() and path.stat().st_mtime >= since:
            return
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.02)
