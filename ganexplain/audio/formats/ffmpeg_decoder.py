"""Sound that libsndfile does not read, decoded by the program `ffmpeg` if it is installed.

ffmpeg ends with status 0 for files that are cut off or damaged, and leaves out what it cannot
decode, which would move all that follows. So its messages are read, too, and the length of the
sound is compared with that in the header.
"""

from __future__ import annotations

import logging
import re
import shutil
import struct
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.errors import BadFile, printable

AU_HEADER = struct.Struct(">4s5I")  # mark, offset of the samples, size, encoding, rate, channels
FLOAT32 = 6  # the encoding, big-endian
BYTES = 4  # of a sample
MOST_CHANNELS = 1024
SHORTFALL = 0.25  # s by which a header may exceed the sound: delays of encoders that it counts
SKIPPED = 2**18  # samples that are passed over at once
LONGEST_LOG = 2**20  # bytes that are read
MESSAGE = re.compile(r"^(?:\[[^\]]+ @ \w+\] )?\[(error|fatal|panic|warning)\] (.*)$", re.MULTILINE)
DURATION = re.compile(r"\[info\]\s+Duration: (\d+):(\d\d):(\d\d\.\d+)")
VIDEO = re.compile(r"\[info\]\s+Stream #\S+ Video: (?!.*\(attached pic\))")
ESTIMATED = "Estimating duration"
LOGGER = logging.getLogger("ganexplain")


@dataclass(frozen=True)
class DecodedKind:
    """A kind of file by the bytes `magic` at an offset, and the name of ffmpeg's demuxer.

    `name` has its article. ffmpeg is told the demuxer, so that no file is taken for a playlist.
    """

    at: int
    magic: bytes
    name: str
    demuxer: str


