"""Decodes any file that libsndfile or ffmpeg reads to blocks at one rate, and checks the sound."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf

from ganexplain.audio.formats.c_stderr import hide_c_errors
from ganexplain.audio.formats.file_types import describe_type
from ganexplain.audio.formats.sound_files import TOLERANCE, SoundStream, sound_streams
from ganexplain.errors import BadFile, SilentFile, is_out_of_memory, reason_of

FULL_SCALE = 32767

BLOCK_SECONDS = 10.0
UNREADABLE = (sf.SoundFileError, OSError, TypeError, ValueError)  # TypeError: headerless .raw
BLOCK_SAMPLES = 2**24  # largest number of values in a block, over all channels
RATES = (1000, 768_000)  # Hz; other rates are damaged headers
LONGEST_IN_MEMORY = 2**27  # samples of a recording that is read as a whole: 1.7 h at 22,050 Hz
SILENCE = 1e-5  # a file with a peak below it (-100 dBFS) is silent
LOUDEST = 10.0  # float mixes reach 4 (full scale 1); larger values are integers
NO_INTEGER = 2.0**32  # larger values are damage
CANCELLED = 0.03  # least energy of the channels' mean, relative to unrelated channels
FLOATS = ("FLOAT", "DOUBLE")


def read_duration(path: Path) -> float:
    """Length of a sound file in seconds; BadFile if it cannot be read or is cut off."""
    try:
        streams = sound_streams(path)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    for stream in streams:
        _check_rate(stream)
    return sum(stream.seconds for stream in streams)


def _check_rate(stream: SoundStream) -> None:
    if not RATES[0] <= stream.rate <= RATES[1]:
        raise BadFile(
            f"{stream.path}: a sample rate of {stream.rate:,} Hz is not one of sound "
            f"({RATES[0]:,} to {RATES[1]:,} Hz); repair the file"
        )


def _unreadable(path: Path, error: Exception) -> BadFile:
    if is_out_of_memory(error):  # no fault of the file, which --skip-bad-files would leave out
        raise error
    try:
        exists = path.exists()
    except OSError:  # the name is longer than the system allows
        exists = False
    if not exists:
        return BadFile(f"{path}: no such file; correct the name")
    kind = describe_type(path)
    if kind:
        return BadFile(f"{path}: cannot be read as sound, it is {kind}; replace it or leave it out")
    text = reason_of(error)
    reason = text.partition("Error opening")[2].partition(": ")[2] or text
    return BadFile(f"{path}: cannot be read as sound ({reason}); replace it or leave it out")


class _SoundCheck:
    """Checks decoded sound, block by block (samples, channels)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds = self.peak = 0.0  # the peak over all channels
        self.energy = self.expected = 0.0  # of the mean: measured, and for unrelated channels
        self.whole_numbers = self.floats = True

    def add(self, block: np.ndarray, mono: np.ndarray, stream: SoundStream, floats: bool) -> None:
        """Check the next block; BadFile for values that are not sound."""
        if not np.isfinite(mono).all():
            at = self.seconds + int(np.argmin(np.isfinite(mono))) / stream.rate
            raise BadFile(
                f"{self.path}: a sample at {at:.3f} s is not a finite number; repair the file"
            )
        self.seconds += len(block) / stream.rate
        self.peak = max(self.peak, float(block.max(initial=0.0)), -float(block.min(initial=0.0)))
        self.floats &= floats
        self.whole_numbers &= floats and bool((block == np.rint(block)).all())
        if self.peak > NO_INTEGER:
            raise BadFile(f"{self.path}: values of up to {self.peak:.3g} are not sound; repair it")
        if block.shape[1] > 1:
            self.energy += float(np.vdot(mono, mono))
            self.expected += float(np.vdot(block, block)) / block.shape[1] ** 2

    def finish(self) -> None:
        """Check the whole file; BadFile if it is empty or has another scale, SilentFile."""
        if self.seconds == 0:
            raise BadFile(f"{self.path}: contains no samples; replace it or leave it out")
        if self.peak < SILENCE:
            raise SilentFile(f"{self.path}: is silent throughout; replace it or leave it out")
        self.check_scale()

    def check_mean(self) -> None:
        """Check the down-mix; BadFile if the channels cancel each other."""
        if self.energy < CANCELLED * self.expected:
            raise BadFile(
                f"{self.path}: its channels cancel each other in their mean, as if one were the "
                "other inverted; invert one of them"
            )

    def check_scale(self) -> None:
        """Check the scale; BadFile if full scale is not 1."""
        if self.peak > LOUDEST and not self.floats:
            raise BadFile(
                f"{self.path}: values of up to {self.peak:,.6g}, where full scale is 1: it is "
                "damaged; get it again, or leave it out"
            )
        if self.peak > LOUDEST or (self.peak > 1 and self.whole_numbers):
            bits = next(bits for bits in (8, 16, 24, 32, 64) if self.peak <= 2 ** (bits - 1))
            raise BadFile(
                f"{self.path}: values of up to {self.peak:,.6g}, where full scale is 1; if they "
                f"are integers of {bits} bits, divide them by {2 ** (bits - 1):,}"
            )


