"""Decoding: any file libsndfile reads, to mono blocks at one rate, checked on the way."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf

from ganexplain.audio.formats.c_stderr import c_errors_hidden
from ganexplain.audio.formats.kinds import kind_of
from ganexplain.audio.formats.sound_files import TOLERANCE, SoundStream, sound_streams
from ganexplain.errors import BadFile, SilentFile, no_memory, reason_of

FULL_SCALE = 32767

BLOCK_SECONDS = 10.0
UNREADABLE = (sf.SoundFileError, OSError, TypeError, ValueError)  # TypeError: headerless .raw
BLOCK_SAMPLES = 2**24  # in a block at most, of all channels
RATES = (1000, 768_000)  # Hz; others are damaged headers, and blow up when resampled
LONGEST_IN_MEMORY = 2**27  # samples of a recording that is held as a whole: 1.7 h at 22,050 Hz
SILENCE = 1e-5  # a file whose peak is below -100 dBFS holds no sound
LOUDEST = 10.0  # of full scale 1: mixes of floats reach 4, beyond are integers
NO_INTEGER = 2.0**32  # beyond is damage
CANCELLED = 0.03  # energy of the channels' mean, of what it is where they are unrelated
FLOATS = ("FLOAT", "DOUBLE")


def duration_of(path: Path) -> float:
    """Length of a sound file in seconds; BadFile where it cannot be read or is cut off."""
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
    if no_memory(error):  # no fault of the file, which --skip-bad-files would leave out
        raise error
    if not _is_there(path):
        return BadFile(f"{path}: no such file; correct the name")
    kind = kind_of(path)
    if kind:
        return BadFile(f"{path}: cannot be read as sound, it is {kind}; replace it or leave it out")
    text = reason_of(error)
    reason = text.partition("Error opening")[2].partition(": ")[2] or text
    return BadFile(f"{path}: cannot be read as sound ({reason}); replace it or leave it out")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than there can be
        return False


class _Decoded:
    """Checks what is decoded of a file, block by block (samples, channels)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds = self.peak = 0.0  # of all channels
        self.energy = self.expected = 0.0  # of the mean, and what unrelated channels leave
        self.whole_numbers = self.floats = True

    def add(self, block: np.ndarray, mono: np.ndarray, stream: SoundStream, floats: bool) -> None:
        """BadFile where a block holds what is no sound."""
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
            raise BadFile(f"{self.path}: values of up to {self.peak:.3g} are no sound; repair it")
        if block.shape[1] > 1:
            self.energy += float(np.vdot(mono, mono))
            self.expected += float(np.vdot(block, block)) / block.shape[1] ** 2

    def finish(self) -> None:
        """BadFile where nothing was decoded, or on another scale; SilentFile."""
        if self.seconds == 0:
            raise BadFile(f"{self.path}: holds no samples; replace it or leave it out")
        if self.peak < SILENCE:
            raise SilentFile(f"{self.path}: is silent throughout; replace it or leave it out")
        self.check_scale()

    def check_mean(self) -> None:
        """BadFile where next to nothing of the channels is left in their mean."""
        if self.energy < CANCELLED * self.expected:
            raise BadFile(
                f"{self.path}: its channels cancel each other in their mean, as where one is the "
                "other inverted; invert one of them"
            )

    def check_scale(self) -> None:
        """BadFile where full scale is not 1."""
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

    The down-mix is the mean of the channels, whatever their number. Resampling is soxr's "HQ".
    Raises BadFile where the file is unreadable, empty or cut off, where values are not finite or
    not on a scale of full scale 1, and (at the end) where the channels cancel each other;
    SilentFile (at the end) where it is silent.
    """
    decoded = _Decoded(path)
    yield from _resampled(path, sample_rate, decoded, down_mix=True)
    decoded.check_mean()


def channel_blocks(path: Path, sample_rate: int | None = None) -> Iterator[np.ndarray]:
    """Blocks (samples, channels) as `mono_blocks` has them before its down-mix.

    At the file's own rate where none is given. Channels may cancel each other here.
    """
    yield from _resampled(path, sample_rate, _Decoded(path), down_mix=False)


def _resampled(
    path: Path, sample_rate: int | None, decoded: _Decoded, down_mix: bool
) -> Iterator[np.ndarray]:
    import soxr

    try:
        for stream in sound_streams(path):
            _check_rate(stream)
            resampler: soxr.ResampleStream | None = None
            for block, is_float, last in _blocks(stream):
                mono = block.mean(axis=1)
                decoded.add(block, mono, stream, is_float)
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
    decoded.finish()


def _blocks(stream: SoundStream) -> Iterator[tuple[np.ndarray, bool, bool]]:
    """Blocks (samples, channels) as they are, whether of floats, and whether one is the last.

    BadFile where less can be decoded than the file has.
    """
    with stream.open() as sound:
        length = min(int(stream.rate * BLOCK_SECONDS), BLOCK_SAMPLES // sound.channels)
        read, last = 0, False
        while not last:
            with c_errors_hidden():
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
    """The whole file as `mono_blocks` gives it, float32 (samples,); BadFile for one too long."""
    return _whole(path, mono_blocks(path, sample_rate), sample_rate, np.empty(0, np.float32))


def load_channels(path: Path, sample_rate: int) -> np.ndarray:
    """The whole file as `channel_blocks` gives it, float32 (samples, channels).

    BadFile for one too long, or of streams with other numbers of channels.
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
    """`samples` samples from `start` seconds on, zeros where the file has none, float32.

    A second more is decoded on both sides, so that the resampler's edges are not heard.
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
            with c_errors_hidden():
                sound.seek(min(first, sound.frames))
                block = sound.read(count, dtype="float32", always_2d=True)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    mono = block.mean(axis=1)
    decoded = _Decoded(path)
    decoded.seconds = first / rate
    decoded.add(block, mono, stream, is_float)
    decoded.check_scale()
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate, quality="HQ")
    return _cut(mono, round((start - first / rate) * sample_rate), samples)


def _cut(sound: np.ndarray, begin: int, samples: int) -> np.ndarray:
    piece = sound[max(begin, 0) : max(begin, 0) + samples]
    return np.pad(piece, (0, samples - piece.size))


def to_pcm(waveform: np.ndarray) -> np.ndarray:
    """16-bit samples of a waveform in [-1, 1]; int16 is taken as it is."""
    if waveform.dtype == np.int16:
        return waveform
    return np.round(np.clip(waveform, -1.0, 1.0) * FULL_SCALE).astype(np.int16)


def flac(waveform: np.ndarray, sample_rate: int) -> bytes:
    """A mono waveform (samples,), float in [-1, 1] or int16, as a 16-bit FLAC file."""
    import soundfile as sf

    stream = io.BytesIO()
    sf.write(stream, to_pcm(waveform), sample_rate, format="FLAC", subtype="PCM_16")
    return stream.getvalue()