KINDS = (
    DecodedKind(4, b"ftyp", "an MPEG-4 file (M4A, AAC, ALAC)", "mov"),
    DecodedKind(0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM file", "matroska"),
    DecodedKind(0, b"\x30\x26\xb2\x75", "a Windows Media file (WMA)", "asf"),
    DecodedKind(0, b"\xff\xf1", "an AAC stream", "aac"),
    DecodedKind(0, b"\xff\xf9", "an AAC stream", "aac"),
    DecodedKind(0, b"wvpk", "a WavPack file", "wv"),
    DecodedKind(0, b"MAC ", "a Monkey's Audio file", "ape"),
    DecodedKind(0, b"#!AMR", "an AMR file", "amr"),
    DecodedKind(0, b"FLV\1", "a Flash video", "flv"),
)


def decoded_kind(head: bytes) -> DecodedKind | None:
    """The kind of a file from its first bytes behind tags; None if ffmpeg is not needed."""
    return next((kind for kind in KINDS if head[kind.at :].startswith(kind.magic)), None)


class Decoder:
    """The first audio stream of a file, from its beginning, as `soundfile.SoundFile` has it.

    Raises BadFile if ffmpeg is not installed or finds no sound; and where the end is read, if
    ffmpeg failed or reported damage, or if the sound is shorter than the header says.
    """

    subtype = "FFMPEG"

    def __init__(self, path: Path, kind: DecodedKind) -> None:
        self.path, self.kind = path, kind
        program = shutil.which("ffmpeg")
        if program is None:
            raise BadFile(
                f"{path}: is {kind.name}, for which the program ffmpeg is needed; install ffmpeg, "
                "or convert the file to FLAC or WAV"
            )
        with ExitStack() as stack:
            # A file, because a pipe would have to be read at the same time as the samples.
            self._log = stack.enter_context(tempfile.TemporaryFile())
            self._process = stack.enter_context(self._start(program))
            stack.callback(self._process.kill)  # which is done first
            assert self._process.stdout is not None
            self._output = self._process.stdout
            self.position = 0  # in samples of each channel
            self.samplerate, self.channels = self._read_header()
            self._open = stack.pop_all()

    def _start(self, program: str) -> subprocess.Popen[bytes]:
        """Start ffmpeg out of reach of a terminal's Ctrl-C, which would look like damage."""
        try:
            return subprocess.Popen(
                [program, *arguments(self.path, self.kind)], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=self._log, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise BadFile(
                f"{self.path}: ffmpeg cannot be started ({error.strerror}); install it anew, or "
                "convert the file to FLAC or WAV"
            ) from error

    def _read_header(self) -> tuple[int, int]:
        header = self._output.read(AU_HEADER.size)
        if len(header) == AU_HEADER.size:
            mark, offset, _, encoding, rate, channels = AU_HEADER.unpack(header)
            rest = offset - AU_HEADER.size
            usable = mark == b".snd" and encoding == FLOAT32 and 0 < channels <= MOST_CHANNELS
            if usable and 0 <= rest <= LONGEST_LOG and len(self._output.read(rest)) == rest:
                return rate, channels
        else:
            self._check_status()
        raise BadFile(f"{self.path}: ffmpeg finds no sound in it; replace it or leave it out")

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End ffmpeg, which may not have come to the end."""
        self._open.close()

    def seekable(self) -> bool:
        """Whether `seek` works: yes, from the beginning on."""
        return True

    def seek(self, position: int) -> int:
        """Pass over samples up to `position`, without which lossy sound is not the same."""
        while self.position < position:
            if not len(self.read(min(position - self.position, SKIPPED))):
                break
        return self.position

    def read(self, frames: int, dtype: str = "float32", always_2d: bool = True) -> np.ndarray:
        """The next samples (at most `frames`, channels), float32; fewer only at the end."""
        content = self._output.read(frames * self.channels * BYTES)
        count, rest = divmod(len(content), self.channels * BYTES)
        self.position += count
        if count < frames:
            self._check_end(rest)
        samples = np.frombuffer(content, ">f4", count * self.channels)
        return samples.reshape(count, self.channels).astype(np.float32)

    def count(self) -> int:
        """The samples of each channel from here to the end."""
        before = self.position
        self.seek(2**62)
        return self.position - before

    def _check_end(self, rest: int) -> None:
        self._check_status()
        log, there = self._messages(), self.position / self.samplerate
        claimed = claimed_seconds(log)
        if claimed and claimed > there + SHORTFALL and VIDEO.search(log):
            LOGGER.warning(
                "%s: lasts %.2f s by its header, its sound %.2f s; if it is not the pictures that "
                "last longer, it is cut off: get it again",
                self.path, claimed, there,
            )  # fmt: skip
        elif claimed and claimed > there + SHORTFALL:
            raise BadFile(
                f"{self.path}: is cut off or damaged: its header says {claimed:.2f} s, and "
                f"{there:.2f} s can be decoded; get it again, or leave it out"
            )
        damage = [text for level, text in MESSAGE.findall(log) if is_damage(level, text)]
        if damage or rest:
            reason = printable(damage[0])[:120] if damage else "ends within a sample"
            raise BadFile(
                f"{self.path}: is cut off or damaged at {there:.2f} s or before ({reason}); get it "
                "again, or leave it out"
            )

    def _check_status(self) -> None:
        """Wait for ffmpeg, whose output is at its end; BadFile if it failed."""
        status = self._process.wait()
        if status:
            found = [
                text for level, text in MESSAGE.findall(self._messages()) if level != "warning"
            ]
            why = f"status {status}" if status > 0 else f"signal {-status}"
            reason = printable(found[0])[:120] if found else why
            raise BadFile(
                f"{self.path}: is {self.kind.name} that ffmpeg cannot decode ({reason}); replace "
                "it or leave it out"
            )

    def _messages(self) -> str:
        self._log.seek(0)
        return self._log.read(LONGEST_LOG).decode(errors="replace")


def arguments(path: Path, kind: DecodedKind) -> list[str]:
    """The arguments by which ffmpeg decodes a file to AU of float32, and reports on it.

    Only this file is opened, whatever it names.
    """
    return [
        *("-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info"),
        *("-protocol_whitelist", "file", "-f", kind.demuxer, "-i", f"file:{path}"),
        *("-map", "0:a:0", "-map_metadata", "-1", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"),
    ]


def claimed_seconds(log: str) -> float | None:
    """The length in the header of a file, of sound or video; None where it is unknown."""
    found = DURATION.search(log)
    if found is None or ESTIMATED in log:
        return None
    hours, minutes, seconds = found.groups()
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def is_damage(level: str, text: str) -> bool:
    """Whether a message of ffmpeg means that sound is missing or not what it was."""
    return level != "warning" or "corrupt" in text.lower()
