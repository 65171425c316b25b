from __future__ import annotations

from pathlib import Path

import pytest

from ganexplain.corpora.events import Event, kinds_of, read_events, write_events
from ganexplain.errors import BadFile

HEAD = "path,time,duration,low_hz,high_hz,kind\n"


def test_events_are_read_as_they_were_written(tmp_path: Path) -> None:
    events = [
        Event("audio/a.flac", 0.5, 0.125, 40.0, 120.5, "kick"),
        Event("audio/ä, b.flac", 0.0, 0.0, 0.0, 8000.0, "closed hat"),
    ]
    write_events(tmp_path / "events.csv", events)
    assert read_events(tmp_path / "events.csv") == events
    assert kinds_of(events) == ("closed hat", "kick")


@pytest.mark.parametrize(
    "text,message",
    [
        ("path,time\na,1\n", "line 1: no column 'duration'"),
        (HEAD, "no rows after the first line"),
        (HEAD + "a,0.1,0.1,10,20,x\na,soon,0.1,10,20,x\n", "line 3: could not convert"),
        (HEAD + "a,0.1\n", "line 2: "),
        (HEAD + "a,0.1,-1,10,20,x\n", "line 2: a time or band that is not one"),
        (HEAD + "a,nan,1,10,20,x\n", "line 2: a time or band that is not one"),
        (HEAD + "a,0.1,1,30,20,x\n", "line 2: a time or band that is not one"),
        (HEAD + "a,0.1,1,10,20,\n", "line 2: path or kind is empty"),
    ],
)
def test_what_is_no_table_of_events_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "events.csv").write_text(text)
    with pytest.raises(BadFile, match=message):
        read_events(tmp_path / "events.csv")
