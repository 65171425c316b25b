"""MPEG audio (MP3): finds the frames in a file one by one, whatever its header says.

Layout of frames and of the Xing header: ISO/IEC 11172-3, 13818-3; LAME's `VbrTag.c`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz
KBITS = {  # kbit/s by (is MPEG 1, layer)
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
LEAST_CHAIN = 3  # consecutive headers that prove the start of a stream
SAME = 0xFFFE0C00  # bits of a header that are equal in a stream: version, layer, rate
CHANGING, NO_CHECKSUM = 0x0001F200, 0x00010000  # bits: checksum, bit rate, padding
NUMBER_OF_FRAMES, NUMBER_OF_BYTES = 1, 2  # flags of a Xing header
TAG_HEADER = 10
START = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]")  # start of a header
MOST_STARTS = 2**18  # possible headers after which the search fails
TAIL = 1024  # bytes behind the frames that are ignored, as of tags


@dataclass(frozen=True)
class MpegStream:
    """A stream of `frames` frames with `samples` samples each, in `spans` of a file.

    `rate` is in Hz, `claimed` is the number of frames in the Xing header, None without one;
    `whole` means that the last frame is complete; `gaps` counts the places between frames that
    contain neither frames nor tags.
    """

    spans: tuple[range, ...]
    frames: int
    samples: int
    rate: int
    claimed: int | None
    whole: bool
    gaps: int

    @property
    def first(self) -> int:
        """The offset of the first frame."""
        return self.spans[0].start

    @property
    def seconds(self) -> float:
        """Length of the frames in seconds."""
        return self.frames * self.samples / self.rate

    @property
    def claimed_seconds(self) -> float | None:
        """Length according to the Xing header in seconds, None without one."""
        return None if self.claimed is None else self.claimed * self.samples / self.rate


def mpeg_streams(data: mmap) -> list[MpegStream]:
    """The consecutive MPEG streams in a file, without bytes between frames.

    Only layers 1 to 3 with a known bit rate are found. A new stream begins where version, layer or
    sample rate change. Raises ValueError if too many places only look like frames.
    """
    starts = _Starts(data)
    found: list[MpegStream] = []
    at = starts.next(after_tags(data), None)
    while at is not None:
        stream = _stream_from(data, at, starts)
        found.append(stream)
        at = starts.next(stream.spans[-1].stop, None) if stream.whole else None
    return found


def _stream_from(data: mmap, first: int, starts: _Starts) -> MpegStream:
    header = _header(data, first)
    flags = _xing_flags(data, first)
    at = _xing_at(header, first)
    claimed = _header(data, at + 8) if flags & NUMBER_OF_FRAMES else None
    samples, rate = _samples(header), RATES[header >> 19 & 3][header >> 10 & 3]
    if claimed is not None and flags & NUMBER_OF_BYTES:
        end = first + _header(data, at + 12)
        if end <= len(data) <= end + TAIL:  # the header is right, no need to count
            return MpegStream((range(first, end),), claimed, samples, rate, claimed, True, 0)
    spans, frames, whole, gaps = _walk(data, first, header, starts)
    if flags:
        frames -= 1  # the frame of the header contains no sound
    return MpegStream(tuple(spans), frames, samples, rate, claimed, whole, gaps)


def is_free_format(data: mmap) -> bool:
    """Whether a file begins with frames of an unstated bit rate, which cannot be counted."""
    header = _header(data, after_tags(data))
    return header >> 21 == 0x7FF and header >> 12 & 15 == 0 and header >> 17 & 3 > 0


def after_tags(data: mmap) -> int:
    """The offset behind ID3v2 tags at the beginning of a file."""
    at = 0
    while data[at : at + 3] == b"ID3" and len(data) > at + TAG_HEADER:
        at += _tag_length(data, at)
    return at


def _tag_length(data: mmap, at: int) -> int:
    size = 0
    for byte in data[at + 6 : at + 10]:
        size = size << 7 | byte & 0x7F
    return TAG_HEADER + size + (TAG_HEADER if data[at + 5] & 0x10 else 0)


def with_true_length(data: mmap, stream: MpegStream) -> tuple[bytes | range, ...]:
    """Bytes and spans of the file that form a file with the true length in its Xing header."""
    first, count = stream.first, stream.frames.to_bytes(4)
    header = _header(data, first)
    if stream.claimed is None:
        return _frame_with_xing(header, count), *stream.spans
    at = _xing_at(header, first) + 8
    filled = count
    if _xing_flags(data, first) & NUMBER_OF_BYTES:
        filled += sum(map(len, stream.spans)).to_bytes(4)
    behind = range(at + len(filled), stream.spans[0].stop)
    return range(first, at), filled, behind, *stream.spans[1:]


def _frame_with_xing(header: int, count: bytes) -> bytes:
    """A silent frame of the same stream with a Xing header for `count` frames."""
    header = header & ~CHANGING | NO_CHECKSUM
    needed = _xing_at(header, 0) + 12
    frames = (header | index << 12 for index in range(1, 15))
    frame = next(frame for frame in frames if _size(frame) >= needed)
    tag = b"Xing" + NUMBER_OF_FRAMES.to_bytes(4) + count
    return (frame.to_bytes(4) + bytes(needed - 16) + tag).ljust(_size(frame), b"\0")


def _header(data: mmap, at: int) -> int:
    return int.from_bytes(data[at : at + 4])


def _size(header: int) -> int:
    """Bytes of a frame; 0 if it is not a header, or has a free format, whose size is unknown."""
    version, layer, rate = header >> 19 & 3, 4 - (header >> 17 & 3), header >> 10 & 3
    bits, padding = header >> 12 & 15, header >> 9 & 1
    if header >> 21 != 0x7FF or version == 1 or layer == 4 or rate == 3 or bits in (0, 15):
        return 0
    kbit, hertz = KBITS[version == 3, layer][bits - 1], RATES[version][rate]
    if layer == 1:
        return (12_000 * kbit // hertz + padding) * 4
    return _samples(header) // 8 * 1000 * kbit // hertz + padding


def _samples(header: int) -> int:
    """Samples per channel in a frame."""
    version, layer = header >> 19 & 3, 4 - (header >> 17 & 3)
    if layer == 1:
        return 384
    return 576 if layer == 3 and version != 3 else 1152


class _Starts:
    """Searches for the starts of frames in a file."""

    def __init__(self, data: mmap) -> None:
        self.data, self.left = data, MOST_STARTS

    def next(self, behind: int, like: int | None) -> int | None:
        """The offset of the next frame from `behind` on, or None.

        A frame that is `like` another (for None: that begins at `behind`) may be the last of the
        file; any other must be followed by frames.
        """
        for at in self._candidates(behind):
            header = _header(self.data, at)
            expected = at == behind if like is None else (header ^ like) & SAME == 0
            if _chain(self.data, at, header, may_end=expected):
                return at
        return None

    def _candidates(self, at: int) -> Iterator[int]:
        while found := START.search(self.data, at):
            if not self.left:
                raise ValueError("too many bytes between possible frames of MPEG audio")
            self.left -= 1
            yield found.start()
            at = found.start() + 1


def _chain(data: mmap, at: int, like: int, may_end: bool) -> bool:
    """Whether LEAST_CHAIN frames follow one another, or fewer at the end of a file if `may_end`."""
    for _ in range(LEAST_CHAIN):
        header = _header(data, at)
        size = _size(header)
        if not size or (header ^ like) & SAME:
            return False
        at += size
        if may_end and at >= len(data):
            break
    return True


def _xing_at(header: int, first: int) -> int:
    """The offset of a frame's Xing header, if it has one: behind layer 3's side information."""
    mono = header >> 6 & 3 == 3
    side = (17 if mono else 32) if header >> 19 & 3 == 3 else (9 if mono else 17)
    return first + 4 + side


def _xing_flags(data: mmap, first: int) -> int:
    """Flags of the Xing header in the first frame; 0 if there is none."""
    at = _xing_at(_header(data, first), first)
    return _header(data, at + 4) if data[at : at + 4] in (b"Xing", b"Info") else 0


def _walk(data: mmap, at: int, like: int, starts: _Starts) -> tuple[list[range], int, bool, int]:
    """Spans of complete frames from `at` on, their number, whether all are complete, and gaps.

    The walk skips bytes that are not frames, and ends at the first frame of another stream.
    """
    spans, begin, frames, end, sizes = list[range](), at, 0, len(data), dict[int, int]()
    whole, gaps = True, 0
    while at + 4 <= end:
        header = int.from_bytes(data[at : at + 4]) & 0xFFFFFE00
        size = sizes.get(header)
        if size is None:
            size = sizes[header] = 0 if (header ^ like) & SAME else _size(header)
        if size:
            whole = at + size <= end
            if not whole:
                break
            frames += 1
            at += size
            continue
        spans.append(range(begin, at))
        behind = at + _tag_length(data, at) if data[at : at + 3] == b"ID3" else at
        found = starts.next(behind, like)
        if found is None or (_header(data, found) ^ like) & SAME:
            return spans, frames, True, gaps
        gaps += found > behind or behind == at
        begin = at = found
    return [*spans, range(begin, at)], frames, whole, gaps
