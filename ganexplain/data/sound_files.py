"""What libsndfile is to read of a sound file, where the file's header does not say it all.

A file may hold several streams, one behind the other, and its header may be silent about their
length or contradict what follows. Where it is silent the length is found; where it contradicts,
the file is refused.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path

import soundfile as sf

from ganexplain.data.flac_frames import (
    MARKER,
    TOTAL_AT,
    claimed_samples,
    counted_samples,
    sample_rate,
    with_total,
)
from ganexplain.data.mpeg_frames import after_tags, is_free_format, mpeg_stream, with_true_length
from ganexplain.data.ogg_pages import CAPTURE, ogg_streams
from ganexplain.data.riff_chunks import PLACEHOLDERS, bytes_behind, is_riff, open_length
from ganexplain.data.spliced import Piece, Spliced
from ganexplain.errors import BadFile

TAIL = 4096  # bytes behind the samples that make no difference
TOLERANCE = 0.1  # s by which lengths may differ: decoders disagree about the edges of frames
SIZES = re.compile(r"(?:data|SSND|BODY|Data Size|Data length|riff)\s*:?\s*(\d+) \(?should be (\d+)")
NIST_HEADER = 1024  # bytes
NIST_FRAMES = re.compile(rb"NIST_1A\s.*sample_count -i (\d+)", re.DOTALL)
FRAMES = re.compile(r"^\s*Frames\s*:\s*(\d+)", re.MULTILINE)
LOGGER = logging.getLogger("ganexplain")
MPEG_SUFFIXES = (".mp3", ".mp2", ".mpeg", ".mpga")


@dataclass(frozen=True)
class SoundStream:
    """One stream of a file: `frames` samples of each channel at `rate` Hz.

    `pieces` is what libsndfile reads, empty for the file as it is; `warning` is worth a line.
    """

    path: Path
    pieces: tuple[Piece, ...]
    frames: int
    rate: int
    warning: str = ""

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.frames / self.rate

    def open(self) -> sf.SoundFile:
        """The stream, to be read from its beginning; libsndfile's errors."""
        if self.pieces:
            return sf.SoundFile(Spliced(self.path, self.pieces))
        return sf.SoundFile(os.fsencode(self.path))


def sound_streams(path: Path) -> tuple[SoundStream, ...]:
    """The streams of a sound file, in order.

    Raises OSError and libsndfile's errors where it cannot be opened, BadFile where its header
    contradicts what follows. Warnings are logged.
    """
    found = path.stat()
    streams = _streams(path, found.st_size, found.st_mtime_ns)
    for stream in streams:
        if stream.warning:
            LOGGER.warning("%s", stream.warning)
    return streams


@lru_cache(maxsize=4096)
def _streams(path: Path, size: int, changed: int) -> tuple[SoundStream, ...]:
    with path.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as data:
        start = after_tags(data)
        kind = data[start : start + 4]
        if kind == CAPTURE:
            return _ogg(path, data)
        if kind == MARKER:
            return (_flac(path, data, (range(start, size),), as_it_is=not start),)
        found = None
        if not is_riff(data) and (
            kind[:1] == b"\xff" or start or path.suffix.lower() in MPEG_SUFFIXES
        ):
            found = _mpeg(path, data)
        return (found or _with_chunks(path, data),)


def _stream(path: Path, pieces: tuple[Piece, ...] = (), warning: str = "") -> SoundStream:
    with SoundStream(path, pieces, 0, 1).open() as sound:
        return SoundStream(path, pieces, sound.frames, sound.samplerate, warning)


def _cut_off(path: Path, claimed: float, there: float) -> BadFile:
    return BadFile(
        f"{path}: is cut off: its header says {claimed:.3f} s, and {there:.3f} s are there; "
        "get it again, or leave it out"
    )


def _more(path: Path, claimed: float, there: float) -> str:
    return f"{path}: its header says {claimed:.3f} s, and {there:.3f} s are there; all are used"


