"""Decoding: any file libsndfile reads, to mono blocks at one rate, checked on the way."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf

from ganexplain.errors import BadFile, SilentFile, no_memory

BLOCK_SECONDS = 10.0
UNREADABLE = (sf.SoundFileError, OSError, TypeError, ValueError)  # TypeError: headerless .raw
BLOCK_SAMPLES = 2**24  # in a block at most, of all channels
RATES = (1000, 768_000)  # Hz; others are damaged headers, and blow up when resampled
LONGEST_HELD = 2**27  # samples of a recording that is held as a whole: 1.7 h at 22,050 Hz
SILENCE = 1e-5  # a file whose peak is below -100 dBFS holds no sound
LOUDEST = 1e6  # of full scale 1; floats beyond are numbers of something else, or damaged


def duration_of(path: Path) -> float:
    """Length of a sound file in seconds, from its header; BadFile where it cannot be read."""
    try:
        with sf.SoundFile(os.fsencode(path)) as sound:
            return sound.frames / _rate(path, sound)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def _rate(path: Path, sound: sf.SoundFile) -> int:
    rate = int(sound.samplerate)
    if not RATES[0] <= rate <= RATES[1]:
        raise BadFile(
            f"{path}: a sample rate of {rate:,} Hz is not one of sound ({RATES[0]:,} to "
            f"{RATES[1]:,} Hz); repair the file"
        )
    return rate


def _unreadable(path: Path, error: Exception) -> BadFile:
    if no_memory(error):  # no fault of the file, which --skip-bad-files would leave out
        raise error
    if not _is_there(path):
        return BadFile(f"{path}: no such file; correct the list, or add --skip-bad-files")
    reason = str(error).splitlines()[0].removeprefix(f"Error opening {os.fsencode(path)!r}: ")
    return BadFile(f"{path}: cannot be read as sound ({reason}); replace it or leave it out")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than there can be
        return False


def mono_blocks(path: Path, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield float32 blocks (samples,) of the file, down-mixed and resampled to `sample_rate` Hz.

    The down-mix is the mean of the channels, whatever their number. Resampling is soxr's "HQ".
    Raises BadFile where the file is unreadable, empty or holds values that are not finite,
    SilentFile (at the end) where it is silent.
    """
    import soxr

    peak, read = 0.0, 0
    try:
        with sf.SoundFile(os.fsencode(path)) as sound:
            rate = _rate(path, sound)
            resampler = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")
            length = min(int(rate * BLOCK_SECONDS), BLOCK_SAMPLES // sound.channels)
            while True:
                block = sound.read(length, dtype="float32", always_2d=True).mean(axis=1)
                if not np.isfinite(block).all():
                    at = (read + int(np.argmin(np.isfinite(block)))) / rate
                    raise BadFile(
                        f"{path}: a sample at {at:.3f} s is not a finite number; repair the file"
                    )
                read += block.size
                peak = max(peak, float(np.abs(block).max(initial=0.0)))
                if peak > LOUDEST:
                    raise BadFile(f"{path}: values of up to {peak:.3g} are no sound; repair it")
                last = block.size < length
                out = block if rate == sample_rate else resampler.resample_chunk(block, last=last)
                if out.size:
                    yield out
                if last:
                    break
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    if read == 0:
        raise BadFile(f"{path}: holds no samples; replace it or leave it out")
    if peak < SILENCE:
        raise SilentFile(f"{path}: is silent throughout; replace it or leave it out")


def load_mono(path: Path, sample_rate: int) -> np.ndarray:
    """The whole file as `mono_blocks` gives it, float32 (samples,); BadFile for one too long."""
    blocks, held = [np.empty(0, np.float32)], 0
    for block in mono_blocks(path, sample_rate):
        blocks.append(block)
        held += block.size
        if held > LONGEST_HELD:
            hours = LONGEST_HELD / sample_rate / 3600
            raise BadFile(f"{path}: longer than {hours:.1f} hours; cut out what is to be explained")
    return np.concatenate(blocks)


def load_excerpt(path: Path, start: float, samples: int, sample_rate: int) -> np.ndarray:
    """`samples` samples from `start` seconds on, zeros where the file has none, float32.

    A second more is decoded on both sides, so that the resampler's edges are not heard.
    """
    import soxr

    margin = 1.0
    try:
        with sf.SoundFile(os.fsencode(path)) as sound:
            rate = _rate(path, sound)
            first = max(0, math.floor(start - margin)) * rate  # whole seconds: same phase
            sound.seek(min(first, sound.frames))
            count = int((samples / sample_rate + 3 * margin) * rate) + 1
            block = sound.read(count, dtype="float32", always_2d=True).mean(axis=1)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    if rate != sample_rate:
        block = soxr.resample(block, rate, sample_rate, quality="HQ")
    begin = round((start - first / rate) * sample_rate)
    piece = block[max(begin, 0) : max(begin, 0) + samples]
    return np.pad(piece, (0, samples - piece.size))
