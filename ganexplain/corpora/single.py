"""Single inputs from files: an excerpt of a recording, or a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path

import numpy as np

from ganexplain.audio.io import load_excerpt, load_mono, read_duration
from ganexplain.audio.log_mel import log_mel
from ganexplain.corpora.picture_files import load_picture
from ganexplain.errors import BadFile, UsageError
from ganexplain.files.names import LONGEST, distinct_names
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput


@singledispatch
def load_example(input_spec: Input, path: Path) -> np.ndarray:
    """The middle of a recording, or a picture, as one input (...): one function for each kind.

    Raises BadFile if the file cannot be read or is too short for one frame.
    """
    raise UsageError(f"{path}: no {input_spec.plural} are read from files")


@load_example.register
def _picture(input_spec: ImageInput, path: Path) -> np.ndarray:
    return load_picture(path, input_spec)


@load_example.register
def _waveform(input_spec: WaveformInput, path: Path) -> np.ndarray:
    return _middle(load_mono(path, input_spec.sample_rate), input_spec.samples, 0.0)


@load_example.register
def _log_mel(front_end: FrontEnd, path: Path) -> np.ndarray:
    mel = log_mel(load_mono(path, front_end.sample_rate), front_end)
    if not len(mel):
        raise BadFile(f"{path}: shorter than one frame; name a longer recording")
    return _middle(mel, front_end.excerpt_frames, front_end.silence).T.copy()


def _middle(values: np.ndarray, length: int, padding: float) -> np.ndarray:
    """The middle `length` rows of an array, with `padding` at both ends if it has fewer."""
    start = max(len(values) - length, 0) // 2
    part = values[start : start + length]
    before = (length - len(part)) // 2
    pad = [(before, length - len(part) - before), *[(0, 0)] * (values.ndim - 1)]
    return np.pad(part, pad, constant_values=padding).astype(np.float32)


@dataclass(frozen=True)
class StartExcerpt:
    """An excerpt to start from: a recording, the start in seconds, and the waveform (samples,).

    `text` is FILE@SECONDS as given.
    """

    text: str
    path: Path
    seconds: float
    sound: np.ndarray
    rate: int

    @property
    def span(self) -> tuple[float, float]:
        """Its start and end in the recording in seconds."""
        return self.seconds, self.seconds + self.sound.size / self.rate


def split_seconds(text: str) -> tuple[Path, float | None]:
    """The file of FILE or FILE@SECONDS, and the seconds, or None."""
    name, _, number = text.rpartition("@")
    try:
        seconds = float(number)
    except ValueError:
        seconds = math.nan
    if Path(text).is_file() or not name or not 0 <= seconds < math.inf:  # a name may have an @
        return Path(text), None
    return Path(name), seconds


def parse_start(text: str, samples: int, rate: int) -> StartExcerpt:
    """Read the excerpt of `samples` samples at `rate` that FILE@SECONDS names.

    Raises UsageError if it is not completely in its file; other errors as `load_excerpt`.
    """
    path, seconds = split_seconds(text)
    if seconds is None:
        raise UsageError(f"--start-from {text}: give FILE@SECONDS, as in song.ogg@12.5")
    if not path.is_file():
        raise UsageError(f"--start-from {text}: no such file as {path}")
    duration, length = read_duration(path), samples / rate
    if seconds + length > duration:
        latest = f"begin at {duration - length:.3f} s at the latest"
        raise UsageError(
            f"--start-from {text}: an excerpt is {length:.3f} s long and the file "
            f"{duration:.3f} s; {latest if duration >= length else 'name a longer one'}"
        )
    return StartExcerpt(text, path, seconds, load_excerpt(path, seconds, samples, rate), rate)


def output_names(paths: Sequence[Path]) -> list[str]:
    """A name for the results of each recording: its stem, or `STEM-2` for the second of that name.

    Names depend on all paths, so a file that is skipped later does not rename another.
    """
    return distinct_names([path.stem for path in paths], LONGEST - len(".csv"))
