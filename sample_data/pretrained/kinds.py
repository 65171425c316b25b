"""Divides the kinds of the training music more finely, for a training with --balance.

    python sample_data/pretrained/kinds.py MUSIC/manifest.csv

Writes MUSIC/kinds.csv. Each kind is drawn as often, and songs with bands are one of eleven: here
every artist of them is a kind, single instruments are one, and people's voices and synthetic ones
are two, alone and over music.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from ganexplain.files.atomic import write_table


def finer_kind(kind: str, artist: str) -> str:
    """The kind of a recording of the manifest, divided."""
    if kind == "song":
        return f"song {artist}"
    if kind == "synthetic" and artist == "play":
        return "instrument"
    if kind in ("voice", "voice-mix"):
        return f"{kind} {'synthetic' if artist.startswith('alone_') else 'real'}"
    return kind


def main() -> None:
    """Write the manifest, and print its kinds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    manifest = parser.parse_args().manifest
    with manifest.open(newline="", encoding="utf-8") as stream:
        rows = [
            {**row, "kind": finer_kind(row["kind"], row["artist"])}
            for row in csv.DictReader(stream)
        ]
    path = manifest.with_name("kinds.csv")
    write_table(path, list(rows[0]), [list(row.values()) for row in rows])
    print(path, *sorted({row["kind"] for row in rows if row["split"] == "train"}), sep="\n")


if __name__ == "__main__":
    main()
