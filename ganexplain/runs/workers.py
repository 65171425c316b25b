"""Where the tasks of a stage are done: here, in processes, on a Dask cluster, or by an executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganexplain.config.shared import Divides
from ganexplain.errors import UsageError
from ganexplain.runs.cluster import check_address, dask_workers, scheduler_address
from ganexplain.runs.cores import usable_cores
from ganexplain.runs.engine import Engine
from ganexplain.runs.process_pool import process_pool
from ganexplain.runs.tasks import Advance, Job, Prepare, do_task

DoTasks = Callable[[Sequence[Any], Advance], None]


@dataclass(frozen=True)
class DividedWork:
    """The work that `prepare(*arguments)` returns, which is done task by task in any process.

    `prepare` and the arguments are sent to other processes; `loaded` are further arguments that
    this one has. `out` is the run directory that workers must see, if they write into one.
    """

    prepare: Prepare
    arguments: tuple[Any, ...]
    out: Path | None = None
    loaded: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Workers:
    """The workers of a run: an `executor`, those at the `address` of a scheduler, or processes.

    `processes` is their number, as text: `auto` is one per core if the work is long enough.
    """

    processes: str = "1"
    address: str = ""
    executor: Executor | None = None

    @classmethod
    def of(cls, settings: Divides, executor: Executor | None = None) -> Workers:
        """The workers of the settings, or `executor`.

        Raises UsageError for what is neither `auto`, a number nor the address of a scheduler, and
        GanexplainError for a scheduler that cannot be reached.
        """
        text, address = settings.workers, ""
        if settings.scheduler_file:
            if text != "auto":
                raise UsageError("--workers and --scheduler-file: use only one of the two")
            address = scheduler_address(Path(settings.scheduler_file))
        elif "://" in text:
            address = text
        elif text != "auto" and not (text.isdecimal() and int(text) > 0):
            raise UsageError(
                f"--workers {text}: give auto, a number of processes, or the address of a "
                "scheduler as tcp://HOST:PORT"
            )
        if address and executor is None:
            check_address(address)
        return cls("1" if address else text, address, executor)

    def count(self, tasks: int, worth_it: bool) -> int:
        """Number of processes, at most one per task; for `auto` one if it is not `worth_it`."""
        if self.processes == "auto":
            wanted = usable_cores() if worth_it else 1
        else:
            wanted = int(self.processes)
        return max(min(wanted, tasks), 1)

    def are_one(self, tasks: int, worth_it: bool = True) -> bool:
        """Whether this process does so many tasks alone."""
        return not (self.executor or self.address) and self.count(tasks, worth_it) == 1

    def do(
        self, tasks: Sequence[Any], work: DividedWork, advance: Advance, worth_it: bool = True
    ) -> None:
        """Do all tasks; `advance` is called with the units that are done.

        The first error of a task ends all and is raised here. Raises GanexplainError for workers
        that are killed, of another version, or without the run directory.
        """
        if not tasks:
            return
        with self.open(work, len(tasks), worth_it) as do:
            do(tasks, advance)

    @contextmanager
    def open(self, work: DividedWork, most: int, worth_it: bool) -> Iterator[DoTasks]:
        """While open, workers for rounds of at most `most` tasks; what it yields does a round.

        Errors as `do`.
        """
        with self._engine(self.count(most, worth_it), work) as engine:
            if engine:
                yield engine.run
                return
            do_here = work.prepare(*work.arguments, *work.loaded)

            def do_all(tasks: Sequence[Any], advance: Advance) -> None:
                for task in tasks:
                    do_here(task, advance)

            yield do_all

    def _engine(self, count: int, work: DividedWork) -> AbstractContextManager[Engine | None]:
        """What does the tasks, None for this process."""
        if not (self.executor or self.address or count > 1):
            return nullcontext()
        job = Job.of(work.prepare, work.arguments, work.out)
        if self.executor:
            return nullcontext(Engine(self.executor, do_task, (job,), waits=True))
        return dask_workers(self.address, job) if self.address else process_pool(count, job)


HERE = Workers()  # this process
