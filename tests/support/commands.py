"""The command line as tests run it."""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
import typer.main

COMMAND = (sys.executable, "-m", "ganexplain")
TIMEOUT = 300  # s, of a busy machine

# The process that forked commands come from has imported these, which take most of a start. The
# package itself is imported by each command, so that it starts as it does for users.
FORKED = get_context("forkserver")
FORKED.set_forkserver_preload(
    "torch torch._dynamo scipy.fft scipy.sparse scipy.stats librosa soundfile typer rich"
    " numba matplotlib.figure matplotlib.backends.backend_agg PIL.Image".split()
)


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


@dataclass(frozen=True)
class Started:
    """A command in a process of its own, which writes to `said`.out and `said`.err."""

    process: ForkServerProcess
    said: Path

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.exitcode is None

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def error(self) -> str:
        """What it has written to stderr."""
        return self.said.with_suffix(".err").read_text()

    def finished(self) -> Finished:
        """How it ends."""
        self.process.join(TIMEOUT)
        if self.process.exitcode is None:
            self.process.kill()
            raise TimeoutError(f"after {TIMEOUT} s: {self.error()}")
        out = self.said.with_suffix(".out").read_text()
        return Finished(self.process.exitcode, out, self.error())


def start_fork(
    words: Sequence[str | Path], cache: Path, environment: Mapping[str, str] | None = None
) -> Started:
    """Start the command line in a process of its own that need not import libraries.

    Variables that Python or a library reads when it starts have no effect in `environment`,
    except PYTHONPATH.
    """
    cache.mkdir(parents=True, exist_ok=True)
    said = Path(tempfile.mkdtemp(dir=cache)) / "said"
    everything = {**cli_environment(cache), **(environment or {})}
    process = FORKED.Process(
        target=_run_fork, args=(list(map(str, words)), everything, Path.cwd(), said)
    )
    process.start()
    return Started(process, said)


def _run_fork(words: list[str], environment: dict[str, str], folder: Path, said: Path) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    for number, ending in ((1, ".out"), (2, ".err")):
        handle = os.open(said.with_suffix(ending), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    sys.argv = ["ganexplain", *words]
    from ganexplain.cli.app import main

    main()


def finished_fork(
    words: Sequence[str | Path], cache: Path, environment: Mapping[str, str] | None = None
) -> Finished:
    """How the command line ends in a process of `start_fork`."""
    return start_fork(words, cache, environment).finished()


_all_commands = cache(typer.main.get_command)  # 13 ms, for each of two thousand commands


def status_here(words: Sequence[str | Path], cache: Path) -> int:
    """The exit status of the command line, run in this process."""
    from ganexplain.cli.app import command_line

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ganexplain", *map(str, words)])
        patch.setattr(typer.main, "get_command", _all_commands)
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


def with_options(words: Sequence[str | Path], *options: str | Path) -> tuple[str | Path, ...]:
    """Words of a command, with `options` (flags and their values) in place of the same flags."""
    flags = options[::2]
    replaced = {at + i for at, word in enumerate(words) if word in flags for i in (0, 1)}
    return (*(word for at, word in enumerate(words) if at not in replaced), *options)


def torchrun_variables(rank: int, world: int) -> dict[str, str]:
    """What torchrun sets for one of the processes that it starts."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    return {"RANK": str(rank), "WORLD_SIZE": str(world), **place}


def torchrun_sets(monkeypatch: pytest.MonkeyPatch, rank: int, world: int) -> None:
    """The environment of one of the processes that torchrun starts."""
    for name, value in torchrun_variables(rank, world).items():
        monkeypatch.setenv(name, value)


Run = Callable[..., Finished]


def wait_for(path: Path, command: Started, since: float = 0) -> None:
    """Until the file is there, written after `since` (seconds of the epoch)."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if path.is_file() and path.stat().st_mtime >= since:
            return
        assert command.running(), command.error()
        time.sleep(0.02)
