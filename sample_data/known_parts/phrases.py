"""Phrases of two instruments in turn, from Debian's sound fonts; the classes are the pairs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np

from sample_data.pretrained.music.packages import fetch_package
from sample_data.pretrained.music.sound import RATE

from .sound_font import SoundFont
from .takes import Hit, Take

FOLDER = "usr/share/sounds/sf2"
TRAINED = ("timgm6mb-soundfont", "TimGM6mb.sf2")
TESTED = ("fluid-soundfont-gm", "FluidR3_GM.sf2")
FONTS = {"train": TRAINED, "valid": TRAINED, "test": TESTED}
PROGRAMS = {  # General MIDI, from 0
    "piano": {"train": (0, 2), "valid": (1,), "test": (0, 1)},
    "trumpet": {"train": (56, 57), "valid": (60,), "test": (56, 57)},
    "flute": {"train": (73, 74), "valid": (75,), "test": (73, 74)},
    "strings": {"train": (40, 48), "valid": (49,), "test": (40, 48)},
}
COUNTS = {"train": 26, "valid": 6, "test": 18}  # recordings of each pair
SCALE = (0, 2, 4, 5, 7, 9, 11)
LOWEST, HIGHEST = 55, 79  # MIDI
SECONDS = 6.6
LEVEL = 0.4  # of full scale, the loudest note


def phrase_takes(store: Path, seed: int) -> Iterator[Take]:
    """All recordings; Missing where a package cannot be downloaded."""
    fonts = {}
    for package, file in (TRAINED, TESTED):
        fonts[file] = SoundFont(fetch_package(package, [FOLDER], store) / FOLDER / file)
    number = 0
    for split, count in COUNTS.items():
        for pair in combinations(PROGRAMS, 2):
            for _ in range(count):
                font = fonts[FONTS[split][1]]
                yield _take(font, split, pair, number, seed)
                number += 1


def _take(font: SoundFont, split: str, pair: tuple[str, str], number: int, seed: int) -> Take:
    one = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
    random = np.random.default_rng(one)
    programs = {kind: int(random.choice(PROGRAMS[kind][split])) for kind in pair}
    tonic, degree = int(random.integers(12)), int(random.integers(4, 12))
    time, hits, turn = random.uniform(0, 0.2), [], int(random.integers(2))
    while time < SECONDS - 0.2:
        for _ in range(int(random.integers(1, 3))):  # notes until the other one plays
            degree += int(random.integers(-2, 3))
            key = _key(tonic, degree)
            seconds = float(random.choice([0.14, 0.21, 0.28]))
            sound = font.note(programs[pair[turn]], key, 0.9 * seconds, RATE)
            level = LEVEL * random.uniform(0.5, 1.0)
            hits.append(Hit(float(time), pair[turn], level * sound, 0.9 * seconds))
            time += seconds
        turn = 1 - turn
    kept = tuple(hit for hit in hits if hit.time < SECONDS - 0.05)
    used = tuple(f"{font.path.name}: program {programs[kind]}" for kind in pair)
    label = " and ".join(pair)
    name = f"{split}_{pair[0]}_{pair[1]}_{number:04d}"
    return Take(name, split, label, one, SECONDS, kept, used)


def _key(tonic: int, degree: int) -> int:
    """The MIDI key of a degree of a major scale, moved by octaves into the range."""
    key = LOWEST + tonic + 12 * (degree // 7) + SCALE[degree % 7]
    while key > HIGHEST:
        key -= 12
    while key < LOWEST:
        key += 12
    return key