def mono_blocks(path: Path, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield float32 blocks (samples,) of the file, down-mixed and resampled to `sample_rate` Hz.

    The down-mix is the mean of the channels, whatever their number; soxr resamples with its
    quality "HQ". Raises BadFile if the file is unreadable, empty or cut off, if values are not
    finite or have another full scale than 1, and (at the end) if the channels cancel each other;
    SilentFile (at the end) if it is silent.
    """
    check = _SoundCheck(path)
    yield from _checked_blocks(path, sample_rate, check, down_mix=True)
    check.check_mean()


def channel_blocks(path: Path, sample_rate: int | None = None) -> Iterator[np.ndarray]:
    """Yield blocks (samples, channels) as `mono_blocks`, but without its down-mix.

    Without a `sample_rate` they have that of the file. Channels may cancel each other.
    """
    yield from _checked_blocks(path, sample_rate, _SoundCheck(path), down_mix=False)


def _checked_blocks(
    path: Path, sample_rate: int | None, check: _SoundCheck, down_mix: bool
) -> Iterator[np.ndarray]:
    import soxr

    try:
        for stream in sound_streams(path):
            _check_rate(stream)
            resampler: soxr.ResampleStream | None = None
            for block, is_float, last in _blocks(stream):
                mono = block.mean(axis=1)
                check.add(block, mono, stream, is_float)
                sound = mono if down_mix else block
                if sample_rate is not None and stream.rate != sample_rate:
                    channels = 1 if down_mix else block.shape[1]
                    resampler = resampler or soxr.ResampleStream(
                        stream.rate, sample_rate, channels, dtype="float32", quality="HQ"
                    )
                    sound = resampler.resample_chunk(sound, last=last)
                if len(sound):
                    yield sound
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    check.finish()


def _blocks(stream: SoundStream) -> Iterator[tuple[np.ndarray, bool, bool]]:
    """Yield blocks (samples, channels), whether the file has floats, and whether it is the last.

    Raises BadFile if less can be decoded than the header says.
    """
    with stream.open() as sound:
        length = min(int(stream.rate * BLOCK_SECONDS), BLOCK_SAMPLES // sound.channels)
        read, last = 0, False
        while not last:
            with hide_c_errors():
                block = sound.read(length, dtype="float32", always_2d=True)
            read += len(block)
            last = len(block) < length
            yield block, sound.subtype in FLOATS, last
    if stream.frames - read > TOLERANCE * stream.rate:
        raise BadFile(
            f"{stream.path}: its header says {stream.seconds:.3f} s, and "
            f"{read / stream.rate:.3f} s can be decoded; get it again, or leave it out"
        )


def load_mono(path: Path, sample_rate: int) -> np.ndarray:
    """The whole file as `mono_blocks` yields it, float32 (samples,); BadFile if it is too long."""
    return _whole(path, mono_blocks(path, sample_rate), sample_rate, np.empty(0, np.float32))


def load_channels(path: Path, sample_rate: int) -> np.ndarray:
    """The whole file as `channel_blocks` yields it, float32 (samples, channels).

    Raises BadFile if it is too long, or if its streams have different numbers of channels.
    """
    blocks = channel_blocks(path, sample_rate)
    first = next(blocks, np.empty((0, 1), np.float32))
    return _whole(path, blocks, sample_rate, first)


def _whole(
    path: Path, blocks: Iterator[np.ndarray], sample_rate: int, first: np.ndarray
) -> np.ndarray:
    kept, samples = [first], first.size
    for block in blocks:
        if block.shape[1:] != first.shape[1:]:
            raise BadFile(f"{path}: streams with different numbers of channels; separate them")
        kept.append(block)
        samples += block.size
        if samples > LONGEST_IN_MEMORY:
            hours = LONGEST_IN_MEMORY / sample_rate / 3600
            raise BadFile(f"{path}: longer than {hours:.1f} hours; cut out the part to explain")
    return np.concatenate(kept)


def load_excerpt(path: Path, start: float, samples: int, sample_rate: int) -> np.ndarray:
    """`samples` samples from `start` seconds on, float32, with zeros behind the end of the file.

    One second more is decoded on both sides, so that the excerpt has no edges of the resampler.
    """
    import soxr

    margin = 1.0
    try:
        stream, *more = sound_streams(path)
        with stream.open() as sound:
            if more or not sound.seekable():
                return _cut(load_mono(path, sample_rate), round(start * sample_rate), samples)
            rate, is_float = stream.rate, sound.subtype in FLOATS
            first = max(0, math.floor(start - margin)) * rate  # whole seconds: same phase
            count = int((samples / sample_rate + 3 * margin) * rate) + 1
            with hide_c_errors():
                sound.seek(min(first, stream.frames))
                block = sound.read(count, dtype="float32", always_2d=True)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    mono = block.mean(axis=1)
    check = _SoundCheck(path)
    check.seconds = first / rate
    check.add(block, mono, stream, is_float)
    check.check_scale()
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate, quality="HQ")
    return _cut(mono, round((start - first / rate) * sample_rate), samples)


def _cut(sound: np.ndarray, begin: int, samples: int) -> np.ndarray:
    piece = sound[max(begin, 0) : max(begin, 0) + samples]
    return np.pad(piece, (0, samples - piece.size))


def to_pcm(waveform: np.ndarray) -> np.ndarray:
    """16-bit samples of a waveform in [-1, 1]; int16 is returned unchanged."""
    if waveform.dtype == np.int16:
        return waveform
    return np.round(np.clip(waveform, -1.0, 1.0) * FULL_SCALE).astype(np.int16)


def as_written(waveform: np.ndarray) -> np.ndarray:
    """The samples (samples,), float32, that are read from a 16-bit file of a waveform."""
    return to_pcm(waveform).astype(np.float32) / np.float32(2**15)


def encode_flac(waveform: np.ndarray, sample_rate: int) -> bytes:
    """A mono waveform (samples,), float in [-1, 1] or int16, as the bytes of a 16-bit FLAC file."""
    stream = io.BytesIO()
    sf.write(stream, to_pcm(waveform), sample_rate, format="FLAC", subtype="PCM_16")
    return stream.getvalue()
