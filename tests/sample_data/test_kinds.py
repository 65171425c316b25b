"""The training music with finer kinds: songs by artist, voices by whether people sing."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

from sample_data.pretrained import kinds

ROWS = [
    ("rock", "Ann", "rock"),
    ("song", "Tryad", "song Tryad"),
    ("voice-mix", "makam_idil + Ann", "voice-mix real"),
    ("voice-mix", "alone_ana + Ann", "voice-mix synthetic"),
    ("voice", "alone_ana", "voice synthetic"),
    ("synthetic", "play", "instrument"),
    ("synthetic", "mix", "synthetic"),
]


def test_songs_instruments_and_voices_are_divided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("path", "kind", "artist", "split"), *(("a.flac", *row[:2], "train") for row in ROWS)]
    with (tmp_path / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    monkeypatch.setattr(sys, "argv", ["kinds.py", str(tmp_path / "manifest.csv")])
    kinds.main()
    with (tmp_path / "kinds.csv").open(newline="") as stream:
        assert [row["kind"] for row in csv.DictReader(stream)] == [row[2] for row in ROWS]
