from __future__ import annotations

from pathlib import Path

import pytest

from ganexplain.corpora.events import Event, kinds_of, read_events, write_events
from ganexplain.errors import BadFile, GanexplainError

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
    "text",
    [
        "path,time,duration,low_hz,high_hz,kind\nä b.wav,0.5,0.25,40,120.5,closed hat\n",
        "path;time;duration;low_hz;high_hz;kind\nä b.wav;0,5;0,25;40;120,5;closed hat\n",
        "sep=;\npath;time;duration;low_hz;high_hz;kind\nä b.wav;0,5;0,25;40;120,5;closed hat\n",
        'path,time,duration,low_hz,high_hz,kind\n"ä b.wav","0,5","0,25",40,"120,5",closed hat\n',
        "Kind\tTIME\tduration\tlow_Hz\thigh_hz\tpath\tnotes\n"
        "closed hat\t0.5\t.25\t40\t120.5\tä b.wav\tnice\n\t\t\t\t\t\t\n",
        "path, time, duration, low_hz, high_hz, kind\r\n"
        "ä b.wav, 0.5, 0.25, 40, 120.5, closed hat,,\r\n,,,,,\r\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_are_read_as_spreadsheets_write_them(
    tmp_path: Path, text: str, encoding: str
) -> None:
    (tmp_path / "events.csv").write_bytes(text.encode(encoding))
    found = read_events(tmp_path / "events.csv")
    assert found == [Event("ä b.wav", 0.5, 0.25, 40.0, 120.5, "closed hat")]


@pytest.mark.parametrize(
    "text,message",
    [
        ("path,time\na,1\n", "line 1: no column 'duration' (cells separated by commas)"),
        (HEAD.replace("kind", "kind,kind") + "a,1,2,3,4,x,y\n", "line 1: more than one column 'k"),
        (HEAD, "no rows after the first line; add one for each event"),
        ("", "line 1: no column 'path'"),
        (HEAD + "a,0.1,0.1,10,20,x\na,soon,0.1,10,20,x\n", "line 3: time 'soon' is not a number"),
        (HEAD + "a,0.1\n", "line 2: duration is empty"),
        (HEAD + "a,0.1,1,,20,x\n", "line 2: low_hz is empty"),
        (HEAD + "a,0.1,-1,10,20,x\n", "line 2: duration -1 is negative"),
        (HEAD + "a,-0.1,1,10,20,x\n", "line 2: time -0.1 is negative"),
        (HEAD + "a,0.1,1,-30,20,x\n", "line 2: low_hz -30 is negative; write Hz"),
        (HEAD + "a,nan,1,10,20,x\n", "line 2: time 'nan' is not a number; write seconds"),
        (HEAD + "a,0.1,1,10,inf,x\n", "line 2: high_hz 'inf' is not a number; write Hz"),
        (HEAD + "a,0.1,1,30,20,x\n", "line 2: low_hz 30 is above high_hz 20"),
        (HEAD + "a,0.1,1,10,20,\n", "line 2: kind is empty"),
        (HEAD + "a,0.1,1,10,20,  \n", "line 2: kind is empty"),
        (HEAD + ",0.1,1,10,20,x\n", "line 2: path is empty"),
        (HEAD + "a,0,5,0,1,10,20,x\n", "line 2: 8 cells, but the first line has 6"),
        (HEAD + "a,0.1,1,10,20,x,more\n", "line 2: 7 cells, but the first line has 6"),
        (HEAD + 'a,0.1,1,10,20,"x\na,0.1,1,10,20,y\n', "line 3: kind contains a line break"),
        (HEAD + "a\0b,0.1,1,10,20,x\n", "line 2: path contains a line break or a zero"),
        (HEAD + f"a,0.1,1,10,20,{'x' * 200_000}\n", "line 2: not CSV (field larger than"),
    ],
)
def test_what_is_no_table_of_events_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "events.csv"
    path.write_text(text)
    with pytest.raises(GanexplainError) as caught:
        read_events(path)
    assert str(caught.value).startswith(str(path)) and message in str(caught.value)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "events.xlsx").write_bytes(b"PK\3\4\xff\xfe\0")
    with pytest.raises(BadFile, match="cannot be read as text"):
        read_events(tmp_path / "events.xlsx")
