"""Ogg pages (RFC 3533): finds the consecutive streams in a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from mmap import mmap

CAPTURE = b"OggS"
HEADER = 27  # bytes of a page before its table of segments
BEGINS, ENDS = 2, 4  # flags of a page
FLAC_FIRST = b"\x7fFLAC"
FLAC_MAPPING = 9  # bytes of the Ogg mapping before the native FLAC stream
SOUNDS = (b"\x01vorbis", b"OpusHead", FLAC_FIRST, b"Speex   ")


@dataclass
class OggStream:
    """One logical stream of sound.

    `pages` are spans of the file in bytes, where adjacent pages are one span; `bodies` are the
    pages of FLAC without their headers; `ended` means that the last page is marked as the last.
    """

    codec: bytes
    pages: list[range] = field(default_factory=list)
    bodies: list[range] = field(default_factory=list)
    ended: bool = False

    @property
    def is_flac(self) -> bool:
        """Whether it is FLAC, of which libsndfile can read only the bodies of the pages."""
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
        """The spans of a FLAC stream that form a native FLAC file."""
        first = self.bodies[0]
        return range(first.start + FLAC_MAPPING, first.stop), *self.bodies[1:]


def ogg_streams(data: mmap) -> tuple[list[OggStream], bool]:
    """The streams of sound in an Ogg file, in order, and whether its last page is complete."""
    found: list[OggStream] = []
    current: dict[bytes, OggStream] = {}  # the streams of this link of the chain by serial number
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
            current[serial] = OggStream(codec)
            if codec:
                found.append(current[serial])
        if serial in current:
            current[serial].add(range(at, body.stop), body, bool(flags & ENDS))
        at = body.stop
    return found, True
