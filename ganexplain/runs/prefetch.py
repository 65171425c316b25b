"""Batches made ahead of the trainer by threads, and how long it waited for them nevertheless."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetch(Generic[T]):
    """Makes `make(step)` for the steps to come while the current one is computed with.

    `make` must be a function of the step alone, so that what is taken does not depend on the
    number of threads. They share the memory of the process; what costs time in making a batch
    (transforms, matrix products, splines) runs outside Python's lock. With no threads a batch
    is made when it is taken.
    """

    def __init__(self, make: Callable[[int], T], threads: int) -> None:
        self.make, self.ahead = make, 2 * threads
        self.pool = ThreadPoolExecutor(threads, "batches") if threads else None
        self.pending: dict[int, Future[T]] = {}
        self.waited, self.began, self.first = 0.0, 0.0, True

    def take(self, step: int, last: int) -> T:
        """What `make(step)` gives; nothing after step `last` is begun."""
        asked = time.monotonic()
        if self.pool is None:
            made = self.make(step)
        else:
            for coming in range(step, min(step + self.ahead, last) + 1):
                if coming not in self.pending:
                    self.pending[coming] = self.pool.submit(self.make, coming)
            made = self.pending.pop(step).result()
        now = time.monotonic()
        if self.first:  # there was nothing to compute with meanwhile
            self.began, self.first = now, False
        else:
            self.waited += now - asked
        return made

    def waiting_share(self) -> float:
        """Share (0..1) of the time since the first batch that was spent waiting for others."""
        return self.waited / max(time.monotonic() - self.began, 1e-9)

    def __enter__(self) -> Prefetch[T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)
