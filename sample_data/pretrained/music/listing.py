"""The list `pieces.toml`: what is taken of which package, who made it, and in which split it is."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LISTING = Path(__file__).with_name("pieces.toml")
SPLITS = ("train", "valid", "test")
MUSIC = ("rock", "electronic", "chip", "orchestral", "folk")  # kinds without a voice
MOST_VOICE = 0.05  # largest share of a piece that a voice detector may hear as voice


@dataclass(frozen=True)
class Origin:
    """Where files come from: a Debian package, and a folder or an archive (zip) in it."""

    package: str
    folder: str
    archive: str
    artist: str
    licence: str
    split: str


@dataclass(frozen=True)
class Piece:
    """`seconds` of an instrumental recording from `start` on.

    `size` (bytes) and `sha256` (its first 16 digits) are those of the file in the package. `voice`
    is the share of the frames in which a voice detector heard speech or singing.
    """

    name: str
    origin: Origin
    kind: str
    file: str
    title: str
    size: int
    sha256: str
    start: float
    seconds: float
    voice: float


@dataclass(frozen=True)
class Speaker:
    """Recorded speech: all files of an origin whose names match `files` but not `without`."""

    name: str
    origin: Origin
    files: str
    without: tuple[str, ...]
    count: int  # of files
    minutes: float  # how much of it is used


@dataclass(frozen=True)
class Voices:
    """Recordings of the corpora that are given: solo voices (`voice`) are mixed, others are not."""

    files: str  # a pattern of names
    kind: str
    artist: str  # empty: the name up to the last underscore
    licence: str


@dataclass(frozen=True)
class Listing:
    """Everything that the corpus is made of."""

    pieces: tuple[Piece, ...]
    speakers: tuple[Speaker, ...]
    voices: tuple[Voices, ...]

    def packages(self) -> dict[str, set[str]]:
        """The files and folders that are needed of each package, by its name."""
        needed: dict[str, set[str]] = {}
        origins = [piece.origin for piece in self.pieces]
        for origin in (*origins, *(speaker.origin for speaker in self.speakers)):
            needed.setdefault(origin.package, set()).add(origin.archive or origin.folder)
        return dict(sorted(needed.items()))


def read_listing(path: Path = LISTING) -> Listing:
    """The list of a TOML file; ValueError where it contradicts itself."""
    text = tomllib.loads(path.read_text(encoding="utf-8"))
    pieces = [
        _piece(_origin(works), works["kind"], entry)
        for works in text["works"]
        for entry in works["pieces"]
    ]
    speakers = [
        Speaker(
            entry["name"],
            _origin(entry),
            entry["files"],
            tuple(entry.get("without", ())),
            entry["count"],
            entry["minutes"],
        )
        for entry in text["speakers"]
    ]
    voices = [
        Voices(entry["files"], entry["kind"], entry.get("artist", ""), entry["licence"])
        for entry in text["recordings"]
    ]
    listing = Listing(tuple(pieces), tuple(speakers), tuple(voices))
    check_listing(listing)
    return listing


def _origin(entry: dict[str, Any]) -> Origin:
    return Origin(
        entry["package"],
        entry["folder"],
        entry.get("archive", ""),
        entry.get("artist", entry.get("name", "")),
        entry["licence"],
        entry["split"],
    )


def _piece(origin: Origin, kind: str, entry: dict[str, Any]) -> Piece:
    return Piece(origin=origin, kind=kind, **entry)


def check_listing(listing: Listing) -> None:
    """Raise ValueError for a name used twice, an artist in two splits, or a piece with a voice."""
    parts: list[Piece | Speaker] = [*listing.pieces, *listing.speakers]
    names = [part.name for part in parts]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"pieces.toml: {min(twice)} is the name of two entries; rename one")
    homes: dict[str, str] = {}
    for part in parts:
        origin = part.origin
        if origin.split not in SPLITS:
            raise ValueError(f"pieces.toml: {part.name}: {origin.split!r} is no split")
        if homes.setdefault(origin.artist, origin.split) != origin.split:
            raise ValueError(f"pieces.toml: {origin.artist} is in two splits; keep one")
    for piece in listing.pieces:
        if piece.kind not in MUSIC:
            raise ValueError(f"pieces.toml: {piece.name}: {piece.kind!r} is no kind of music")
        if piece.voice > MOST_VOICE:
            raise ValueError(
                f"pieces.toml: {piece.name}: a voice is heard in {piece.voice:.0%}; leave it out"
            )
