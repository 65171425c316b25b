"""From the line between levels and features to the keys of a front end that say the same.

A line alone leaves open which logarithm it is, what is a gain and what a shift, and whether equal
lowest values are a floor or cut below the loudest. The usual or the roundest numbers are chosen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ganexplain.audio.matching.level_curve import LevelCurve
from ganexplain.audio.matching.levels import SAME, Line, Target
from ganexplain.inputs.log_mel import QUIETEST, FrontEnd

CLOSE = 3e-5  # share by which a number may be rounded
NEAR_ZERO, NEAR_ONE = 1e-3, 0.02  # of means and deviations that were standardised
UNIT_SLOPE = 1e-3  # by which features without a logarithm may differ from a slope of 1
USUAL_FLOOR = 1e-10  # where the features do not reach one
EPSILONS = (2.0**-23, 2.0**-52)
SLOPES = {"ln": 1.0, "log10": 1 / math.log(10), "db": 10 / math.log(10)}


@dataclass(frozen=True)
class Extremes:
    """The lowest value where many have it, and the largest, of the whole features.

    `silence` is the value that they have without any sound, where that is known.
    """

    lowest: float | None
    largest: float
    silence: float | None = None

    @classmethod
    def of(cls, features: np.ndarray, silence: float | None = None) -> Extremes:
        """Those of features (T, F)."""
        is_plain = standardisation(features) == "none"
        has_floor = Target.of(features, silence if is_plain else None).has_floor
        lowest = float(features.min()) if has_floor else None
        return cls(lowest, float(features.max()), silence)


def standardisation(features: np.ndarray) -> str:
    """The `standardise` that features (T, F) look like."""
    means, deviations = features.mean(0), features.std(0)
    whole = features.std()
    if np.abs(means).max() < NEAR_ZERO * whole:
        alike = np.abs(deviations - 1).max() < NEAR_ONE
        return "band" if alike else "band-mean"
    if abs(features.mean()) < NEAR_ZERO * whole and abs(whole - 1) < NEAR_ONE:
        return "excerpt"
    return "range" if (features.min(), features.max()) == (0.0, 1.0) else "none"


def standardised(
    front_end: FrontEnd, line: Line, extremes: Extremes, standardise: str
) -> Iterator[FrontEnd]:
    """Front ends that standardise each excerpt, whose line says only how far values reach."""
    found = replace(
        front_end, standardise=standardise, offset=rounded(front_end.offset, 1e-3),
        floor=QUIETEST if front_end.offset else USUAL_FLOOR, scale=1.0, shift=0.0,
    )  # fmt: skip
    if standardise == "band-mean":
        logarithm, scale = logarithm_of(line.slope)
        found = replace(found, logarithm=logarithm, scale=scale)
    elif extremes.lowest is not None and not standardise.startswith("band"):
        found = _with_reach(found, line, extremes, extremes.lowest)
    yield found
    yield replace(found, unbiased=False)


def _with_reach(front_end: FrontEnd, line: Line, extremes: Extremes, lowest: float) -> FrontEnd:
    """The range below the loudest where it is a round number of a usual logarithm, or the floor."""
    nats = (extremes.largest - lowest) / line.slope
    for logarithm in ("db", "log10"):
        if is_round(reach := nats * SLOPES[logarithm]):
            return replace(front_end, logarithm=logarithm, range_below=rounded(reach, 1e-3))
    floor = math.exp(max((lowest - line.intercept) / line.slope, -80.0))
    return replace(front_end, floor=rounded(floor, 1e-3))


def rounded(value: float, within: float = CLOSE) -> float:
    """A value with the fewest digits that are within a share of it."""
    for digits in range(1, 9):
        short = float(f"{value:.{digits}g}")
        if abs(short - value) <= within * abs(value):
            return short
    return value


def is_round(value: float, digits: int = 2) -> bool:
    """Whether a value has at most so many digits, but for rounding, or is an epsilon of floats."""
    short = (float(f"{value:.{digits}g}"), *EPSILONS)
    return any(abs(each - value) <= 10 * CLOSE * abs(value) for each in short)


def with_values(
    front_end: FrontEnd, line: Line, target: Target, extremes: Extremes
) -> FrontEnd | None:
    """The front end with logarithm, gain, offset, floor, scale and shift of a line.

    None for features without a logarithm that are another function of the levels.
    """
    if target.is_linear:
        if abs(line.slope - 1) > UNIT_SLOPE:
            return None
        scale = rounded(math.exp(line.intercept))
        return replace(front_end, logarithm="none", offset=0.0, floor=1e-30, scale=scale)
    logarithm, scale = logarithm_of(line.slope)
    span = extremes.largest - (extremes.lowest if extremes.lowest is not None else 0.0)
    found = _with_offset(
        replace(front_end, logarithm=logarithm, scale=scale), line, SAME * abs(span)
    )
    relative = _relative_to(found.shift, extremes, SAME * abs(span))
    if relative is not None:
        found = replace(found, relative=True, shift=relative)
    return _with_floor(found, line, extremes)


def bent(front_end: FrontEnd, line: Line, curve: LevelCurve) -> Iterator[FrontEnd]:
    """The front end with the scale, gain, offset and shift of a curve; none off its slope of 1."""
    if abs(line.slope - 1) > NEAR_ONE:
        return
    scales = {name: rounded(curve.scale / unit, 2e-4) for name, unit in SLOPES.items()}
    name = next((name for name, scale in scales.items() if is_round(scale)), "ln")
    gain, offset, shift = math.exp(line.intercept), curve.offset, 0.0
    if abs(offset - 1) > NEAR_ZERO:
        shift, gain, offset = curve.scale * line.intercept, 1.0, offset / gain
    yield replace(
        front_end, logarithm=name, scale=scales[name], gain=gain, offset=offset, shift=shift,
        floor=QUIETEST,
    )  # fmt: skip


def logarithm_of(slope: float) -> tuple[str, float]:
    """The logarithm that leaves the scale 1, or the roundest."""
    scales = {name: rounded(slope / unit) for name, unit in SLOPES.items()}
    for wanted in (lambda scale: scale == 1, is_round):
        for name, scale in scales.items():
            if wanted(scale):
                return name, scale
    return "ln", scales["ln"]


def _with_offset(front_end: FrontEnd, line: Line, small: float) -> FrontEnd:
    """Gain, offset and shift, which a line does not tell apart: with an offset of 1 if that fits.

    ln(mel + o) + b / s = ln(mel / o + 1) + ln o + b / s.
    """
    shift = 0.0 if abs(line.intercept) <= max(small, 1e-5) else rounded(line.intercept)
    if not front_end.offset:
        return replace(front_end, shift=shift)
    at_one = line.intercept + line.slope * math.log(front_end.offset)
    if abs(at_one) <= 100 * max(small, 1e-5):
        gain = rounded(1 / front_end.offset, 1e-3)
        return replace(front_end, gain=gain, offset=1.0, shift=0.0)
    return replace(front_end, offset=rounded(front_end.offset, 1e-3), shift=shift)


def _relative_to(shift: float, extremes: Extremes, small: float) -> float | None:
    """The value of the loudest, if it is 0 or 1 although the line has another shift."""
    if not shift:
        return None
    at = (value for value in (0.0, 1.0) if abs(extremes.largest - value) <= max(small, 1e-5))
    return next(at, None)


def _with_floor(front_end: FrontEnd, line: Line, extremes: Extremes) -> FrontEnd:
    """The floor or the range below the loudest that the lowest values show."""

    def level(value: float) -> float:
        """The level before the logarithm, with gain and offset."""
        exponent = (value - line.intercept) / line.slope
        return math.exp(min(max(exponent, -80.0), 80.0)) * front_end.gain

    floor, silence = USUAL_FLOOR, extremes.silence
    if silence is not None and not front_end.relative:
        silent = level(silence)
        if silent > (1 + NEAR_ONE) * front_end.offset:  # else it is the offset that is left then
            floor = rounded(silent, 1e-3)
    if extremes.lowest is None:
        return replace(front_end, floor=floor)
    reach = (extremes.largest - extremes.lowest) / front_end.scale
    at_lowest = level(extremes.lowest)
    heard = silence is not None and silence < extremes.lowest - 1e-6 * reach
    if heard or (is_round(reach) and not is_round(at_lowest)):
        return replace(front_end, floor=floor, range_below=rounded(reach, 1e-3))
    return replace(front_end, floor=rounded(at_lowest, 1e-3))
