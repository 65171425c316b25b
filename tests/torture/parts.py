"""The parts there are, and how they share the time and two cores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

from .table import Room, Round

# Name of a part: its module and function here, and its share of the time.
PARTS = {
    "faults": ("faults:faults", 1.0),
    "fuzz": ("fuzz:fuzz", 1.0),
}
CORES = 2


def torture(names: Sequence[str], minutes: float, seed: int, folder: Path) -> list[Round]:
    """All rounds of the parts named, each in a process of its own, in so many minutes."""
    shares = {name: PARTS[name][1] for name in names}
    cores = min(CORES, len(names))
    with ProcessPoolExecutor(cores, get_context("spawn"), max_tasks_per_child=1) as pool:
        running = []
        for name in sorted(names, key=lambda name: -shares[name]):
            minutes_own = min(minutes * cores * shares[name] / sum(shares.values()), minutes)
            running.append(pool.submit(_timed, name, folder / name, seed, 60 * minutes_own))
        return [one for future in running for one in future.result()]


def _timed(name: str, folder: Path, seed: int, seconds: float) -> list[Round]:
    folder.mkdir()
    module, function = PARTS[name][0].split(":")
    part = getattr(import_module(f".{module}", __package__), function)
    return rounds_until_deadline(part, Room(folder, seed, time.time() + seconds), name)


def rounds_until_deadline(
    part: Callable[[Room], Iterator[Round]], room: Room, name: str
) -> list[Round]:
    """All rounds of a part; a part that breaks down is a violation itself."""
    found = []
    try:
        for one in part(room):
            found.append(one)
            if room.left() < 0:
                break
    except Exception as error:
        reason = f"{name}: {type(error).__name__}: {error}"
        found.append(Round(name, "broke down", violation=reason))
    return found
