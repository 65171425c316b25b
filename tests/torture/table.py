"""What a part of the torture is given and what it tells, and the table of all that was told."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Room:
    """Where a part works: a folder of its own, a seed, and until when (`time.time()`)."""

    folder: Path
    seed: int
    deadline: float

    def left(self) -> float:
        """Seconds until the deadline, below zero when it is over."""
        return self.deadline - time.time()


@dataclass(frozen=True)
class Round:
    """A fault tried, or `count` inputs of a kind: how it ended, and what broke a promise, if any.

    A part yields one as soon as it is over; it is not asked for another after the deadline.
    """

    kind: str
    outcome: str
    count: int = 1
    violation: str = ""


def table(rounds: Iterable[Round]) -> str:
    """Kind x outcome x count, as Markdown, with the sum at the end."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in rounds:
        counts[one.kind, one.outcome] += one.count
    lines = [f"| {kind} | {end} | {count:,} |" for (kind, end), count in sorted(counts.items())]
    head = ["| kind | outcome | count |", "|---|---|---|"]
    return "\n".join([*head, *lines, f"| all | | {counts.total():,} |"])
