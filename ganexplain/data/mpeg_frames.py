"""MPEG audio (MP3): how many frames a file holds, counted one by one, whatever its header says.

Layout of frames and of the Xing header: ISO/IEC 11172-3, 13818-3; LAME's `VbrTag.c`.
"""

from __future__ import annotations

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
SEARCHED = 4096  # bytes of 0xFF that may begin a frame, before a search is given up
MOST_SEARCHES = 64  # in a file
TAIL = 1024  # bytes of tags behind the frames that make no difference


@dataclass(frozen=True)
class MpegStream:
    """What is in a file: `frames` of `samples` each, from byte `first`; `rate` in Hz.

    `claimed` is the number of frames that its Xing header says, None where there is none.
    `whole`: the last frame is complete.
    """

    first: int
    frames: int
    samples: int
    rate: int
    claimed: int | None
    whole: bool

    @property
    def seconds(self) -> float:
        """Length of the frames."""
        return self.frames * self.samples / self.rate

    @property
    def claimed_seconds(self) -> float | None:
        """Length as the Xing header says."""
        return None if self.claimed is None else self.claimed * self.samples / self.rate


def mpeg_stream(data: mmap) -> MpegStream | None:
    """The MPEG stream in a file; None where there is none of layers 1 to 3 with a known rate."""
    first = _next_start(data, after_tags(data), None)
    if first is None:
        return None
    header = _header(data, first)
    flags = _xing_flags(data, first)
    at = _xing_at(header, first)
    claimed = _header(data, at + 8) if flags & NUMBER_OF_FRAMES else None
    samples, rate = _samples(header), RATES[header >> 19 & 3][header >> 10 & 3]
    if claimed is not None and flags & NUMBER_OF_BYTES:
        end = first + _header(data, at + 12)
        if end <= len(data) <= end + TAIL:  # as long as it says: no need to count
            return MpegStream(first, claimed, samples, rate, claimed, True)
    frames, whole = _count(data, first, header)
    if flags:
        frames -= 1  # the header's own frame holds no sound
    return MpegStream(first, frames, samples, rate, claimed, whole)


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
    first, size, count = stream.first, len(data), stream.frames.to_bytes(4)
    header = _header(data, first)
    if stream.claimed is None:
        return range(first), _frame_with_xing(header, count), range(first, size)
    at = _xing_at(header, first) + 8
    filled = count
    if _xing_flags(data, first) & NUMBER_OF_BYTES:
        filled += (size - first).to_bytes(4)
    return range(at), filled, range(at + len(filled), size)


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


def _next_start(data: mmap, at: int, like: int | None) -> int | None:
    """The next place where frames begin, of a stream `like` a header where one is given."""
    for _ in range(SEARCHED):
        at = data.find(b"\xff", at)
        if at < 0:
            break
        header = _header(data, at)
        if (like is None or (header ^ like) & SAME == 0) and _chain(data, at, header):
            return at
        at += 1
    return None


def _chain(data: mmap, at: int, like: int) -> bool:
    """Whether LEAST_CHAIN headers follow one another, or fewer up to the end of the file."""
    for _ in range(LEAST_CHAIN):
        header = _header(data, at)
        size = _size(header)
        if not size or (header ^ like) & SAME:
            return False
        at += size
        if at >= len(data):
            break
    return True


def _xing_at(header: int, first: int) -> int:
    """Where a frame's Xing header stands, if it has one."""
    return first + 4 + _side_information(header)


def _xing_flags(data: mmap, first: int) -> int:
    """Flags of the Xing header in the first frame; 0 where there is none."""
    at = _xing_at(_header(data, first), first)
    return _header(data, at + 4) if data[at : at + 4] in (b"Xing", b"Info") else 0


def _count(data: mmap, at: int, like: int) -> tuple[int, bool]:
    """Complete frames from a place on, across what is no frame, and whether none is cut off."""
    frames, end, sizes, searches = 0, len(data), dict[int, int](), 0
    while at + 4 <= end:
        header = int.from_bytes(data[at : at + 4]) & 0xFFFFFE00
        size = sizes.get(header)
        if size is None:
            size = sizes[header] = 0 if (header ^ like) & SAME else _size(header)
        if size:
            if at + size > end:
                return frames, False
            frames += 1
            at += size
        elif data[at : at + 3] == b"ID3":
            at += _tag_length(data, at)
        else:
            found = _next_start(data, at, like)
            searches += 1
            if found is None or searches > MOST_SEARCHES:
                break
            at = found
    return frames, True
