"""Recordings made for a test, and small corpora of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from support.paths import SAMPLE

RATE = 22050
SECONDS = 4.0
SUNG = ((0.0, 1.5), (2.5, 4.0))  # where a corpus recording holds its "voice"
LABELS = "0.0 1.5 sing\n1.5 2.5 nosing\n2.5 4.0 sing\n"


def noise(seconds: float, rate: int = RATE, level: float = 0.05, seed: int = 0) -> np.ndarray:
    """White noise (samples,), float64: it varies in every mel band."""
    return level * np.random.default_rng(seed).standard_normal(round(seconds * rate))


def tone(
    hertz: float, seconds: float, rate: int = RATE, level: float = 0.3, phase: float = 0.0
) -> np.ndarray:
    """A sine (samples,), float64."""
    times = np.arange(round(seconds * rate)) / rate
    return level * np.sin(2 * np.pi * hertz * times + phase)


def song(seed: int, rate: int = RATE, seconds: float = SECONDS) -> np.ndarray:
    """Noise with a tone over the spans of `SUNG`, (samples,)."""
    sound = noise(seconds, rate, seed=seed)
    times = np.arange(sound.size) / rate
    voiced = sum(((times >= start) & (times < end)).astype(float) for start, end in SUNG)
    return sound + voiced * tone(330.0 + 20 * seed, seconds, rate)[: sound.size]


def write_sound(
    path: Path, sound: np.ndarray, rate: int = RATE, subtype: str | None = None
) -> Path:
    """Write a sound file, folders included; the format is that of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(str(path), sound, rate, subtype=subtype)
    return path


@dataclass(frozen=True)
class JamendoFolder:
    """A corpus in the Jamendo layout that a test may spoil."""

    root: Path

    def audio(self, name: str) -> Path:
        return self.root / "audio" / name

    def label_file(self, name: str) -> Path:
        return (self.root / "labels" / name).with_suffix(".lab")

    def listing(self, split: str) -> Path:
        return self.root / "filelists" / split

    def add(
        self, split: str, name: str, sound: np.ndarray, labels: str = LABELS, rate: int = RATE
    ) -> None:
        """Write a recording and its labels, and list it."""
        write_sound(self.audio(name), sound, rate)
        self.label_file(name).parent.mkdir(parents=True, exist_ok=True)
        self.label_file(name).write_text(labels, encoding="utf-8")
        self.list(split, name)

    def list(self, split: str, name: str) -> None:
        """Append a name to the list of a split."""
        self.listing(split).parent.mkdir(parents=True, exist_ok=True)
        with self.listing(split).open("a", encoding="utf-8") as stream:
            stream.write(name + "\n")


def jamendo_folder(root: Path) -> JamendoFolder:
    """Four recordings of four seconds: two to train with, one to validate, one to test."""
    folder = JamendoFolder(root)
    for seed, (split, name) in enumerate(
        [("train", "one.wav"), ("train", "two.flac"), ("valid", "three.wav"), ("test", "four.wav")]
    ):
        folder.add(split, name, song(seed))
    return folder


def some_of_the_sample(root: Path) -> Path:
    """A corpus in `root` of every fourth recording that is shipped, 22 of 88, linked."""
    for name in ("audio", "labels"):
        (root / name).symlink_to(SAMPLE / name)
    (root / "filelists").mkdir()
    for listing in (SAMPLE / "filelists").iterdir():
        names = listing.read_text().split()
        (root / "filelists" / listing.name).write_text("\n".join(names[1::4]) + "\n")
    return root
