"""Lists of what sounds when in recordings: the time, the band and the kind of each event."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganexplain.corpora.tables import TableRow, table_rows, with_decimal_point
from ganexplain.errors import GanexplainError
from ganexplain.files.atomic import existing_file, write_table

COLUMNS = ("path", "time", "duration", "low_hz", "high_hz", "kind")


@dataclass(frozen=True)
class Event:
    """A sound of one `kind` in a recording: `duration` seconds from `time` on.

    `path` is the recording; most of the energy lies between `low_hz` and `high_hz`.
    """

    path: str
    time: float
    duration: float
    low_hz: float
    high_hz: float
    kind: str


def write_events(path: Path, events: Iterable[Event]) -> None:
    """Write a CSV table of events, times to the millisecond."""
    rows = (
        [
            e.path,
            f"{e.time:.3f}",
            f"{e.duration:.3f}",
            f"{e.low_hz:.1f}",
            f"{e.high_hz:.1f}",
            e.kind,
        ]
        for e in events
    )
    write_table(path, COLUMNS, rows)


def read_events(path: Path) -> list[Event]:
    """Read a CSV table with at least `COLUMNS`.

    Errors as `table_rows`, and GanexplainError with line and column for a cell that cannot be.
    """
    return [_event(row) for row in table_rows(existing_file(path), COLUMNS, "event")]


def _event(row: TableRow) -> Event:
    path, *numbers, kind = row.cells
    for column, text in zip(COLUMNS, row.cells, strict=True):
        if not text:
            raise GanexplainError(f"{row.where}: {column} is empty")
        if any(letter in text for letter in "\0\r\n"):
            raise GanexplainError(
                f"{row.where}: {column} contains a line break or a zero; look for an open quote"
            )
    time, duration, low, high = (
        _number(row.where, *named) for named in zip(COLUMNS[1:5], numbers, strict=True)
    )
    if low > high:
        raise GanexplainError(f"{row.where}: low_hz {low:g} is above high_hz {high:g}")
    return Event(path, time, duration, low, high, kind)


def _number(where: str, column: str, text: str) -> float:
    """A finite number of seconds or Hz that is not negative."""
    unit = "Hz" if column.endswith("_hz") else "seconds"
    try:
        value = float(with_decimal_point(text))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise GanexplainError(f"{where}: {column} {text!r} is not a number; write {unit}")
    if value < 0:
        raise GanexplainError(f"{where}: {column} {text} is negative; write {unit} from 0 on")
    return value


def kinds_of(events: Sequence[Event]) -> tuple[str, ...]:
    """The kinds of events, in the order of the alphabet."""
    return tuple(sorted({event.kind for event in events}))
