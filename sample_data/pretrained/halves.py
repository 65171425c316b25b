"""Divides the training music in two that share no artist, for two judges that err apart.

    python sample_data/pretrained/halves.py MUSIC/manifest.csv

Writes MUSIC/synthetic.csv and MUSIC/real.csv. The first has the synthetic voices and pieces, the
second people's voices and songs; of the rest each has the recordings of half of the artists, by
length. A mix is in one where the voice and the music both are. Test recordings are in both.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from ganexplain.files.atomic import write_table

SYNTHETIC, REAL = "synthetic", "real"
MADE = (
    "alone_",
    "gig_",
    "mix_",
    "play_",
    "band_",
)  # artists of sample_data, whose voices are synthetic
VOICES = {"voice", "song", "synthetic"}  # kinds of which there is a side for each


def sides_of_artists(rows: Iterable[dict[str, str]]) -> dict[str, str]:
    """The side of each artist: of voices by their origin, of others so that both are as long."""
    seconds: defaultdict[str, float] = defaultdict(float)
    sides: dict[str, str] = {}
    for row in rows:
        if row["kind"] in VOICES:
            sides[row["artist"]] = SYNTHETIC if row["artist"].startswith(MADE) else REAL
        elif " + " not in row["artist"]:
            seconds[row["artist"]] += float(row["end"]) - float(row["start"])
    total = {SYNTHETIC: 0.0, REAL: 0.0}
    for artist, length in sorted(seconds.items(), key=lambda item: (-item[1], item[0])):
        if artist not in sides:
            sides[artist] = min(total, key=lambda side: (total[side], side))
            total[sides[artist]] += length
    return sides


def halves(rows: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    """The rows of both sides; test rows in both, mixes of artists of both sides in neither."""
    sides = sides_of_artists(rows)
    found: dict[str, list[dict[str, str]]] = {SYNTHETIC: [], REAL: []}
    for row in rows:
        own = {sides.get(artist, "") for artist in row["artist"].split(" + ")}
        for side, kept in found.items():
            if row["split"] == "test" or own == {side}:
                kept.append(row)
    return found


def main() -> None:
    """Write both manifests, and print how long they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    manifest = parser.parse_args().manifest
    with manifest.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for side, kept in halves(rows).items():
        path = manifest.with_name(f"{side}.csv")
        write_table(path, list(rows[0]), [list(row.values()) for row in kept])
        train = [row for row in kept if row["split"] == "train"]
        spans = {
            label: sum(float(r["end"]) - float(r["start"]) for r in train if r["label"] == label)
            for label in sorted({row["label"] for row in train})
        }
        print(path, *(f"{label} {seconds / 3600:.2f} h" for label, seconds in spans.items()))


if __name__ == "__main__":
    main()
