"""Reads sound of any kind as mono at 22,050 Hz, and writes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from ganexplain.audio.io import encode_flac, load_excerpt, load_mono
from ganexplain.errors import BadFile
from ganexplain.files.atomic import write_bytes

RATE = 22050
MODULES = (".it", ".mod", ".s3m", ".xm")  # music for trackers, played by ffmpeg
HEADERLESS = {".g722": ("-f", "g722")}  # what ffmpeg must be told
PEAK = 0.95  # of full scale; louder sound is scaled down


def read_mono(path: Path, start: float = 0.0, seconds: float | None = None) -> np.ndarray:
    """Samples (W,) float32 of a recording from `start` (s) on, or all of it.

    Raises BadFile if it cannot be read.
    """
    if path.suffix in (*MODULES, *HEADERLESS):
        return _read_by_ffmpeg(path, start, seconds)
    if seconds is None:
        return load_mono(path, RATE)
    return load_excerpt(path, start, round(seconds * RATE), RATE)


def _read_by_ffmpeg(path: Path, start: float, seconds: float | None) -> np.ndarray:
    length = [] if seconds is None else ["-t", str(seconds)]
    command = [
        *("ffmpeg", "-v", "error", *HEADERLESS.get(path.suffix, ()), "-i", str(path)),
        *("-ss", str(start), *length, "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"),
    ]
    try:
        done = subprocess.run(command, capture_output=True)
    except FileNotFoundError as error:
        raise BadFile(f"{path}: ffmpeg is needed to read it; install ffmpeg") from error
    if done.returncode or not done.stdout:
        raise BadFile(f"{path}: ffmpeg cannot read it: {done.stderr.decode().strip()[-200:]}")
    return np.frombuffer(done.stdout, "<f4")


def write_sound(path: Path, wave: np.ndarray) -> None:
    """Write samples (W,) as FLAC of 16 bits; sound louder than full scale is scaled down."""
    loudest = float(np.abs(wave).max(initial=0.0))
    write_bytes(path, encode_flac(wave * min(1.0, PEAK / max(loudest, 1e-9)), RATE))


def rms(wave: np.ndarray) -> float:
    """Root mean square of samples; 0 for none."""
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) if len(wave) else 0.0
