"""FLAC (RFC 9639): counts the samples of a stream by its last frame."""

from __future__ import annotations

import re
from collections.abc import Iterator
from mmap import mmap

MARKER = b"fLaC"
BEGINNING = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")  # the marker and STREAMINFO's header
PADDING, SEEK_TABLE, IS_LAST = 1, 3, 0x80  # types of metadata blocks, and a flag
STREAMINFO = 8  # offset of its values, behind the marker and the block's header
TOTAL_AT = STREAMINFO + 13  # offset of the number of samples: the low 4 bits, and 4 bytes
SEARCHED = 2**16  # possible headers after which the search ends
POLYNOMIAL = 0x07  # of the frame header's checksum
BLOCK_SIZES = {  # samples of a block by its code, for codes with a fixed size
    1: 192,
    **{code: 576 << code - 2 for code in range(2, 6)},
    **{code: 1 << code for code in range(8, 16)},
}
Bytes = bytes | mmap


def claimed_samples(data: Bytes) -> int:
    """Samples per channel according to the header; 0 if unknown."""
    return int.from_bytes(data[TOTAL_AT : TOTAL_AT + 5]) & 0xFFFFFFFFF


def sample_rate(data: Bytes) -> int:
    """Sample rate in Hz; 0 if the header has none."""
    return int.from_bytes(data[STREAMINFO + 10 : STREAMINFO + 13]) >> 4


def with_total(data: Bytes, samples: int) -> bytes:
    """The 5 bytes with the number of samples in the header, with another number."""
    return ((data[TOTAL_AT] & 0xF0) << 32 | samples).to_bytes(5)


def native_streams(data: Bytes, start: int) -> list[range]:
    """The spans of consecutive streams in a file, from the offset `start` on."""
    begins = [found.start() for found in BEGINNING.finditer(data, start)] or [start]
    return [range(*both) for both in zip(begins, [*begins[1:], len(data)], strict=True)]


def seek_table_at(data: Bytes) -> int | None:
    """The offset of the header of a seek table, or None."""
    at, flags = len(MARKER), 0
    while not flags & IS_LAST and at + 4 <= len(data):
        flags = data[at]
        if flags & ~IS_LAST == SEEK_TABLE:
            return at
        at += 4 + int.from_bytes(data[at + 1 : at + 4])
    return None


def counted_samples(data: Bytes) -> int | None:
    """Samples up to the end of the last frame; None if no header can be confirmed by another."""
    smallest = int.from_bytes(data[STREAMINFO : STREAMINFO + 2])
    largest = int.from_bytes(data[STREAMINFO + 2 : STREAMINFO + 4])
    fixed = smallest == largest
    later: dict[int, int] = {}  # first sample of a frame -> its end
    for number, block in _headers_backwards(data, b"\xff\xf8" if fixed else b"\xff\xf9"):
        start = number * smallest if fixed else number
        end = start + block
        if end in later or start == 0:  # it fits another frame, so neither is a coincidence
            return max(later.get(end, end), end)
        later[start] = end
    return None


def _headers_backwards(data: Bytes, sync: bytes) -> Iterator[tuple[int, int]]:
    """Coded number and samples of each frame header, from the last to the first."""
    at = len(data)
    for _ in range(SEARCHED):
        at = data.rfind(sync, STREAMINFO, at + 1)
        if at < 0:
            break
        found = _header(data[at : at + 16])
        if found is not None:
            yield found
        at -= 1


def _header(header: bytes) -> tuple[int, int] | None:
    """Coded number and samples of the frame header at the start of these bytes, or None."""
    if len(header) < 6 or header[3] & 1 or header[3] >> 4 > 10:
        return None
    size, rate = header[2] >> 4, header[2] & 15
    length, number = _coded_number(header[4:11])
    at = 4 + length
    extra = {6: 1, 7: 2}.get(size, 0)
    samples = int.from_bytes(header[at : at + extra]) + 1 if extra else BLOCK_SIZES.get(size, 0)
    end = at + extra + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if not length or not samples or rate == 15 or end >= len(header):
        return None
    return (number, samples) if _checksum(header[:end]) == header[end] else None


def _coded_number(code: bytes) -> tuple[int, int]:
    """Length and value of a number coded as in UTF-8, up to 36 bits; length 0 if it is invalid."""
    ones = 8 - (~code[0] & 0xFF).bit_length()
    if ones == 0:
        return 1, code[0]
    if ones in (1, 8) or len(code) < ones or any(byte >> 6 != 2 for byte in code[1:ones]):
        return 0, 0
    value = code[0] & 0x7F >> ones
    for byte in code[1:ones]:
        value = value << 6 | byte & 0x3F
    return ones, value


def _checksum(header: bytes) -> int:
    value = 0
    for byte in header:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ (POLYNOMIAL if value & 0x80 else 0)) & 0xFF
    return value
