"""The training music of two judges: synthetic voices and people's, and no artist in both."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

from sample_data.pretrained import halves

ROWS = [
    ("a.flac", 0, 60, "nosing", "train", "rock", "Ann"),
    ("b.flac", 0, 50, "nosing", "train", "folk", "Bob"),
    ("c.flac", 0, 20, "nosing", "train", "folk", "Cid"),
    ("v.flac", 0, 10, "sing", "train", "voice", "alone_ana"),
    ("w.flac", 0, 10, "sing", "train", "voice", "makam_idil"),
    ("s.flac", 0, 10, "sing", "valid", "song", "Tryad"),
    *(
        (f"{voice}{music}.flac", 0, 10, "sing", "train", "voice-mix", f"{voice} + {music}")
        for voice in ("alone_ana", "makam_idil")
        for music in ("Ann", "Bob", "Cid")
    ),
    ("t.flac", 0, 10, "sing", "test", "song", "Zoe"),
]
COLUMNS = ("path", "start", "end", "label", "split", "kind", "artist")


def test_the_halves_share_no_artist_but_in_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = tmp_path / "manifest.csv"
    with manifest.open("w", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *ROWS])
    monkeypatch.setattr(sys, "argv", ["halves.py", str(manifest)])
    halves.main()
    found = {}
    for side in ("synthetic", "real"):
        with (tmp_path / f"{side}.csv").open(newline="") as stream:
            found[side] = list(csv.DictReader(stream))
    artists = {
        side: {
            name for row in rows if row["split"] != "test" for name in row["artist"].split(" + ")
        }
        for side, rows in found.items()
    }
    assert not artists["synthetic"] & artists["real"]
    assert "alone_ana" in artists["synthetic"]
    assert {"makam_idil", "Tryad"} <= artists["real"]
    assert len({"Ann", "Bob", "Cid"} & artists["synthetic"]) in (1, 2)  # 60 s, and 50 and 20 s
    mixes = [row for rows in found.values() for row in rows if row["kind"] == "voice-mix"]
    assert len(mixes) == 3  # of each composer one, the other is of both sides
    assert all(rows[-1]["artist"] == "Zoe" for rows in found.values())
    assert "real.csv" in capsys.readouterr().out
