"""No memory to be had: said as that, and nobody waits for what will not come."""

from __future__ import annotations

import errno
import importlib
import multiprocessing.queues
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import cli_environment

from ganexplain.errors import GanexplainError, is_out_of_memory
from ganexplain.files.checkpoints import read_checkpoint, write_checkpoint
from ganexplain.networks.fast import pooled
from ganexplain.runs.workers import DividedWork, Workers


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"), True),
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("could not create a primitive descriptor for a convolution"), False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), True),
        (ImportError("libx.so: failed to map segment from shared object"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ENOENT, "No such file", "out of memory.wav"), False),
        (RuntimeError("shapes differ"), False),
        (GanexplainError("out of memory.pt: not a complete checkpoint"), False),
        (None, False),
    ],
)
def test_which_errors_are_of_memory(error: BaseException | None, told: bool) -> None:
    assert is_out_of_memory(error) is told


def test_what_an_error_came_of_counts() -> None:
    with pytest.raises(GanexplainError) as caught:
        try:
            raise MemoryError
        except MemoryError as error:
            raise GanexplainError("x.pt: not a complete checkpoint") from error
    assert is_out_of_memory(caught.value)
    with pytest.raises(ValueError) as apart:
        try:
            raise MemoryError
        except MemoryError:
            raise ValueError("another matter") from None
    assert not is_out_of_memory(apart.value)


def test_an_error_that_came_of_itself_ends() -> None:
    error = ValueError("round and round")
    error.__cause__ = KeyError("inner")
    error.__cause__.__cause__ = error
    assert not is_out_of_memory(error)


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of memory is Linux's")
@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_file_too_large_for_the_memory_is_not_called_damaged(tmp_path: Path, jobs: str) -> None:
    """A tensor of 600 MB, and half of that beside what torch takes; here, or in a worker."""
    path, script = tmp_path / "net.pt", tmp_path / "reads.py"
    write_checkpoint(path, "net", {"weights": torch.zeros(150 * 2**20)})
    script.write_text(READS)
    told = subprocess.run(
        [sys.executable, script, path, jobs], stderr=subprocess.PIPE, text=True,
        env={**cli_environment(tmp_path / "cache"), "PYTHONFAULTHANDLER": "1"}, timeout=120,
    )  # fmt: skip
    assert told.returncode == 1, told.stderr
    assert told.stderr.startswith("error: out of memory"), told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert not read_checkpoint(path, "net")["weights"].any()  # with enough of it, it is read


READS = """
import resource
import sys
from pathlib import Path
import torch
from ganexplain.files.checkpoints import read_checkpoint
from ganexplain.cli.app import one_line_errors
from ganexplain.runs.workers import DividedWork, Workers

def prepare():
    return lambda task, advance: read_checkpoint(Path(task), "net")

if __name__ == "__main__":
    status = Path("/proc/self/status").read_text().split()
    taken = 2**10 * int(status[status.index("VmData:") + 1])  # of torch for CUDA 750 MB
    resource.setrlimit(resource.RLIMIT_DATA, (taken + 300 * 2**20,) * 2)  # workers have it, too
    with one_line_errors():
        Workers(sys.argv[2]).do([sys.argv[1]] * 2, DividedWork(prepare, ()), print)
"""


def test_numba_that_does_not_load_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = importlib.import_module

    def no_library(name: str) -> Any:
        if name == "numba":
            raise OSError("Could not find/load shared object file 'libllvmlite.so'")
        return usual(name)

    pooled.has_numba.cache_clear()
    monkeypatch.setattr(importlib, "import_module", no_library)
    try:
        assert not pooled.has_numba()
    finally:
        pooled.has_numba.cache_clear()
    monkeypatch.undo()
    assert pooled.has_numba()


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
    Workers("2").do([1, 2, 3], DividedWork(_prepare, ()), heard.append)
    assert sum(heard) == 6
    monkeypatch.setattr(multiprocessing.queues.Queue, "_start_thread", refused)
    with pytest.raises(RuntimeError, match="can't start new thread") as caught:
        Workers("2").do([1, 2, 3], DividedWork(_prepare, ()), heard.append)
    assert is_out_of_memory(caught.value) and threading.excepthook is hook
    assert not multiprocessing.active_children()
