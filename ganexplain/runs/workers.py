"""Tasks worked through by several processes, one thread each.

On a CPU two processes of one thread do more than one process of two threads, and the allocator
can be set for them whatever the calling program does with its own.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from typing import Any

from ganexplain.errors import GanexplainError, UsageError, is_out_of_memory
from ganexplain.runs.cores import usable_cores
from ganexplain.runs.machine import hide_library_warnings, keep_freed_memory
from ganexplain.runs.progress import LOGGER

Advance = Callable[[int], None]
Work = Callable[[Any, Advance], None]
LOOK_EVERY = 0.2  # s between two looks at what the processes have told
SECONDS_TO_DIE = 3.0  # that killed processes are waited for


def job_count(jobs: str, tasks: int, worth_it: bool) -> int:
    """Processes to use: a number as it is, `auto` one per core where the work is `worth_it`.

    Never more than there are tasks. Raises UsageError for anything else.
    """
    if jobs == "auto":
        asked = usable_cores() if worth_it else 1
    elif jobs.isdecimal() and int(jobs) > 0:
        asked = int(jobs)
    else:
        raise UsageError(f"--jobs {jobs}: give auto or a number of processes")
    return max(min(asked, tasks), 1)


def run_in_processes(
    tasks: Sequence[Any],
    jobs: int,
    prepare: Callable[..., Work],
    arguments: tuple[Any, ...],
    advance: Advance,
) -> None:
    """Do every task with the work that `prepare(*arguments)` gives, made once a process.

    With one job in this process, else in `jobs` others; then `prepare` and its arguments must be
    picklable. `advance` hears of units done on the way. Errors of a task come up here, the first
    one stopping the rest; GanexplainError where a process was killed. So does it where a thread
    finds no memory, as it may be one that feeds the processes: they would be waited for in vain.
    """
    made = _pool(jobs, prepare, arguments) if jobs > 1 else None
    if made is None:
        work = prepare(*arguments)
        for task in tasks:
            work(task, advance)
        return
    pooled, progress_queue = made
    with _thread_errors() as of_threads, pooled as pool, _stopping(pool):
        with block_interrupts():  # which the processes started here inherit
            running = {pool.submit(_do, task) for task in tasks}
        while running:
            done, running = wait(running, timeout=LOOK_EVERY)
            for units in _drain(progress_queue):
                advance(units)
            _raise_errors(done)
            if of_threads:
                raise of_threads[0]
    for units in _drain(progress_queue):  # the last they told, there now that they are gone
        advance(units)


def _pool(
    jobs: int, prepare: Callable[..., Work], arguments: tuple[Any, ...]
) -> tuple[ProcessPoolExecutor, Any] | None:
    """Processes to be started, and the queue they tell their advance by.

    None, with a warning, where the system lets no processes share locks: a container without
    /dev/shm, or with one that is read-only.
    """
    context = multiprocessing.get_context("spawn")
    try:
        progress_queue = context.Queue()
        return ProcessPoolExecutor(
            jobs, context, _start, (prepare, arguments, progress_queue)
        ), progress_queue
    except (OSError, ImportError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        LOGGER.warning(
            "--jobs %d: one process does the work, as several cannot share locks here (%s; is "
            "there a /dev/shm that can be written?)", jobs, error,
        )  # fmt: skip
        return None


@contextmanager
def block_interrupts() -> Iterator[None]:
    """While open, Ctrl-C and SIGTERM wait; the first process alone answers them, once it is over.

    Processes started meanwhile never see them, not even while they import their modules.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _thread_errors() -> Iterator[list[BaseException]]:
    """While open, the errors of memory that threads of this process end with, unprinted."""
    found: list[BaseException] = []
    usual = threading.excepthook

    def kept(progress_queue: threading.ExceptHookArgs) -> None:
        if progress_queue.exc_value is not None and is_out_of_memory(progress_queue.exc_value):
            found.append(progress_queue.exc_value)
        else:
            usual(progress_queue)

    threading.excepthook = kept
    try:
        yield found
    finally:
        threading.excepthook = usual


@contextmanager
def _stopping(pool: ProcessPoolExecutor) -> Iterator[None]:
    """Where the block fails, end the processes at once instead of after their tasks."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        killed = multiprocessing.active_children()
        for process in killed:
            process.kill()
        deadline = time.monotonic() + SECONDS_TO_DIE  # of all together
        for process in killed:
            process.join(max(deadline - time.monotonic(), 0.0))
        raise


def _drain(progress_queue: Any) -> Iterator[int]:
    while True:
        try:
            yield progress_queue.get_nowait()
        except queue.Empty:
            return


def _raise_errors(done: set[Future[None]]) -> None:
    for future in done:
        try:
            future.result()
        except BrokenProcessPool as error:
            raise GanexplainError(
                "a worker process was killed (out of memory?); finished work is kept: "
                "run the command again with --resume, or with fewer --jobs"
            ) from error


# --- in the processes ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Worker:
    """What a process does its tasks with: the work, or why there is none, and the queue."""

    work: Work | Exception
    queue: Any


_worker: _Worker | None = None  # of this process, once it has started


def _start(prepare: Callable[..., Work], arguments: tuple[Any, ...], progress_queue: Any) -> None:
    import torch

    for number in (signal.SIGINT, signal.SIGTERM):  # they are for the first process to answer
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    keep_freed_memory()
    hide_library_warnings()
    work: Work | Exception
    try:
        work = prepare(*arguments)
    except Exception as error:  # comes up with the first task, not as a death of the process
        work = _sent(error)
    global _worker
    _worker = _Worker(work, progress_queue)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _do(task: Any) -> None:
    assert _worker is not None  # `_start` has run
    if isinstance(_worker.work, Exception):
        raise _worker.work
    try:
        _worker.work(task, _worker.queue.put)
    except Exception as error:
        sent = _sent(error)
        if sent is error:
            raise
        raise sent from error


def _sent(error: Exception) -> Exception:
    """An error as it is sent to the first process, where what it came of does not arrive."""
    return MemoryError(str(error)) if is_out_of_memory(error) else error
