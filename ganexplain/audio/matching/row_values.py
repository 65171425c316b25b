"""From a line for each row of features to the keys that say the same: lifter, mean and deviation.

Cepstra have a line for each coefficient, whose slopes are those of a lifter or any. Log-mel that
was standardised by constants has one for each band.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ganexplain.audio.matching.values import logarithm_of, rounded
from ganexplain.inputs.log_mel import FrontEnd

LIFTERS = range(2, 61)
ALIKE = 2e-3  # deviation of the logarithms of slopes that are the same
SMALL = 2e-3  # share of the deviation of features that an intercept may be off
UNUSED_FLOOR = 1e-10
NEAR_ROUND = 2e-3  # share by which a range below the loudest may be off a round one


@dataclass(frozen=True)
class Rows:
    """Slope, intercept and the deviation (rows,) of each row of features, and the loudest level.

    The features of row r are `slopes[r]` times the values of a form plus `intercepts[r]`.
    """

    slopes: np.ndarray
    intercepts: np.ndarray
    deviations: np.ndarray
    loudest: float


def cut_below_loudest(front_end: FrontEnd, rows: Rows) -> Iterator[FrontEnd]:
    """The front end with its floor as a range below the loudest, if that is round, and as it is."""
    reach = 10 * math.log10(rows.loudest / front_end.floor)
    whole = round(reach)
    if front_end.floor > UNUSED_FLOOR and abs(reach - whole) < NEAR_ROUND * reach:
        in_unit = {"db": whole, "log10": whole / 10, "ln": whole / 10 * math.log(10)}
        below = in_unit[front_end.logarithm]
        yield replace(front_end, range_below=below, floor=UNUSED_FLOOR)
    yield replace(front_end, floor=rounded(front_end.floor, 1e-3))


def cepstral(front_end: FrontEnd, rows: Rows) -> Iterator[FrontEnd]:
    """The front end with a lifter, scale and gain, if these say all."""
    if (rows.slopes <= 0).any():
        return
    lifter, start, spread = _lifter(rows.slopes)
    weights = _weights(len(rows.slopes), lifter, start)
    slope = float(np.exp(np.log(rows.slopes / weights).mean()))
    is_plain = (np.abs(rows.intercepts[1:]) < SMALL * rows.deviations[1:].max()).all()
    if spread < ALIKE and is_plain:
        logarithm, scale = logarithm_of(slope)
        shift = rows.intercepts[0] / (weights[0] * slope * math.sqrt(front_end.mel_bands))
        gain = math.exp(shift) if abs(shift) > SMALL else 1.0
        found = replace(
            front_end, lifter=float(lifter), lifter_start=start, logarithm=logarithm, scale=scale,
            gain=rounded(gain, 1e-3), offset=front_end.offset * gain, floor=front_end.floor * gain,
        )  # fmt: skip
        yield from cut_below_loudest(found, replace(rows, loudest=rows.loudest * gain))


def constants(front_end: FrontEnd, rows: Rows) -> Iterator[FrontEnd]:
    """The front end with a mean and a deviation of each row."""
    if (rows.slopes <= 0).any():
        return
    found = replace(
        front_end,
        mean=tuple(float(f"{each:.7g}") for each in -rows.intercepts / rows.slopes),
        deviation=tuple(float(f"{each:.7g}") for each in 1 / rows.slopes),
    )
    yield from cut_below_loudest(found, rows)


def standardised_rows(front_end: FrontEnd, rows: Rows, standardise: str) -> Iterator[FrontEnd]:
    """The front end whose rows are standardised over each excerpt."""
    for each in cut_below_loudest(replace(front_end, standardise=standardise), rows):
        yield each
        yield replace(each, unbiased=False)


def _lifter(slopes: np.ndarray) -> tuple[int, int, float]:
    """Lifter and its start that leave slopes alike, and how much they then spread."""
    best = (0, 0, float(np.log(slopes).std()))
    for lifter in LIFTERS:
        for start in (0, 1):
            weights = _weights(len(slopes), lifter, start)
            spread = float(np.log(slopes / weights).std()) if (weights > 0).all() else math.inf
            if spread < best[2] - ALIKE:
                best = (lifter, start, spread)
    return best


def _weights(count: int, lifter: int, start: int) -> np.ndarray:
    if not lifter:
        return np.ones(count)
    return np.asarray(1 + lifter / 2 * np.sin(np.pi * (np.arange(count) + start) / lifter))


def energies(front_end: FrontEnd, slope: float, intercept: float) -> Iterator[FrontEnd]:
    """PCEN, whose values are not scaled, or are."""
    yield replace(front_end, scale=1.0, shift=0.0)
    yield replace(front_end, scale=rounded(slope, 1e-4), shift=rounded(intercept, 1e-4))
