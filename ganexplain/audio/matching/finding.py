"""From an array of features of a sound to the front end that computes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ganexplain.audio.matching.candidates import HOPS, UNITS
from ganexplain.audio.matching.forms import levels_alone
from ganexplain.audio.matching.level_curve import LevelCurve
from ganexplain.audio.matching.levels import Target, band_lines, mel_levels
from ganexplain.audio.matching.row_values import (
    Rows,
    cepstral,
    constants,
    energies,
    standardised_rows,
)
from ganexplain.audio.matching.search import FOUND, Search, find_front_end, refine_all
from ganexplain.audio.matching.stacked import Stack
from ganexplain.audio.matching.starts import coarse_starts
from ganexplain.audio.matching.values import (
    Extremes,
    bent,
    logarithm_of,
    standardisation,
    standardised,
    with_values,
)  # fmt: skip
from ganexplain.inputs.log_mel import FrontEnd

SECONDS = 3.0  # of sound that are compared while searching
SILENT = 1e-3  # of the loudest sample
FEWEST_FRAMES = 4
MOST_FRAMES = 250  # that are compared while searching where their hop is not known
HOP_SECONDS = (0.001, 0.15)  # shortest and longest
LONGEST_FRAME = 0.1  # seconds, by which uncentred frames may end before a sound
MOST_HOPS = 12
NEAR = 0.85  # residual of the coarse grid from which on features are like no log-mel
APART = 0.1  # share of the residual of all rows together that they leave on their own
UNLIKE = 0.2  # by which the other axis follows the level of the sound less than time does


@dataclass(frozen=True)
class Heard:
    """Features (T, F) of a sound, and the sound (samples,) by the rates that it may have had.

    With `is_whole` the frames span the sound; else they begin with it. `silence` is what the
    features are without any sound, and `curve` how they bend with the level, where that is known.
    `stack` says which slopes follow on these features.
    """

    features: np.ndarray
    sounds: Mapping[int, np.ndarray]
    is_whole: bool = True
    silence: float | None = None
    curve: LevelCurve | None = None
    stack: Stack | None = None

    def transposed(self) -> Heard:
        """The same with the axes swapped."""
        return replace(self, features=self.features.T)

    def hops(self, rate: int) -> list[int]:
        """Hops at a rate that the number of frames allows, or usual ones."""
        samples, count = self.sounds[rate].size, len(self.features)
        low, high = (round(rate * each) for each in HOP_SECONDS)
        if not self.is_whole or count < FEWEST_FRAMES:
            return [hop for hop in HOPS if low <= hop <= high and samples >= hop * (count - 3)]
        least = max(low, int((samples - LONGEST_FRAME * rate) // (count + 1)))
        possible = range(least, min(high, samples // (count - 2)) + 1)
        if len(possible) <= MOST_HOPS:
            return list(possible)
        even = np.linspace(possible[0], possible[-1], MOST_HOPS).astype(int).tolist()
        return sorted({*even, *(hop for hop in HOPS if hop in possible)})

    def search(self, note: Callable[[], object], hops: Sequence[int] = ()) -> Iterator[Search]:
        """Searches for the front end, with a logarithm and without; none for impossible axes.

        They compare the first seconds from where the sound begins.
        """
        possible = {rate: [*self.hops(rate), *hops] for rate in self.sounds}
        if not any(possible.values()) or len(self.features) < FEWEST_FRAMES:
            return
        rate, sound = max(self.sounds.items(), key=lambda entry: entry[1].size / entry[0])
        seconds = SECONDS + _silent_samples(sound) / rate
        share = min(1.0, seconds * rate / sound.size) if self.is_whole else 1.0
        count = max(FEWEST_FRAMES, int(len(self.features) * share))
        count = count if self.is_whole else min(count, MOST_FRAMES)
        sounds = {
            rate: sound[: round(sound.size * share) + (rate if share < 1 else 0)]
            for rate, sound in self.sounds.items()
        }
        if self.curve is not None:
            target = Target.of(self.curve.log_levels(self.features[:count]))
            yield Search(target, sounds, possible, note)
            return
        standardise = standardisation(self.features)
        silence = self.silence if standardise == "none" else None
        target = Target.of(self.features[:count], silence)
        target = replace(target, by_band=standardise.startswith("band"))
        for each in (target, target.logarithmic()):
            if each is not None:
                yield Search(each, sounds, possible, note)

    def completed(self, search: Search, front_end: FrontEnd) -> Iterator[FrontEnd]:
        """A front end that was found with the keys of its values, in each way that may be."""
        for each in self._with_values(search, _of_likely_power(search, front_end)):
            yield self.stack.on(each) if self.stack else each

    def _with_values(self, search: Search, front_end: FrontEnd) -> Iterator[FrontEnd]:
        if self.is_by_row(search, front_end):
            yield from self._by_row(search, front_end)
            return
        extremes, line = Extremes.of(self.features, self.silence), search.line(front_end)
        if not line.slope:  # as of features that are constant where they are compared
            return
        if front_end.logarithm == "pcen":
            line = search.of(replace(search.target, by_band=False)).line(front_end)
            yield from energies(front_end, line.slope, line.intercept)
            return
        if self.curve is not None:
            yield from bent(front_end, line, self.curve)
            return
        standardise = standardisation(self.features)
        plain = None
        if not search.target.by_band:
            plain = with_values(front_end, line, search.target, extremes)
        if plain is not None and standardise == "range":  # of an excerpt as loud as its range
            yield plain
        if standardise != "none" and not search.target.is_linear:
            yield from standardised(front_end, line, extremes, standardise)
        if plain is not None and standardise != "range":
            yield plain

    def is_by_row(self, search: Search, front_end: FrontEnd) -> bool:
        """Whether features follow a front end in each row, but not with one line for all rows."""
        if front_end.cepstra:
            return True
        if search.target.is_linear or self.curve is not None or front_end.logarithm == "pcen":
            return False
        together = search.of(replace(search.target, by_band=False)).residual(front_end)
        return search.of(search.target.by_rows).residual(front_end) < APART * together

    def _by_row(self, search: Search, front_end: FrontEnd) -> Iterator[FrontEnd]:
        """A front end with the keys of its values by row."""
        # What filters are scaled by is in the intercepts.
        ways = [replace(front_end, filters=each) for each in (front_end.filters, *UNITS)]
        rows = {each: found for each in ways if (found := self._rows(search, each))}
        standardise = standardisation(self.features)
        if standardise.startswith("band"):
            for each, found in rows.items():
                yield from standardised_rows(each, found, standardise)
        for each, found in rows.items():
            if each.cepstra:
                yield from cepstral(each, found)
        if front_end in rows:
            yield from constants(front_end, rows[front_end])

    def _rows(self, search: Search, front_end: FrontEnd) -> Rows | None:
        """The line of each row; None for an impossible front end."""
        values, alone = search.values(front_end), levels_alone(front_end)
        whole = replace(
            search, sounds=self.sounds, target=Target.of(self.features), levels={}, spectra={}
        )
        magnitudes = whole.magnitudes(alone)
        if values is None or magnitudes is None:
            return None
        loudest = float(mel_levels(magnitudes, alone).max()) + front_end.offset
        slopes, intercepts = band_lines(values, search.target)
        return Rows(slopes, intercepts, self.features.std(0), loudest)

    def likeness_in_time(self) -> float:
        """How far the mean over bands follows the level of the sound: a correlation."""
        steps = len(self.features)
        sound = max(self.sounds.values(), key=len)
        parts = np.array_split(sound.astype(np.float64) ** 2, steps)
        energy = np.array([part.mean() if part.size else 0.0 for part in parts]) + 1e-12
        course = self.features.mean(1)
        if not self.is_whole or steps < FEWEST_FRAMES or not course.std() > 0:
            return 0.0
        if not any(self.hops(rate) for rate in self.sounds):  # too few or too many for frames
            return 0.0
        return max(abs(float(np.corrcoef(course, x)[0, 1])) for x in (energy, np.log(energy)))


def _silent_samples(sound: np.ndarray) -> int:
    """The number of samples before the first that is heard."""
    level = np.abs(sound)
    return int(np.argmax(level > SILENT * level.max()))


def _of_likely_power(search: Search, front_end: FrontEnd) -> FrontEnd:
    """The front end with the power of spectral bins, which their logarithms leave open."""
    if front_end.filters != "none":
        return front_end

    def unlikely(each: FrontEnd) -> tuple[bool, float]:
        slope = search.line(each).slope
        plain = not search.target.is_linear and slope > 0 and logarithm_of(slope)[1] == 1
        return not plain, abs(slope - 1)

    return min((replace(front_end, power=power) for power in (1.0, 2.0)), key=unlikely)


@dataclass(frozen=True)
class Found:
    """Front ends that may be that of features, the likely ones first, and what a line leaves."""

    front_ends: tuple[FrontEnd, ...]
    residual: float


def find(heard: Heard, note: Callable[[], object]) -> Found | None:
    """The front end of features from nothing but them; None where none is near."""
    begun = []
    ways = [(each.likeness_in_time(), each) for each in (heard, heard.transposed())]
    most = max(likeness for likeness, _ in ways)
    for likeness, each in ways:
        if likeness < most - UNLIKE:
            continue
        for search in each.search(note):
            starts = coarse_starts(search)
            if starts and starts[0][0] < NEAR:
                begun.append((starts[0][0], each, search, [start for _, start in starts]))
    found: list[Found] = []
    for _, each, search, likely in sorted(begun, key=lambda entry: entry[0]):
        searched, best = find_front_end(search, likely)
        whole = tuple(each.completed(search, best))
        if whole:
            found.append(Found(whole, searched.residual(best)))
            if found[-1].residual < FOUND:
                break
    return min(found, key=lambda each: each.residual, default=None)


def mend(heard: Heard, front_end: FrontEnd, note: Callable[[], object]) -> Found | None:
    """The front end of features that nearly equals another one; None where none is near."""
    mended = []
    for search in heard.search(note, hops=(front_end.hop_length,)):
        start = replace(front_end, offset=front_end.offset / front_end.gain)
        searched, best = refine_all(search, start)
        whole = tuple(heard.completed(search, best))
        if whole:
            mended.append(Found(whole, searched.residual(best)))
    return min(mended, key=lambda each: each.residual, default=None)
