"""The streams of a sound file for libsndfile, with lengths that its headers do not state.

A file may contain several consecutive streams, and its header may have no length or a wrong one.
A missing length is found; a file whose header states more than the file contains is refused.
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

from ganexplain.audio.formats.c_stderr import hide_c_errors
from ganexplain.audio.formats.ffmpeg_decoder import DecodedKind, Decoder, decoded_kind
from ganexplain.audio.formats.flac_frames import (
    IS_LAST,
    MARKER,
    PADDING,
    TOTAL_AT,
    claimed_samples,
    counted_samples,
    native_streams,
    sample_rate,
    seek_table_at,
    with_total,
)
from ganexplain.audio.formats.mpeg_frames import (
    MpegStream,
    after_tags,
    is_free_format,
    mpeg_streams,
    with_true_length,
)
from ganexplain.audio.formats.ogg_pages import CAPTURE, ogg_streams
from ganexplain.audio.formats.riff_chunks import (
    bytes_behind,
    has_whole_samples,
    is_placeholder,
    is_riff,
    open_length,
)
from ganexplain.audio.formats.spliced import Piece, Spliced
from ganexplain.errors import BadFile

HEAD = 16  # bytes by which other kinds of files are known
TAIL = 4096  # bytes behind the samples that are ignored
TOLERANCE = 0.1  # s by which lengths may differ, as decoders treat the first frames differently
SIZES = re.compile(r"(?:data|SSND|BODY|Data Size|Data length|riff)\s*:?\s*(\d+) \(?should be (\d+)")
NIST_HEADER = 1024  # bytes
NIST_FRAMES = re.compile(rb"NIST_1A\s.*sample_count -i (\d+)", re.DOTALL)
FRAMES = re.compile(r"^\s*(?:Frames|(?:Rows : \d+\s+)?Cols)\s*: (\d+)", re.MULTILINE)
LOGGER = logging.getLogger("ganexplain")
MPEG_SUFFIXES = (".mp3", ".mp2", ".mpeg", ".mpga")


@dataclass(frozen=True)
class SoundStream:
    """One stream of a file: `frames` samples per channel at `rate` Hz.

    libsndfile reads `pieces`, or the file itself if they are empty; ffmpeg reads a file of a
    `decoded` kind. `warning` is to be reported.
    """

    path: Path
    pieces: tuple[Piece, ...]
    frames: int
    rate: int
    warning: str = ""
    decoded: DecodedKind | None = None

    @property
    def seconds(self) -> float:
        """Its length in seconds."""
        return self.frames / self.rate

    def open(self) -> sf.SoundFile | Decoder:
        """Open the stream at its beginning; errors as those of soundfile and of `Decoder`."""
        return Decoder(self.path, self.decoded) if self.decoded else self.open_by_libsndfile()

    def open_by_libsndfile(self) -> sf.SoundFile:
        """Open a stream that is of no `decoded` kind; errors as those of soundfile."""
        with hide_c_errors():
            if self.pieces:
                return sf.SoundFile(Spliced(self.path, self.pieces))
            return sf.SoundFile(os.fsencode(self.path))


def sound_streams(path: Path) -> tuple[SoundStream, ...]:
    """The streams of a sound file, in order; warnings are logged.

    Raises OSError and errors of soundfile if it cannot be opened, BadFile if it is shorter than
    its header states.
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
        if decoded := decoded_kind(data[start : start + HEAD]):
            with Decoder(path, decoded) as sound:
                return (SoundStream(path, (), sound.count(), sound.samplerate, decoded=decoded),)
        kind = data[start : start + 4]
        if kind == CAPTURE:
            return _ogg(path, data)
        if kind == MARKER:
            spans = native_streams(data, start)
            return tuple(_flac(path, data, (span,), len(span) == size) for span in spans)
        found: tuple[SoundStream, ...] = ()
        if not is_riff(data) and (
            kind[:1] == b"\xff" or start or path.suffix.lower() in MPEG_SUFFIXES
        ):
            found = _mpeg(path, data)
        return found or (_with_chunks(path, data),)


def _stream(path: Path, pieces: tuple[Piece, ...] = (), warning: str = "") -> SoundStream:
    with SoundStream(path, pieces, 0, 1).open_by_libsndfile() as sound:
        return SoundStream(path, pieces, sound.frames, sound.samplerate, warning)


def _cut_off(path: Path, claimed: float, there: float) -> BadFile:
    return BadFile(
        f"{path}: is cut off: its header says {claimed:.3f} s, and {there:.3f} s are there; "
        "get it again, or leave it out"
    )


def _more(path: Path, claimed: float, there: float) -> str:
    return f"{path}: its header says {claimed:.3f} s, and {there:.3f} s are there; all are used"


