"""A place in a real recording where an excerpt begins, as FILE@SECONDS names it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.audio.io import duration_of, load_excerpt
from ganexplain.errors import UsageError
from ganexplain.inputs.kinds import FrontEnd


@dataclass(frozen=True)
class Start:
    """An excerpt to start from: a recording, and where in it the excerpt begins in seconds."""

    text: str  # as given
    path: Path
    seconds: float

    def span(self, front_end: FrontEnd) -> tuple[float, float]:
        """From where to where in the recording it lies, in seconds."""
        return self.seconds, self.seconds + front_end.excerpt_samples / front_end.sample_rate

    def sound(self, front_end: FrontEnd) -> np.ndarray:
        """The excerpt's waveform (samples,); errors as `load_excerpt`."""
        samples, rate = front_end.excerpt_samples, front_end.sample_rate
        return load_excerpt(self.path, self.seconds, samples, rate)


def parse_start(text: str, front_end: FrontEnd) -> Start:
    """The excerpt that FILE@SECONDS names; UsageError where it is not whole in its file."""
    name, _, number = text.rpartition("@")
    try:
        start = Start(text, Path(name), float(number))
    except ValueError:
        start = Start(text, Path(name), math.nan)
    if not name or not 0 <= start.seconds < math.inf:
        raise UsageError(f"--start-from {text}: give FILE@SECONDS, as in song.ogg@12.5")
    if not start.path.is_file():
        raise UsageError(f"--start-from {text}: no such file as {name}")
    duration, length = duration_of(start.path), front_end.excerpt_samples / front_end.sample_rate
    if start.seconds + length > duration:
        latest = f"begin at {duration - length:.3f} s at the latest"
        raise UsageError(
            f"--start-from {text}: an excerpt is {length:.3f} s long and the file "
            f"{duration:.3f} s; {latest if duration >= length else 'name a longer one'}"
        )
    return start
