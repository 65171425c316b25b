"""Prepares batches in threads ahead of the training, and measures how long it waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetch(Generic[T]):
    """Computes `make(step)` for the next steps while the training uses the current one.

    `make` must depend on the step alone, so that batches do not depend on the number of threads.
    The threads share the memory of the process; the costly parts of a batch (transforms, matrix
    products, splines) run without Python's lock. Without threads `take` computes each batch.
    """

    def __init__(self, make: Callable[[int], T], threads: int) -> None:
        self.make, self.ahead = make, 2 * threads
        self.pool = ThreadPoolExecutor(threads, "batches") if threads else None
        self.pending: dict[int, Future[T]] = {}
        self.waited, self.began, self.first = 0.0, 0.0, True

    def take(self, step: int, last: int) -> T:
        """The result of `make(step)`; steps after `last` are not started."""
        requested = time.monotonic()
        if self.pool is None:
            batch = self.make(step)
        else:
            for coming in range(step, min(step + self.ahead, last) + 1):
                if coming not in self.pending:
                    self.pending[coming] = self.pool.submit(self.make, coming)
            batch = self.pending.pop(step).result()
        now = time.monotonic()
        if self.first:  # there was no batch to train with meanwhile
            self.began, self.first = now, False
        else:
            self.waited += now - requested
        return batch

    def waiting_share(self) -> float:
        """Share (0..1) of the time since the first batch that was spent waiting for batches."""
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
