"""Runs tasks in several processes with one thread each.

On a CPU two processes with one thread are faster than one process with two threads, and their
allocator can be set independently of the calling program.
"""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import queue
import signal
import sys
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
POLL_INTERVAL = 0.2  # s between polls of the workers' queue
SECONDS_TO_DIE = 3.0  # to wait for killed processes


def job_count(jobs: str, tasks: int, worth_it: bool) -> int:
    """Number of processes for `--jobs`, at most one per task.

    `auto` is one per core if the work is `worth_it`, else one. Raises UsageError for a text that
    is neither `auto` nor a positive number.
    """
    if jobs == "auto":
        count = usable_cores() if worth_it else 1
    elif jobs.isdecimal() and int(jobs) > 0:
        count = int(jobs)
    else:
        raise UsageError(f"--jobs {jobs}: give auto or a number of processes")
    return max(min(count, tasks), 1)


def run_in_processes(
    tasks: Sequence[Any],
    jobs: int,
    prepare: Callable[..., Work],
    arguments: tuple[Any, ...],
    advance: Advance,
) -> None:
    """Do all tasks with the function that `prepare(*arguments)` returns, prepared once a process.

    With one job this process does them, otherwise `jobs` others, and `prepare` and its arguments
    must be picklable. `advance` is called with the units that are done. The first error of a task
    ends all and is raised here, and so is a thread's lack of memory, since the thread may be the
    one that feeds the processes. Raises GanexplainError if a process was killed.
    """
    started = _pool(jobs, prepare, arguments) if jobs > 1 else None
    if started is None:
        work = prepare(*arguments)
        for task in tasks:
            work(task, advance)
        return
    executor, progress_queue = started
    with _thread_errors() as thread_errors, executor as pool, _kill_on_error(pool):
        with block_interrupts():  # the processes started here inherit it
            running = {pool.submit(_do, task) for task in tasks}
        while running:
            done, running = wait(running, timeout=POLL_INTERVAL)
            for units in _drain(progress_queue):
                advance(units)
            _raise_errors(done)
            if thread_errors:
                raise thread_errors[0]
    for units in _drain(progress_queue):  # their last reports, complete after their end
        advance(units)


def _pool(
    jobs: int, prepare: Callable[..., Work], arguments: tuple[Any, ...]
) -> tuple[ProcessPoolExecutor, Any] | None:
    """A pool of processes, and the queue of their progress.

    None, with a warning, if processes cannot share locks, as in a container with a missing or
    read-only /dev/shm.
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
    """While open, Ctrl-C and SIGTERM are delayed; this process handles them afterwards.

    Processes started meanwhile never receive them, not even while they import their modules.
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
    """While open, out-of-memory errors of this process's threads are listed and not printed."""
    found: list[BaseException] = []
    before = threading.excepthook

    def collect(failure: threading.ExceptHookArgs) -> None:
        if is_out_of_memory(failure.exc_value):
            found.append(failure.exc_value)  # type: ignore[arg-type]
        else:
            before(failure)

    threading.excepthook = collect
    try:
        yield found
    finally:
        threading.excepthook = before


@contextmanager
def _kill_on_error(pool: ProcessPoolExecutor) -> Iterator[None]:
    """If the block fails, end the processes at once instead of after their tasks."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        killed = multiprocessing.active_children()
        for process in killed:
            process.kill()
        deadline = time.monotonic() + SECONDS_TO_DIE  # for all together
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

    for number in (signal.SIGINT, signal.SIGTERM):  # the first process handles them
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    LOGGER.addHandler(logging.NullHandler())  # the first process has logged the same warnings
    sys.stdout = sys.stderr  # what a network of the user's own prints is no result
    torch.set_num_threads(1)
    keep_freed_memory()
    hide_library_warnings()
    work: Work | Exception
    try:
        work = prepare(*arguments)
    except Exception as error:  # the first task raises it; the process goes on
        work = _sendable(error)
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
        sendable = _sendable(error)
        if sendable is error:
            raise
        raise sendable from error


def _sendable(error: Exception) -> Exception:
    """The error to send to the first process, where its causes do not arrive."""
    return MemoryError(str(error)) if is_out_of_memory(error) else error
