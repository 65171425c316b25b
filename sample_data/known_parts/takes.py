"""A recording of known events, mixed from sounds, and the tables of all recordings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.corpora.events import Event, write_events
from ganexplain.files.atomic import write_table
from sample_data.pretrained.music.sound import RATE, write_sound

MANIFEST = ("path", "start", "end", "label", "split")
DRAWS = ("path", "split", "label", "seed", "sounds")
FAINTEST, LOUDEST = 0.1, 0.9  # shares of a sound's energy between which its band lies
HIGHEST = 8000.0  # Hz that the networks hear
FADED = 0.5  # share of its energy after which a sound is over
NOISE = 0.002  # of full scale, behind everything


@dataclass(frozen=True)
class Hit:
    """A sound (W,), mono at 22,050 Hz, of one `kind` that begins at `time` (s).

    It lasts `seconds`, or as `length` measures it.
    """

    time: float
    kind: str
    sound: np.ndarray
    seconds: float | None = None

    def event(self, file: str) -> Event:
        """The time, the band and the kind of the sound in a file."""
        low, high = band(self.sound)
        seconds = length(self.sound) if self.seconds is None else self.seconds
        return Event(file, self.time, seconds, low, high, self.kind)


@dataclass(frozen=True)
class Take:
    """A recording of `seconds` in a split, of a class; `sounds` are those that it was drawn from.

    `seed` is that of all its draws.
    """

    name: str
    split: str
    label: str
    seed: int
    seconds: float
    hits: tuple[Hit, ...]
    sounds: tuple[str, ...]

    @property
    def path(self) -> str:
        """The file in the corpus."""
        return f"audio/{self.name}.flac"

    def mix(self) -> np.ndarray:
        """The recording (W,): all sounds, cut at its end, and faint noise."""
        samples = round(self.seconds * RATE)
        mixed = np.random.default_rng((self.seed, 1)).normal(0, NOISE, samples)
        for hit in self.hits:
            first = round(hit.time * RATE)
            heard = hit.sound[: samples - first]
            mixed[first : first + len(heard)] += heard
        return mixed.astype(np.float32)


def band(sound: np.ndarray) -> tuple[float, float]:
    """Frequencies (Hz) between which eight tenths of a sound's energy below 8 kHz lie."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    total = np.cumsum(power[hertz <= HIGHEST])
    low, high = np.searchsorted(total, np.array([FAINTEST, LOUDEST]) * total[-1])
    return float(hertz[low]), float(hertz[high])


def length(sound: np.ndarray) -> float:
    """Seconds after which half of a sound's energy has passed."""
    total = np.cumsum(np.square(sound, dtype=np.float64))
    return float(np.searchsorted(total, FADED * total[-1]) / RATE)


def write_takes(out: Path, takes: Iterable[Take]) -> None:
    """Write the recordings, manifest.csv, events.csv and draws.csv."""
    (out / "audio").mkdir(parents=True, exist_ok=True)
    rows, draws, events = [], [], []
    for take in takes:
        write_sound(out / take.path, take.mix())
        end = f"{take.seconds:.3f}"
        rows.append([take.path, "0.000", end, take.label, take.split])
        draws.append([take.path, take.split, take.label, take.seed, "; ".join(take.sounds)])
        events += [hit.event(take.path) for hit in take.hits]
    write_events(out / "events.csv", events)
    write_table(out / "draws.csv", DRAWS, draws)
    write_table(out / "manifest.csv", MANIFEST, rows)
