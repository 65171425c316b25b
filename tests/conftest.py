"""What several tests share: synthesised recordings, small corpora, and the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from support.commands import COMMAND, Finished, Run, StageRun, cli_environment
from support.paths import ROOT
from support.recordings import JamendoFolder, jamendo_folder

# A shell that runs the tests in the background has Ctrl-C ignored, by the commands tested too.
signal.signal(signal.SIGINT, signal.default_int_handler)

for variable in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):  # one for all tests, whatever their cache
    os.environ.setdefault(variable, str(ROOT / ".pytest_cache" / variable.lower()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: a worker that starts one last would keep others waiting."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture
def jamendo(tmp_path: Path) -> JamendoFolder:
    """A small valid corpus of its own for the test."""
    return jamendo_folder(tmp_path / "corpus")


@pytest.fixture
def ganexplain(tmp_path: Path) -> Run:
    """Runs the command as a user does, in a process of its own."""

    def run(
        *arguments: str | Path,
        environment: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
    ) -> Finished:
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
            env={**cli_environment(tmp_path / "cache"), **(environment or {})},
            preexec_fn=before,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """Runs the command line in this process: the same words and exit status, sooner."""

    def run(*arguments: str | Path) -> Finished:
        from ganexplain.cli.app import command_line

        argv: Sequence[str] = ["ganexplain", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", list(argv))
        for name, value in cli_environment(tmp_path / "cache").items():
            monkeypatch.setenv(name, value)
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line()
        shown = capfd.readouterr()
        return Finished(int(ended.value.code or 0), shown.out, shown.err)

    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> StageRun:
    """Runs the command in a process of its own and expects a status, 0 where none is named.

    One cache for all tests of a module, whose fixtures can share what it made.
    """
    cache = tmp_path_factory.mktemp("cache")

    def ganexplain(*words: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *map(str, words)],
            capture_output=True,
            text=True,
            env=cli_environment(cache),
        )
        assert done.returncode == status, done.stderr
        return done

    return ganexplain


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread, as processes of a pool and the commands of `run` have: others round otherwise."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
