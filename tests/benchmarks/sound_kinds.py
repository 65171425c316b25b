"""Writes a manifest of four kinds of sound, for a network of sounds with more than two classes.

    python tests/benchmarks/sound_kinds.py sample_data CORPUS --out runs/kinds
    ganexplain train-classifier runs/kinds/kinds.csv --preset quick --out runs/network

CORPUS is the other corpus of the shipped networks (their card names it). The kinds follow from the
names of the files, as SOURCES.md of both describes them, and from the labels: `voice` is singing
without instruments, `song` singing with a band, `solo` one instrument alone, `band` several without
singing. Pauses of a voice alone have no label. Splits are those of the corpora.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.recordings import Recording

ALONE = ("alone_", "makam_", "vocadito_")
SOLO = ("play_cello", "play_fiddle", "play_sax", "play_viola.", "play_bassoon", "sorohan_solo")


def kind(name: str, is_sung: bool) -> str:
    """The kind of a span of a recording; empty for a pause of a voice alone."""
    if name.startswith(ALONE):
        return "voice" if is_sung else ""
    if is_sung:
        return "song"
    return "solo" if name.startswith(SOLO) or "guitar" in name else "band"


def rows(recording: Recording, folder: str) -> list[tuple[str, float, float, str, str]]:
    """The rows of a recording in the manifest."""
    name = recording.path.name
    return [
        (f"{folder}/{name}", each.start, each.end, label, recording.split)
        for each in recording.segments
        if (label := kind(name, each.label == 1))
    ]


def main() -> None:
    """Write the manifest beside links to the recordings, and print seconds of each kind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    found = []
    for corpus in options.corpus:
        link = options.out / corpus.resolve().name
        if not link.is_symlink():
            link.symlink_to((corpus / "audio").resolve())
        read = read_corpus(corpus)
        assert read.classes == ("nosing", "sing"), read.classes
        found += [row for each in read.recordings for row in rows(each, link.name)]
    with (options.out / "kinds.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "start", "end", "label", "split"))
        writer.writerows(found)
    for split in ("train", "valid", "test"):
        for label in ("band", "solo", "song", "voice"):
            those = [row for row in found if row[3:] == (label, split)]
            length, files = sum(row[2] - row[1] for row in those), len({row[0] for row in those})
            print(f"{split}, {label}: {length:.0f} s of {files} files")


if __name__ == "__main__":
    main()
