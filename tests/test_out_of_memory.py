"""No memory to be had: said as that, and nobody waits for what will not come."""

from __future__ import annotations

import errno
import importlib
import multiprocessing.queues
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import cli_environment

from ganexplain.artifacts import read_arrays, write_arrays
from ganexplain.errors import GanexplainError, no_memory
from ganexplain.models import sparse_pool
from ganexplain.pool import work_through


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"), True),
        (RuntimeError("could not create a primitive"), True),
        (ImportError("libx.so: failed to map segment from shared object"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ENOENT, "No such file", "out of memory.wav"), False),
        (RuntimeError("shapes differ"), False),
        (GanexplainError("out of memory.pt: not a whole checkpoint"), False),
        (None, False),
    ],
)
def test_which_errors_are_of_memory(error: BaseException | None, told: bool) -> None:
    assert no_memory(error) is told


def test_what_an_error_came_of_counts() -> None:
    with pytest.raises(GanexplainError) as caught:
        try:
            raise MemoryError
        except MemoryError as error:
            raise GanexplainError("x.pt: not a whole checkpoint") from error
    assert no_memory(caught.value)
    with pytest.raises(ValueError) as apart:
        try:
            raise MemoryError
        except MemoryError:
            raise ValueError("another matter") from None
    assert not no_memory(apart.value)


def _small_room() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (250 * 2**20,) * 2)


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of memory is Linux's")
def test_a_file_too_large_for_the_memory_is_not_called_damaged(tmp_path: Path) -> None:
    """An array of 300 MB, and 250 for all that the process is."""
    run = tmp_path / "run"
    run.mkdir()
    values = np.zeros((75, 1_000_000), np.float32)
    write_arrays(run / "attribution.npz", "attribution", {"map": values}, {})
    told = subprocess.run(
        [sys.executable, "-c", _READS, str(run / "attribution.npz")],
        stderr=subprocess.PIPE, text=True,
        env=cli_environment(tmp_path / "cache"), preexec_fn=_small_room, timeout=120,
    )  # fmt: skip
    assert told.returncode == 1
    assert told.stderr.startswith("error: out of memory"), told.stderr
    assert len(told.stderr.splitlines()) == 1
    arrays, _ = read_arrays(run / "attribution.npz", "attribution", ("map",))
    assert arrays["map"].shape == values.shape  # with enough of it, it is read


_READS = """
import sys
from pathlib import Path
from ganexplain.artifacts import read_arrays
from ganexplain.cli import _one_line_errors
with _one_line_errors():
    read_arrays(Path(sys.argv[1]), "attribution", ("map",))
"""


def test_numba_that_does_not_load_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = importlib.import_module

    def no_library(name: str) -> Any:
        if name == "numba":
            raise OSError("Could not find/load shared object file 'libllvmlite.so'")
        return usual(name)

    sparse_pool.has_numba.cache_clear()
    monkeypatch.setattr(importlib, "import_module", no_library)
    assert not sparse_pool.has_numba()
    sparse_pool.has_numba.cache_clear()
    monkeypatch.undo()
    assert sparse_pool.has_numba()


def _prepare() -> Callable[..., None]:
    return lambda task, advance: advance(task)


def test_a_thread_that_cannot_start_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks go to processes through a thread that a thread starts; without it none would come."""
    usual = multiprocessing.queues.Queue._start_thread  # type: ignore[attr-defined]

    def refused(queue: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("can't start new thread")
        usual(queue)

    heard: list[int] = []
    hook = threading.excepthook
    work_through([1, 2, 3], 2, _prepare, (), heard.append)
    assert sum(heard) == 6
    monkeypatch.setattr(multiprocessing.queues.Queue, "_start_thread", refused)
    with pytest.raises(RuntimeError, match="can't start new thread") as caught:
        work_through([1, 2, 3], 2, _prepare, (), heard.append)
    assert no_memory(caught.value) and threading.excepthook is hook
    assert not multiprocessing.active_children()