def _with_chunks(path: Path, data: mmap) -> SoundStream:
    """The stream of WAV, AIFF and the like."""
    left_open = open_length(data)
    if left_open:
        end = left_open.at + len(left_open.filled)
        return _stream(path, (range(left_open.at), left_open.filled, range(end, len(data))))
    behind = bytes_behind(data)
    if behind > TAIL:
        raise BadFile(
            f"{path}: {behind:,} bytes that are no part of its format follow the samples; repair "
            "the length in its header, or part the files that were joined"
        )
    with SoundStream(path, (), 0, 1).open() as sound:
        frames, rate, log = sound.frames, sound.samplerate, sound.extra_info
    there = frames / rate
    nist = NIST_FRAMES.match(data[:NIST_HEADER])
    claimed = (int(nist[1]) if nist else _claimed_frames(frames, log)) / rate
    if claimed > there + TOLERANCE:
        raise _cut_off(path, claimed, there)
    if "seems to be truncated" in log.lower().replace("a truncated", "truncated"):
        raise BadFile(f"{path}: is cut off: {there:.3f} s are there, fewer than its header says")
    return SoundStream(path, (), frames, rate)


def _claimed_frames(frames: int, log: str) -> float:
    """What a header claims, as libsndfile's log of reading it says; `frames` where it is silent."""
    for size, there in SIZES.findall(log):
        if 0 < int(there) < int(size) < PLACEHOLDERS:
            return frames * int(size) / int(there)
    return max(map(int, FRAMES.findall(log)), default=frames)


def _mpeg(path: Path, data: mmap) -> SoundStream | None:
    stream = mpeg_stream(data)
    if stream is None:
        return None if is_free_format(data) else _misnamed(path, len(data))
    claimed = stream.claimed_seconds
    if claimed is None:
        cut = "" if stream.whole else f"{path}: ends within a frame, it may be cut off"
        found = _stream(path, (), cut)
        if abs(found.seconds - stream.seconds) <= TOLERANCE:
            return found
        return _stream(path, with_true_length(data, stream), cut)
    if claimed > stream.seconds + TOLERANCE:
        raise _cut_off(path, claimed, stream.seconds)
    if claimed >= stream.seconds - TOLERANCE:
        return _stream(path)
    warning = _more(path, claimed, stream.seconds)
    return _stream(path, with_true_length(data, stream), warning)


def _misnamed(path: Path, size: int) -> SoundStream:
    """A stream of another format in a file named as MPEG audio; ValueError where there is none.

    Without the name libsndfile goes by the content; by the name it would ask libmpg123, which
    writes lines of its own.
    """
    try:
        return _stream(path, (range(size),))
    except sf.LibsndfileError:
        raise ValueError("no frame of MPEG audio in it") from None


def _flac(path: Path, data: mmap, spans: Sequence[range], as_it_is: bool) -> SoundStream:
    """A stream of FLAC, which spans of the file make up; `as_it_is` where they are all of it."""
    content = data if as_it_is else b"".join(data[span.start : span.stop] for span in spans)
    claimed, counted = claimed_samples(content), counted_samples(content)
    rate = sample_rate(content)
    if counted is None or not rate or claimed == counted:
        return _stream(path, () if as_it_is else tuple(spans))
    if claimed > counted:
        raise _cut_off(path, claimed / rate, counted / rate)
    at = spans[0].start + TOTAL_AT
    filled = with_total(content, counted)
    first = (range(spans[0].start, at), filled, range(at + len(filled), spans[0].stop))
    warning = _more(path, claimed / rate, counted / rate) if claimed else ""
    return _stream(path, (*first, *spans[1:]), warning)


def _ogg(path: Path, data: mmap) -> tuple[SoundStream, ...]:
    streams, whole = ogg_streams(data)
    found = []
    for stream in streams:
        if stream.is_flac:
            found.append(_flac(path, data, stream.native_flac(), as_it_is=False))
        else:
            spans = tuple(stream.pages)
            found.append(_stream(path, () if spans == (range(len(data)),) else spans))
    if not found:
        return (_stream(path),)
    if not whole:
        there = sum(stream.seconds for stream in found)
        raise BadFile(
            f"{path}: is cut off within a page, after {there:.3f} s; get it again, or leave it out"
        )
    if not streams[-1].ended:
        warning = f"{path}: its last page is not marked as the last, it may be cut off"
        found[-1] = replace(found[-1], warning=warning)
    return tuple(found)
