"""Processes on this machine that do tasks, with one thread each.

On a CPU two processes with one thread are faster than one process with two threads, and their
allocator can be set independently of the calling program.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for
from typing import Any

from ganexplain.errors import GanexplainError, is_out_of_memory
from ganexplain.runs.engine import Engine, Report
from ganexplain.runs.progress import LOGGER
from ganexplain.runs.tasks import Job, do_task

SECONDS_TO_DIE = 3.0  # to wait for killed processes


@contextmanager
def process_pool(count: int, job: Job) -> Iterator[Engine | None]:
    """Processes that do the tasks of a job, and end at once if the block fails.

    A thread's lack of memory is raised with the reports, since the thread may be the one that feeds
    the processes. None, with a warning, if processes cannot share locks, as in a container with a
    missing or read-only /dev/shm.
    """
    started = _start_pool(count, job)
    if started is None:
        yield None
        return
    executor, reports = started
    with _thread_errors() as thread_errors, executor as pool, _kill_on_error(pool):

        def reported() -> Iterator[Report]:
            if thread_errors:
                raise thread_errors[0]
            return _drain(reports)

        yield Engine(pool, _do, reports=reported, cause=_cause)


def _start_pool(count: int, job: Job) -> tuple[ProcessPoolExecutor, Any] | None:
    """A pool of processes, and the queue of their progress; None without shared locks."""
    context = multiprocessing.get_context("spawn")
    try:
        reports = context.Queue()
        return ProcessPoolExecutor(count, context, _start, (job, reports)), reports
    except (OSError, ImportError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        LOGGER.warning(
            "--workers %d: one process does the work, as several cannot share locks here (%s; is "
            "there a /dev/shm that can be written?)", count, error,
        )  # fmt: skip
        return None


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


def _drain(reports: Any) -> Iterator[Report]:
    while True:
        try:
            yield reports.get_nowait()
        except queue.Empty:
            return


def _cause(error: BaseException) -> GanexplainError | None:
    """What an error of the pool itself means."""
    if not isinstance(error, BrokenProcessPool):
        return None
    return GanexplainError(
        "a worker process was killed (out of memory?); finished work is kept: "
        "run the command again with --resume, or with fewer --workers"
    )


# --- in the processes ---------------------------------------------------------------------

_own: tuple[Job, Any] | None = None  # of this process: its job and the queue of its progress


def _start(job: Job, reports: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the first process handles them
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout = sys.stderr  # what a network of the user's own prints is no result
    global _own
    _own = job, reports


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _do(number: int, task: Any) -> int:
    assert _own is not None  # `_start` has run
    job, reports = _own
    return do_task(job, number, task, lambda *report: reports.put(report))
