"""MPEG audio (MP3): the frames a file holds, found one by one, whatever its header says.

Layout of frames and of the Xing header: ISO/IEC 11172-3, 13818-3; LAME's `VbrTag.c`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz
KBITS = {  # by whether it is MPEG 1, and layer
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
LEAST_CHAIN = 3  # headers one after another, each where the one before ends, that prove a start
SAME = 0xFFFE0C00  # bits of a header that no frame of a stream changes: version, layer, rate
CHANGING, NO_CHECKSUM = 0x0001F200, 0x00010000  # bits: checksum, rate of bits, padding
NUMBER_OF_FRAMES, NUMBER_OF_BYTES = 1, 2  # flags of a Xing header
TAG_HEADER = 10
START = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]")  # of a header
MOST_STARTS = 2**18  # places in a file that look like headers and are none
TAIL = 1024  # bytes of tags behind the frames that make no difference


@dataclass(frozen=True)
class MpegStream:
    """Frames of one kind: `frames` of `samples` each, in `spans` of the file; `rate` in Hz.

    `claimed` is the number of frames that its Xing header says, None where there is none.
    `whole`: the last frame is complete. `gaps` between frames hold what is neither frames nor tags.
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
        """Where the first frame begins."""
        return self.spans[0].start

    @property
    def seconds(self) -> float:
        """Length of the frames."""
        return self.frames * self.samples / self.rate

    @property
    def claimed_seconds(self) -> float | None:
        """Length as the Xing header says."""
        return None if self.claimed is None else self.claimed * self.samples / self.rate


def mpeg_streams(data: mmap) -> list[MpegStream]:
    """The MPEG streams in a file, one behind the other, without what lies between frames.

    Empty where there is none of layers 1 to 3 with a known rate. A new one begins where version,
    layer or rate change. ValueError for more of what only looks like frames than is worth a search.
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
        if end <= len(data) <= end + TAIL:  # as long as it says: no need to count
            return MpegStream((range(first, end),), claimed, samples, rate, claimed, True, 0)
    spans, frames, whole, gaps = _walk(data, first, header, starts)
    if flags:
        frames -= 1  # the header's own frame holds no sound
    return MpegStream(tuple(spans), frames, samples, rate, claimed, whole, gaps)


def is_free_format(data: mmap) -> bool:
    """Whether frames begin of a rate that their header does not say, which are not counted here."""
    header = _header(data, after_tags(data))
    return header >> 21 == 0x7FF and header >> 12 & 15 == 0 and header >> 17 & 3 > 0


def after_tags(data: mmap) -> int:
    """Where ID3v2 tags at the beginning of a file end."""
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
    """Bytes and spans of the file that make one whose Xing header has the true number of frames."""
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
    """A frame without sound of the same stream, large enough for a Xing header of the frames."""
    header = header & ~CHANGING | NO_CHECKSUM
    needed = _xing_at(header, 0) + 12
    frames = (header | index << 12 for index in range(1, 15))
    frame = next(frame for frame in frames if _size(frame) >= needed)
    tag = b"Xing" + NUMBER_OF_FRAMES.to_bytes(4) + count
    return (frame.to_bytes(4) + bytes(needed - 16) + tag).ljust(_size(frame), b"\0")


def _header(data: mmap, at: int) -> int:
    return int.from_bytes(data[at : at + 4])


def _size(header: int) -> int:
    """Bytes of a frame; 0 for what is no header, and for free formats, whose size is not in it."""
    version, layer, rate = header >> 19 & 3, 4 - (header >> 17 & 3), header >> 10 & 3
    bits, padding = header >> 12 & 15, header >> 9 & 1
    if header >> 21 != 0x7FF or version == 1 or layer == 4 or rate == 3 or bits in (0, 15):
        return 0
    kbit, hertz = KBITS[version == 3, layer][bits - 1], RATES[version][rate]
    if layer == 1:
        return (12_000 * kbit // hertz + padding) * 4
    return _samples(header) // 8 * 1000 * kbit // hertz + padding


def _samples(header: int) -> int:
    """Samples a channel in a frame."""
    version, layer = header >> 19 & 3, 4 - (header >> 17 & 3)
    if layer == 1:
        return 384
    return 576 if layer == 3 and version != 3 else 1152


def _side_information(header: int) -> int:
    """Bytes of layer 3's side information, behind which a Xing header stands."""
    mono = header >> 6 & 3 == 3
    return (17 if mono else 32) if header >> 19 & 3 == 3 else (9 if mono else 17)


class _Starts:
    """Looks for frames in a file."""

    def __init__(self, data: mmap) -> None:
        self.data, self.left = data, MOST_STARTS

    def next(self, behind: int, like: int | None) -> int | None:
        """Where frames begin from a place on: those of a stream `like` a header, or any.

        One that is `like`, or that begins right there, may be the file's last; any other has to be
        followed by frames.
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
                raise ValueError("too many bytes between what may be frames of MPEG audio")
            self.left -= 1
            yield found.start()
            at = found.start() + 1


def _chain(data: mmap, at: int, like: int, may_end: bool) -> bool:
    """Whether LEAST_CHAIN headers follow one another, or fewer up to the file's end if it may."""
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
    """Where a frame's Xing header stands, if it has one."""
    return first + 4 + _side_information(header)


def _xing_flags(data: mmap, first: int) -> int:
    """Flags of the Xing header in the first frame; 0 where there is none."""
    at = _xing_at(_header(data, first), first)
    return _header(data, at + 4) if data[at : at + 4] in (b"Xing", b"Info") else 0


def _walk(data: mmap, at: int, like: int, starts: _Starts) -> tuple[list[range], int, bool, int]:
    """Spans of complete frames from a place on, their number, whether none is cut off, and gaps.

    Across what is no frame, up to the first frame of another kind.
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
