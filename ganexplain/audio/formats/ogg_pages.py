"""Ogg pages (RFC 3533): the streams in a file, one behind the other, and their bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from mmap import mmap

CAPTURE = b"OggS"
HEADER = 27  # bytes of a page before its table of segments
BEGINS, ENDS = 2, 4  # flags of a page
FLAC_FIRST = b"\x7fFLAC"
FLAC_MAPPING = 9  # bytes of the mapping of FLAC to Ogg before the native stream's first
SOUNDS = (b"\x01vorbis", b"OpusHead", FLAC_FIRST, b"Speex   ")


@dataclass
class OggStream:
    """One logical stream of sound.

    Its `pages`, those that touch as one, and of FLAC their `bodies` are spans of the file in bytes;
    `ended`: the last page says that it is the last.
    """

    codec: bytes
    pages: list[range] = field(default_factory=list)
    bodies: list[range] = field(default_factory=list)
    ended: bool = False

    @property
    def is_flac(self) -> bool:
        """Whether it is FLAC, which libsndfile reads only without the pages around it."""
        return self.codec == FLAC_FIRST

    def add(self, page: range, body: range, ended: bool) -> None:
        """Append a page."""
        if self.pages and self.pages[-1].stop == page.start:
            page = range(self.pages.pop().start, page.stop)
        self.pages.append(page)
        if self.is_flac:
            self.bodies.append(body)
        self.ended = ended

    def native_flac(self) -> tuple[range, ...]:
        """The spans of a FLAC stream that make a native FLAC file."""
        first = self.bodies[0]
        return range(first.start + FLAC_MAPPING, first.stop), *self.bodies[1:]


def ogg_streams(data: mmap) -> tuple[list[OggStream], bool]:
    """The streams of sound in an Ogg file, in order, and whether its last page is whole."""
    found: list[OggStream] = []
    at_once: dict[bytes, OggStream] = {}  # by serial number, those of the present link
    at = 0
    while (at := data.find(CAPTURE, at)) >= 0:
        if at + HEADER > len(data):
            return found, False
        segments = data[at + 26]
        table = data[at + HEADER : at + HEADER + segments]
        body = range(at + HEADER + segments, at + HEADER + segments + sum(table))
        if body.stop > len(data):
            return found, False
        flags, serial = data[at + 5], data[at + 14 : at + 18]
        if flags & BEGINS:
            first = data[body.start : body.stop]
            codec = next((name for name in SOUNDS if first.startswith(name)), b"")
            at_once[serial] = OggStream(codec)
            if codec:
                found.append(at_once[serial])
        if serial in at_once:
            at_once[serial].add(range(at, body.stop), body, bool(flags & ENDS))
        at = body.stop
    return found, True
