"""Reads pieces of a file, with other bytes between them, as one file."""

from __future__ import annotations

import bisect
import io
import itertools
from collections.abc import Iterable
from mmap import ACCESS_READ, mmap
from pathlib import Path

Piece = bytes | range  # bytes, or a span of the file


class Spliced(io.RawIOBase):
    """A read-only stream of pieces of a file and of other bytes."""

    def __init__(self, path: Path, pieces: Iterable[Piece]) -> None:
        with path.open("rb") as stream:
            self._data = memoryview(mmap(stream.fileno(), 0, access=ACCESS_READ))
        self._parts = [
            self._data[piece.start : piece.stop] if isinstance(piece, range) else memoryview(piece)
            for piece in pieces
        ]
        self._ends = list(itertools.accumulate(map(len, self._parts)))
        self._at = 0

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether `seek` works: always."""
        return True

    def tell(self) -> int:
        """The offset of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset, and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1]}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer; returns the number of bytes, which is lower only at the end."""
        filled, target = 0, memoryview(buffer).cast("B")
        while filled < len(target) and self._at < self._ends[-1]:
            number = bisect.bisect_right(self._ends, self._at)
            part = self._parts[number]
            first = self._at - self._ends[number] + len(part)
            copied = part[first : first + len(target) - filled]
            target[filled : filled + len(copied)] = copied
            filled += len(copied)
            self._at += len(copied)
        return filled
