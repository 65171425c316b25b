"""Build the sample corpus: audio, exact vocal labels, file lists and SOURCES.md.

    python sample_data/build/make_sample_data.py --ingredients DIR [--out DIR] [--only NAME ...]

DIR is the folder where the Debian packages named in recipe.py were unpacked (`apt-get download
PACKAGE`, `dpkg -x FILE.deb DIR`). From PyPI: pysinsy (its build needs a C++ compiler, its import
`setuptools<80`), pyworld, tinysoundfont, numpy, scipy, soundfile >= 0.13. Everything is drawn from
one seed and the name of the piece, so pieces can be rebuilt one by one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labels import write_labels
from mixing import RATE, master, write_ogg
from pieces import MAKERS, generator
from recipe import BANDS, PIECES, SINGERS, SPLITS, TRACKS, Piece
from sources import write_sources


def check_recipe() -> None:
    """No singer, speaker, band or composer in two splits, no two files of one name."""
    if len({piece.name for piece in PIECES}) != len(PIECES):
        raise ValueError("two pieces have the same name")
    homes: dict[str, str] = {}
    for piece in PIECES:
        makers = []
        if piece.singer:
            makers += [(piece.singer, SINGERS[piece.singer][0])]
            speaker = SINGERS[piece.singer][1].flite
            makers += [(f"speaker {speaker}", piece.split)] if speaker else []
        if piece.track:
            makers.append((TRACKS[piece.track].composer, TRACKS[piece.track].split))
        if piece.band:
            makers.append((f"band {piece.band}", BANDS[piece.band].split))
        for who, home in makers:
            if home != piece.split or homes.setdefault(who, home) != piece.split:
                raise ValueError(f"{piece.name}: {who} belongs to another split")


def build(piece: Piece, ingredients: Path, out: Path) -> float:
    """Make one file and its labels; returns the sung seconds."""
    wave, segments = MAKERS[piece.kind](piece, ingredients)
    rng = generator(piece, "master")
    wave = master(wave, rng)
    write_ogg(out / "audio" / f"{piece.name}.ogg", wave, rng.uniform(0.15, 0.45))
    write_labels(out / "labels" / f"{piece.name}.lab", segments, len(wave) / RATE)
    return sum(end - begin for begin, end in segments)


def write_filelists(out: Path) -> None:
    """One audio file name a line, for each split."""
    for split in SPLITS:
        names = sorted(f"{piece.name}.ogg\n" for piece in PIECES if piece.split == split)
        (out / "filelists" / split).write_text("".join(names))


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--ingredients", type=Path, required=True, help="folder with the unpacked Debian packages"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--only", nargs="*", help="names of the pieces to build")
    options = parser.parse_args(arguments)
    check_recipe()
    for folder in ("audio", "labels", "filelists"):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
    for piece in PIECES:
        if options.only is None or piece.name in options.only:
            sung = build(piece, options.ingredients, options.out)
            print(f"{piece.split:5} {piece.name:40} {sung:6.1f} s sung", flush=True)
    write_filelists(options.out)
    if options.only is None:
        write_sources(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
