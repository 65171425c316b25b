"""What does tasks: an executor of `concurrent.futures`, and what is particular to it."""

from __future__ import annotations

import queue
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from ganexplain.errors import GanexplainError

Report = tuple[int, int]  # the number of a task that runs, and the units that it has done
POLL_INTERVAL = 0.2  # s between looks at the reports


def no_reports() -> Iterable[Report]:
    """The reports of an executor that has none: units count when their task is done."""
    return ()


@dataclass(frozen=True)
class Engine:
    """An executor that calls `do(*job, number, task)`, which returns the units of the task.

    `reports` returns what running tasks have done since its last call; `cause` words an error of
    the executor itself, None for errors of a task. Each task has a number of its own, also in later
    rounds, as its reports may come late. `waits` is for tasks that nobody else ends: a
    run returns, also with an error, when those that have begun are done.
    """

    executor: Executor
    do: Callable[..., int]
    job: tuple[Any, ...] = ()
    reports: Callable[[], Iterable[Report]] = no_reports
    cause: Callable[[BaseException], GanexplainError | None] = lambda error: None
    waits: bool = False
    numbers: Iterator[int] = field(default_factory=count)

    def run(self, tasks: Sequence[Any], advance: Callable[[int], None]) -> None:
        """Do all tasks; `advance` gets their units. The first error ends all and is raised here."""
        done: queue.SimpleQueue[Future[int]] = queue.SimpleQueue()
        with block_interrupts():  # processes that are started here inherit it
            running = {
                self.executor.submit(self.do, *self.job, number, task): number
                for task, number in zip(tasks, self.numbers, strict=False)
            }
        try:
            self._follow(running, done, advance)
        finally:
            begun = [future for future in running if not future.cancel()]
            if self.waits:
                wait(begun)

    def _follow(
        self,
        running: dict[Future[int], int],
        done: queue.SimpleQueue[Future[int]],
        advance: Callable[[int], None],
    ) -> None:
        """Take the futures out of `running` as they end, and report the units of their tasks."""
        for future in list(running):
            future.add_done_callback(done.put)
        live = dict.fromkeys(running.values(), 0)  # units that running tasks have reported
        while running:
            with suppress(queue.Empty):
                future = done.get(timeout=POLL_INTERVAL)
                before = live.pop(running.pop(future))
                if (units := self._units(future)) > before:
                    advance(units - before)
            for number, units in self.reports():
                if number in live:
                    live[number] += units
                    advance(units)

    def _units(self, future: Future[int]) -> int:
        try:
            return future.result()
        except BaseException as error:
            cause = self.cause(error)
            if cause is None:
                raise
            raise cause from error


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
