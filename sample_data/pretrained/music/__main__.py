"""Builds the training corpus in a folder.

    python -m sample_data.pretrained.music OUT --corpus sample_data --corpus CORPUS

OUT is then a corpus for `train-classifier` and `train-gan`: OUT/manifest.csv. Packages are kept in
OUT/packages (or `--store`). What is there already is not made again.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ganexplain.audio.io import read_duration
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.recordings import Recording
from ganexplain.errors import BadFile, GanexplainError
from ganexplain.runs.progress import LineProgress, Progress

from .listing import Listing, Origin, Piece, Speaker, Voices, read_listing
from .making import make_piece, make_speech, make_take, speech_parts
from .packages import Missing, fetch_package
from .plan import Credit, Draw, Layer, Span, Take, plan_alone, plan_mixes
from .tables import write_tables

MIXES = 9  # times that each voice is mixed
ALONE, SPEECH = 2, 1  # times that each voice is changed alone, and all speech is mixed


def main() -> int:
    """Command line; the exit status is 1 if anything is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--corpus", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("--store", type=Path, help="folder for packages; default: OUT/packages")
    parser.add_argument("--mixes", type=int, default=MIXES, help="times that each voice is mixed")
    options = parser.parse_args()
    try:
        listing = read_listing()
        missing = build_corpus(listing, options.out, options.store, options.corpus, options.mixes)
    except (GanexplainError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    for message in missing:
        print(f"left out: {message}", file=sys.stderr)
    return 1 if missing else 0


@dataclass(frozen=True)
class Workshop:
    """Where packages and recordings are kept, the progress, and why something is left out."""

    store: Path
    audio: Path
    progress: Progress
    missing: list[str]

    def succeeds(self, make: Callable[[], object]) -> bool:
        """Whether something can be made; the reason is kept if not."""
        try:
            make()
        except (Missing, BadFile) as error:
            self.missing.append(str(error))
            return False
        return True


def build_corpus(
    listing: Listing, out: Path, store: Path | None, corpora: Sequence[Path], mixes: int = MIXES
) -> list[str]:
    """Make all recordings and tables; returns why others are left out."""
    shop = Workshop(store or out / "packages", out / "audio", LineProgress(), [])
    shop.audio.mkdir(parents=True, exist_ok=True)
    fetch_packages(listing, shop)
    music = list(make_pieces(listing.pieces, shop))
    speech = list(make_speakers(listing.speakers, shop))
    given = [layer for corpus in corpora for layer in corpus_layers(corpus, listing.voices)]
    made = make_takes(plan_takes(music, speech, given, mixes), shop)
    as_they_are = [Take(layer.name, layer.kind, None, layer, Draw()) for layer in (*music, *speech)]
    write_tables(out, [*as_they_are, *made])
    return shop.missing


def plan_takes(
    music: Sequence[Layer], speech: Sequence[Layer], given: Sequence[Layer], mixes: int
) -> list[Take]:
    """All recordings that are made of layers."""
    voices = [layer for layer in given if layer.kind == "voice"]
    return [
        *plan_alone(given, ALONE),
        *plan_mixes(voices, music, "voice-mix", mixes),
        *plan_mixes(speech, music, "speech-mix", SPEECH),
    ]


def fetch_packages(listing: Listing, shop: Workshop) -> None:
    """Download what is not there."""
    packages = listing.packages()
    shop.progress.start("packages", len(packages))
    for package, wanted in packages.items():
        shop.succeeds(partial(fetch_package, package, sorted(wanted), shop.store))
        shop.progress.advance()


def make_pieces(pieces: Sequence[Piece], shop: Workshop) -> Iterator[Layer]:
    """Instrumental recordings."""
    shop.progress.start("instrumental music", len(pieces))
    for piece in pieces:
        path = shop.audio / f"{piece.name}.flac"
        if path.exists() or shop.succeeds(partial(make_piece, piece, shop.store, path)):
            credit = credit_of(piece.origin, piece.title, piece.file)
            yield whole_file(piece.name, path, piece.origin.split, piece.kind, credit)
        shop.progress.advance()


def make_speakers(speakers: Sequence[Speaker], shop: Workshop) -> Iterator[Layer]:
    """Speech, a minute in a file."""
    shop.progress.start("speech", len(speakers))
    for speaker in speakers:
        yield from _make_speaker(speaker, shop)
        shop.progress.advance()


def _make_speaker(speaker: Speaker, shop: Workshop) -> Iterator[Layer]:
    parts: list[list[Path]] = []
    shop.succeeds(lambda: parts.extend(speech_parts(speaker, shop.store)))
    for number, prompts in enumerate(parts):
        name = f"{speaker.name}_{number:02d}"
        path = shop.audio / f"{name}.flac"
        seed = zlib.crc32(name.encode())
        if path.exists() or shop.succeeds(partial(make_speech, prompts, path, seed)):
            credit = credit_of(speaker.origin, "speech", speaker.files)
            yield whole_file(name, path, speaker.origin.split, "speech", credit)


def make_takes(takes: Sequence[Take], shop: Workshop) -> Iterator[Take]:
    """Voices and mixes."""
    shop.progress.start("voices and mixes", len(takes))
    for take in takes:
        path = shop.audio / f"{take.name}.flac"
        if path.exists() or shop.succeeds(partial(make_take, take, path)):
            yield take
        shop.progress.advance()


def credit_of(origin: Origin, title: str, file: str) -> Credit:
    """The credit of a file of a package."""
    source = "/".join(part for part in (origin.archive, origin.folder, file) if part)
    return Credit(origin.artist, title, origin.licence, f"{origin.package}: {source}")


def whole_file(
    name: str, path: Path, split: str, kind: str, credit: Credit, sung: tuple[Span, ...] = ()
) -> Layer:
    """A sound file from its beginning to its end."""
    return Layer(name, path, 0.0, read_duration(path), sung, split, kind, credit)


def corpus_layers(corpus: Path, wanted: Sequence[Voices]) -> Iterator[Layer]:
    """The recordings of a corpus that the list names."""
    for recording in read_corpus(corpus).recordings:
        for entry in wanted:
            if fnmatch.fnmatch(recording.path.stem, entry.files):
                yield _corpus_layer(recording, entry)
                break


def _corpus_layer(recording: Recording, entry: Voices) -> Layer:
    name = recording.path.stem
    spans = tuple((part.start, part.end) for part in recording.segments if part.label == 1)
    artist = entry.artist or name.rpartition("_")[0]
    source = f"{recording.path.parents[1].name}: {recording.path.name}"
    credit = Credit(artist, name.replace("_", " "), entry.licence, source)
    return whole_file(name, recording.path, recording.split, entry.kind, credit, spans)


if __name__ == "__main__":
    sys.exit(main())