def _with_chunks(path: Path, data: mmap) -> SoundStream:
    """The stream of WAV, AIFF and similar formats."""
    unknown = open_length(data)
    if unknown:
        end = unknown.at + len(unknown.filled)
        found = _stream(path, (range(unknown.at), unknown.filled, range(end, len(data))))
        if unknown.claimed:
            raise _cut_off(path, unknown.claimed * found.seconds, found.seconds)
        return found
    behind = bytes_behind(data)
    if behind > TAIL:
        raise BadFile(
            f"{path}: {behind:,} bytes that are not part of its format follow the samples; repair "
            "the length in its header, or separate the files that were joined"
        )
    with SoundStream(path, (), 0, 1).open_by_libsndfile() as sound:
        frames, rate, log = sound.frames, sound.samplerate, sound.extra_info
    there = frames / rate
    nist = NIST_FRAMES.match(data[:NIST_HEADER])
    claimed = (int(nist[1]) if nist else _claimed_frames(frames, log)) / rate
    if claimed > there + TOLERANCE:
        raise _cut_off(path, claimed, there)
    # libsndfile also says so of a whole GSM file, whose padding it takes for samples.
    is_said = "seems to be truncated" in log.lower().replace("a truncated", "truncated")
    if is_said and not has_whole_samples(data):
        raise BadFile(f"{path}: is cut off: {there:.3f} s are there, fewer than its header says")
    return SoundStream(path, (), frames, rate)


def _claimed_frames(frames: int, log: str) -> float:
    """The number of frames in a header, from libsndfile's log; `frames` if it is not there."""
    for size, there in SIZES.findall(log):
        if 0 < int(there) < int(size):
            return frames if is_placeholder(int(size)) else frames * int(size) / int(there)
    return max(map(int, FRAMES.findall(log)), default=frames)


def _mpeg(path: Path, data: mmap) -> tuple[SoundStream, ...]:
    """The streams of MPEG audio; none for a free format, which is not analysed."""
    streams = mpeg_streams(data)
    if not streams and not is_free_format(data):
        return (_misnamed(path, len(data)),)
    return tuple(_mpeg_stream(path, data, stream) for stream in streams)


def _mpeg_stream(path: Path, data: mmap, stream: MpegStream) -> SoundStream:
    """A stream without the bytes between its frames, at which libmpg123 may stop."""
    spans = () if stream.spans == (range(len(data)),) else stream.spans
    claimed, warning = stream.claimed_seconds, _damage(path, stream)
    if claimed is None:
        found = _stream(path, spans, warning)
        if abs(found.seconds - stream.seconds) <= TOLERANCE:
            return found
        return _stream(path, with_true_length(data, stream), warning)
    if claimed > stream.seconds + TOLERANCE:
        raise _cut_off(path, claimed, stream.seconds)
    if claimed >= stream.seconds - TOLERANCE:
        return _stream(path, spans, warning)
    warning = _more(path, claimed, stream.seconds)
    return _stream(path, with_true_length(data, stream), warning)


def _damage(path: Path, stream: MpegStream) -> str:
    """A warning about damaged frames, or an empty string."""
    found = []
    if stream.gaps:
        places = "one place" if stream.gaps == 1 else f"{stream.gaps:,} places"
        found.append(f"no frames of MPEG audio in {places}, where the sound may be damaged")
    if not stream.whole and stream.claimed is None:
        found.append("ends within a frame, it may be cut off")
    return f"{path}: {'; '.join(found)}" if found else ""


def _misnamed(path: Path, size: int) -> SoundStream:
    """A stream of another format in a file named as MPEG audio; ValueError if there is none.

    Without the name libsndfile recognises the format by the content; with the name it would use
    libmpg123, which prints lines of its own.
    """
    try:
        return _stream(path, (range(size),))
    except sf.LibsndfileError:
        raise ValueError("it contains no frame of MPEG audio") from None


def _flac(path: Path, data: mmap, spans: Sequence[range], whole_file: bool) -> SoundStream:
    """A stream of FLAC in spans of a file; `whole_file` if these are the whole file."""
    content = data if whole_file else b"".join(data[span.start : span.stop] for span in spans)
    claimed, counted = claimed_samples(content), counted_samples(content)
    rate = sample_rate(content)
    pieces: tuple[Piece, ...] = tuple(spans)
    if not whole_file and (table := seek_table_at(content)) is not None:  # its offsets are wrong
        pieces = _with(pieces, table, (content[table] & IS_LAST | PADDING).to_bytes())
    if counted is None or not rate or claimed == counted:
        return _stream(path, () if whole_file else pieces)
    if claimed > counted:
        raise _cut_off(path, claimed / rate, counted / rate)
    warning = _more(path, claimed / rate, counted / rate) if claimed else ""
    return _stream(path, _with(pieces, TOTAL_AT, with_total(content, counted)), warning)


def _with(pieces: Sequence[Piece], at: int, filled: bytes) -> tuple[Piece, ...]:
    """The pieces with the bytes at the offset `at`, which must be in one piece, replaced."""
    found: list[Piece] = []
    for piece in pieces:
        inside = 0 <= at < len(piece)
        found += [piece[:at], filled, piece[at + len(filled) :]] if inside else [piece]
        at -= len(piece)
    return tuple(found)


def _ogg(path: Path, data: mmap) -> tuple[SoundStream, ...]:
    streams, whole = ogg_streams(data)
    found = []
    for stream in streams:
        if stream.is_flac:
            found.append(_flac(path, data, stream.native_flac(), whole_file=False))
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
