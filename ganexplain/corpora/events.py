"""Lists of what sounds when in recordings: the time, the band and the kind of each event."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from ganexplain.corpora.listed_files import label_text
from ganexplain.errors import BadFile
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
    """Read a CSV table with at least `COLUMNS`; BadFile with the line of a row that is not one."""
    reader = csv.DictReader(io.StringIO(label_text(existing_file(path))))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise BadFile(
            f"{path}, line 1: no column {missing[0]!r}; the first line is {','.join(COLUMNS)}"
        )
    events = [_event(f"{path}, line {reader.line_num}", row) for row in reader]
    if not events:
        raise BadFile(f"{path}: no rows after the first line; add one for each event")
    return events


def _event(where: str, row: dict[str, str]) -> Event:
    try:
        time, duration, low, high = (float(row[name]) for name in COLUMNS[1:5])
    except (TypeError, ValueError) as error:
        raise BadFile(f"{where}: {error}; times are seconds, frequencies Hz") from error
    event = Event(row["path"], time, duration, low, high, row["kind"] or "")
    if not all(map(math.isfinite, astuple(event)[1:5])) or duration < 0 or low > high:
        raise BadFile(f"{where}: a time or band that is not one; write duration >= 0, low <= high")
    if not (event.path and event.kind):
        raise BadFile(f"{where}: path or kind is empty")
    return event


def kinds_of(events: Sequence[Event]) -> tuple[str, ...]:
    """The kinds of events, in the order of the alphabet."""
    return tuple(sorted({event.kind for event in events}))
