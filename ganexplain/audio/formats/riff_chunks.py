"""RIFF, RF64, AU and CAF: headers that do not state the length of the samples."""

from __future__ import annotations

from dataclasses import dataclass
from mmap import mmap
from typing import Literal

ORDERS: dict[bytes, Literal["little", "big"]] = {
    b"RIFF": "little", b"RF64": "little", b"BW64": "little", b"RIFX": "big",
}  # fmt: skip
OPEN = bytes.fromhex("ffffffff")  # an unknown size, 32 bits
PLACEHOLDERS = (0x7F00_0000, 0x8000_0000, 0xFFFF_FFFF)  # sizes that programs write into pipes
NEAR = 0x1_0000  # bytes by which a size may differ from these
MOST_CHUNKS = 4096  # before the samples
AU_SIZE_AT = 8
DS64_DATA_AT = 28  # the size of the samples in RF64's first chunk, 64 bits


@dataclass(frozen=True)
class OpenLength:
    """The bytes `filled` to write at the offset `at`, so that the samples extend to the file's end.

    `claimed` is the length in the header relative to the true one, 0 if the header has none.
    """

    at: int
    filled: bytes
    claimed: float = 0.0


def is_placeholder(size: int) -> bool:
    """Whether a size means "unknown": a program that writes into a pipe cannot fill it in later."""
    return any(abs(size - usual) < NEAR for usual in PLACEHOLDERS)


def is_riff(data: mmap) -> bool:
    """Whether a file begins like WAV or a related format."""
    return data[:4] in ORDERS


def open_length(data: mmap) -> OpenLength | None:
    """The bytes to fill in if a header states no samples although samples follow, or None.

    Also for a CAF file that states more samples than follow, which libsndfile does not open.
    """
    kind = data[:4]
    if kind == b".snd" and data[AU_SIZE_AT : AU_SIZE_AT + 4] == bytes(4):
        return OpenLength(AU_SIZE_AT, OPEN)
    if kind == b"caff":
        return _open_caf(data)
    if not is_riff(data) or (at := data_chunk(data)) is None:
        return None
    if kind in (b"RF64", b"BW64"):
        known = any(data[DS64_DATA_AT : DS64_DATA_AT + 8])
        left = len(data) - at - 8
        return None if known else OpenLength(DS64_DATA_AT, left.to_bytes(8, "little"))
    is_open = data[at + 4 : at + 8] == bytes(4) and bytes_behind(data)
    return OpenLength(at + 4, OPEN) if is_open else None


def _open_caf(data: mmap) -> OpenLength | None:
    at = 8
    for _ in range(MOST_CHUNKS):
        size = int.from_bytes(data[at + 4 : at + 12], "big", signed=True)
        if data[at : at + 4] == b"data":
            left = len(data) - at - 12
            if left > 0 and (size == -1 or size > left):
                return OpenLength(at + 4, left.to_bytes(8), max(size, 0) / left)
            return None
        at += 12 + max(size, 0)
    return None


def data_chunk(data: mmap) -> int | None:
    """The offset of the chunk of samples in a RIFF file, or None."""
    order, at = ORDERS[data[:4]], 12
    for _ in range(MOST_CHUNKS):
        if at + 8 > len(data):
            break
        if data[at : at + 4] == b"data":
            return at
        size = int.from_bytes(data[at + 4 : at + 8], order)
        at += 8 + size + size % 2
    return None


def has_whole_samples(data: mmap) -> bool:
    """Whether the file is RIFF and contains as many bytes of samples as its header says."""
    at = data_chunk(data) if is_riff(data) else None
    if at is None:
        return False
    return at + 8 + int.from_bytes(data[at + 4 : at + 8], ORDERS[data[:4]]) <= len(data)


def bytes_behind(data: mmap) -> int:
    """Number of bytes behind the samples of a RIFF file that are not chunks, padding or tags."""
    at = data_chunk(data) if is_riff(data) else None
    if at is None or data[:4] in (b"RF64", b"BW64"):
        return 0
    order = ORDERS[data[:4]]
    size = int.from_bytes(data[at + 4 : at + 8], order)
    end = at + 8 + size + size % 2
    marker = data[end : end + 4]
    if is_placeholder(size) or marker[:3] in (b"ID3", b"TAG") or not any(marker):
        return 0
    fits = end + 8 + int.from_bytes(data[end + 4 : end + 8], order) <= len(data) + 1
    is_chunk = marker.isascii() and marker.decode().isprintable() and marker not in ORDERS
    return 0 if fits and is_chunk else max(len(data) - end, 0)
