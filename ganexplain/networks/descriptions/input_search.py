"""Finds the log-mel input that equals features of a sound, and the keys in which one is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import singledispatch
from typing import Any

import numpy as np

from ganexplain.audio.matching.candidates import RATES
from ganexplain.audio.matching.finding import Found, Heard, find, mend
from ganexplain.audio.matching.level_curve import LevelCurve, level_curve
from ganexplain.audio.matching.stacked import Stack, stacks
from ganexplain.errors import GanexplainError
from ganexplain.inputs.base import Input
from ganexplain.inputs.layouts import arrangements
from ganexplain.inputs.log_mel import CHOICES, FrontEnd
from ganexplain.networks.descriptions.comparison import (
    Comparison,
    compare,
    computed_input,
    spanning,
)
from ganexplain.networks.descriptions.references import Reference

SAME = 1e-3  # RMS difference, as a share of the deviation, up to which features are the same
AS_GOOD = (2.0, 1e-6)  # factor and summand by which it may grow where a key is as it was
FADED = 0.02  # level at the end of a sound that fades out
ROUNDED = 2e-5  # by which it may grow where a number is rounded
NUMBERS = ("lowest_hz", "highest_hz", "gain", "offset", "floor", "range_below", "scale", "shift")
# Keys of which several may say the same in different ways.
TOGETHER = (
    ("frame_length", "window_length", "fft_length"),
    ("centred", "pad_mode", "pad_start", "pad_end"),
    ("gain", "offset", "floor", "logarithm", "relative", "range_below", "scale", "shift"),
)
Note = Callable[[], object]


@dataclass(frozen=True)
class Given:
    """Features of a sound as a reference computes them, and the sound at any rate by `load`.

    `rates` are those that it may have had, the likely ones first. With `is_fixed` the number of
    frames does not depend on the sound.
    """

    reference: Reference
    features: np.ndarray
    load: Callable[[int], np.ndarray]
    rates: Sequence[Sequence[int]]
    is_fixed: bool

    def compared(self, input_spec: Input) -> Comparison | None:
        """How far the input of a specification is from the features."""
        return _compared(input_spec, self.load(input_spec.sound_rate), self.features)

    def share(self, input_spec: Input) -> float:
        """The RMS difference as a share of the deviation; infinite for what cannot be compared."""
        try:
            input_spec.check("")
            found = self.compared(input_spec)
        except (GanexplainError, ValueError):  # keys that do not go together
            return math.inf
        return found.agreement.share if found else math.inf

    def holds_for_other_sound(self, input_spec: Input) -> bool:
        """Whether features of the same sound backwards, fading out, are the same, too."""
        if self.reference.is_fixed:
            return True
        rate = input_spec.sound_rate
        sound = self.load(rate)[::-1] * np.linspace(1, FADED, self.load(rate).size)
        sound = sound.astype(np.float32)
        found = _compared(input_spec, sound, self.reference.of(sound, rate))
        return found is not None and found.agreement.share <= 3 * SAME

    def heard(
        self, rates: Sequence[int], bands: int = 0, stack: Stack | None = None
    ) -> Heard | None:
        """The features (T, F) for a search at some rates; None if they are no plane.

        Those of a stack, if given; else the axis of so many bands is F, if there is one.
        """
        planes = [plane.T for _, plane in arrangements(self.features, "FT")]
        if stack:
            sounds = {rate: self.load(rate) for rate in rates}
            return Heard(stack.features, sounds, not self.is_fixed, stack=stack)
        if not planes:
            return None
        plane = next((each for each in planes if each.shape[1] == bands), planes[0])
        if self.is_fixed:
            changes = np.flatnonzero((plane != plane[-1]).any(1))
            plane = plane[: changes[-1] + 1] if changes.size else plane
        sounds = {rate: self.load(rate) for rate in rates}
        silence = self._silence()
        curve = self._curve(silence) if silence is not None else None
        return Heard(plane, sounds, not self.is_fixed, silence, curve)

    def _silence(self) -> float | None:
        """The value of the features where nothing sounds, if they have one then."""
        if self.reference.is_fixed:
            return None
        rate = self.rates[0][0]
        try:
            quiet = self.reference.of(np.zeros_like(self.load(rate)), rate)
        except GanexplainError:  # its values are not finite then
            return None
        return float(quiet.flat[0]) if not np.ptp(quiet) else None

    def _curve(self, silence: float) -> LevelCurve | None:
        """How the features bend with the level of the sound, if they do."""
        rate = self.rates[0][0]
        half = self.reference.of(self.load(rate) / 2, rate)
        if half.shape != self.features.shape:
            return None
        return level_curve(self.features, half, silence)


def _compared(input_spec: Input, sound: np.ndarray, theirs: np.ndarray) -> Comparison | None:
    ours = computed_input(spanning(input_spec, sound.size), sound)
    return compare(input_spec, ours, theirs)


def given_features(
    reference: Reference, load: Callable[[int], np.ndarray], rate: int, rate_is_known: bool
) -> Given:
    """The features that a reference computes of the sound that `load` returns at any rate.

    Raises GanexplainError for constant ones, which equal every description or none.
    """
    sound = load(rate)
    features = reference.of(sound, rate)
    if not np.ptp(features):
        raise GanexplainError(
            f"{reference.name}: the features are constant, {features.flat[0]:g}; name others, or "
            "another --example"
        )
    others = tuple(dict.fromkeys((rate, *RATES)))
    rates: Sequence[Sequence[int]] = ((rate,),) if rate_is_known else (others,)
    if reference.is_fixed:
        return Given(reference, features, load, rates, is_fixed=False)
    half = reference.of(sound[: sound.size // 2], rate)
    is_fixed = half.shape == features.shape
    if reference.is_told_rate:  # it may compute at another one
        return Given(reference, features, load, ((rate,), others), is_fixed)
    return Given(reference, features, lambda rate: sound, rates, is_fixed)


def find_input(given: Given, note: Note) -> FrontEnd | None:
    """The log-mel input that is nearest to features; None if they are like none.

    At the first rate of `given` where the features are the same at every rate.
    """
    found = _nearest(given, note)
    if found is None:
        return None
    first = at_rate(found, given.rates[0][0])
    return _rounded(given, first if given.share(first) <= _as_good(given, found) else found)


def _nearest(given: Given, note: Note) -> FrontEnd | None:
    found: list[tuple[float, Found]] = []
    stack = next(stacks(given.features), None)
    for rates in given.rates:
        heard = given.heard(rates, stack=stack)
        if heard is None:
            return None
        beginning = (replace(heard, is_whole=False),) if given.reference.is_fixed else ()
        for each in (heard, *beginning):
            if one := find(each, note):
                found.append((min(map(given.share, one.front_ends)), one))
                if found[-1][0] <= SAME:
                    return _most_likely(given, one)
    if not found:
        return None
    _, best = min(found, key=lambda entry: (entry[0], entry[1].residual))
    return _most_likely(given, best)


def at_rate(front_end: FrontEnd, rate: int) -> FrontEnd:
    """The front end that computes the same of the same samples, if their rate is another one.

    Exactly without mel: bands at even distances, or spectral bins.
    """
    faster = rate / front_end.sample_rate
    found = replace(
        front_end, sample_rate=rate, lowest_hz=front_end.lowest_hz * faster,
        highest_hz=front_end.highest_hz * faster,
    )  # fmt: skip
    if found.filters == "slaney":  # whose height is that of unit area over Hz
        found = replace(found, gain=found.gain * faster)
    if found.logarithm == "pcen":
        found = replace(found, pcen_seconds=found.pcen_seconds / faster)
    return found


def shows_rate(given: Given, found: FrontEnd) -> bool:
    """Whether the rate was known, or the features are others where the sound has another rate."""
    other = next((rate for rate in given.rates[0] if rate != found.sample_rate), None)
    return other is None or given.share(at_rate(found, other)) > _as_good(given, found)


def _as_good(given: Given, found: FrontEnd) -> float:
    """The share up to which another front end is as good."""
    factor, summand = AS_GOOD
    return given.share(found) * factor + summand


def _most_likely(given: Given, found: Found) -> FrontEnd:
    """Of the front ends that may be that of the features the one that also is for other sound."""
    same = [each for each in found.front_ends if given.share(each) <= SAME]
    same += [each for every in same for each in _cut(every) if given.share(each) <= SAME]
    general = (each for each in same if given.holds_for_other_sound(each))
    likely = next(general, None) or min(found.front_ends, key=given.share)
    if given.share(likely) < ROUNDED:
        return likely
    # The search has not heard the end of the sound, and its beginning may be silent.
    ends = (replace(likely, pad_mode=mode) for mode in CHOICES["pad_mode"])
    return min((likely, *ends), key=given.share)


def _cut(found: FrontEnd) -> Iterator[FrontEnd]:
    """A front end cut at a usual range below the loudest, which quiet parts alone show."""
    usual = {"db": 80.0, "log10": 8.0}
    if found.logarithm in usual and not found.range_below:
        yield replace(found, range_below=usual[found.logarithm])


def _rounded(given: Given, found: FrontEnd) -> FrontEnd:
    """What was found, with the fewest digits of each number that make no difference."""
    enough = min(given.share(found) * AS_GOOD[0] + ROUNDED, SAME)
    if found.fft_length and not found.window_length:  # a GAN can generate the same as a window
        window = replace(
            found, frame_length=found.fft_length, window_length=found.frame_length, fft_length=0
        )
        found = window if given.share(window) <= enough else found
    for name in NUMBERS:
        value = getattr(found, name)
        short: Any
        zero = () if name == "range_below" else (0.0,)  # which quiet parts alone show
        for short in (*zero, *(float(f"{value:.{digits}g}") for digits in (1, 2, 3))):
            if short == value:
                break
            rounded = replace(found, **{name: short})
            if given.share(rounded) <= enough:
                found = rounded
                break
    return found


@singledispatch
def mend_input(described: Input, given: Given, note: Note) -> Input | None:
    """The input that is nearest to features, with as few other keys as possible; None for none.

    One function for each kind.
    """
    return None


@mend_input.register
def _mend_log_mel(described: FrontEnd, given: Given, note: Note) -> Input | None:
    heard = given.heard((described.sample_rate,), described.mel_bands)
    if heard is None:
        return None
    start = replace(described, mel_bands=heard.features.shape[1], mean=(0.0,), deviation=(1.0,))
    features = heard.features * np.array(described.deviation) + np.array(described.mean)
    found = mend(replace(heard, features=features), start, note)
    ways = tuple(
        replace(each, mean=described.mean, deviation=described.deviation)
        for each in (found.front_ends if found else ())
    )
    best = min(ways, key=given.share, default=None)
    if best is None or given.share(best) > SAME:
        other = find_input(given, note)
        best = min((each for each in (best, other) if each), key=given.share, default=None)
    return _as_described(given, best, described) if best else None


def _as_described(given: Given, best: FrontEnd, described: FrontEnd) -> FrontEnd:
    """The best input with the described value of each key for which it is as good."""
    enough = _as_good(given, best)
    for names in (*TOGETHER, *((each.name,) for each in fields(FrontEnd))):
        before = replace(best, **{name: getattr(described, name) for name in names})
        if given.share(before) <= enough:
            best = before
    return best
