"""A search for the front end whose log-mel of a sound equals given features.

From each start one key after the other until no change of one key helps, then frequencies and
lengths in ever smaller steps. The louder half of the features comes first, with a scale of its own
for each band, so that filters, frames and times are right before their levels are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from ganexplain.audio.log_mel import frame_count, log_mel
from ganexplain.audio.matching import candidates
from ganexplain.audio.matching.forms import form, levels_alone
from ganexplain.audio.matching.levels import (
    NO_LINE,
    Line,
    Target,
    fitted_line,
    mel_levels,
    spectral_bins,
)
from ganexplain.errors import UsageError
from ganexplain.inputs.log_mel import FrontEnd

EQUAL = 2e-6  # residual of rounding: nothing better is looked for
FOUND = 5e-3  # residual of a start after which no other is tried
BETTER = 0.999  # a change must lower the residual to this share of it
CLOSE = 0.5  # residual from which on numbers are moved in small steps
PROMISING = 0.2  # residual by band up to which levels are looked for
APART = 0.1  # share of the residual of all rows together that they leave on their own
MOST_ROUNDS = 6
MOST_MOVES = 4  # by one step
SPARE_FRAMES = 3  # by which conventions differ in the number of frames of a sound
KEPT_SPECTRA = 4
NO_SOUND = np.empty(0, np.float32)
PCEN_KEYS = ("pcen_seconds", "pcen_gain", "pcen_bias", "pcen_power", "pcen_eps", "gain")
HZ_STEPS = (500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5)
FACTORS = (1.2, 1.03, 1.005, 1.0007, 1.0001)
SAMPLE_STEPS = (128, 64, 32, 16, 8, 4, 2, 1)


@dataclass
class Search:
    """A target, the sounds (samples,) by sample rate from which it may be, and all tries so far.

    The target begins with each sound, which may be longer. `hops` are those that are possible at
    each rate. `note` is called at each try.
    """

    target: Target
    sounds: Mapping[int, np.ndarray]
    hops: Mapping[int, Sequence[int]]
    note: Callable[[], object] = lambda: None
    tried: dict[FrontEnd, Line] = field(default_factory=dict)
    spectra: dict[FrontEnd, np.ndarray] = field(default_factory=dict)
    levels: dict[FrontEnd, np.ndarray] = field(default_factory=dict)

    def line(self, front_end: FrontEnd) -> Line:
        """How well the features are an affine function of a front end's levels."""
        if front_end not in self.tried:
            self.note()
            self.tried[front_end] = self._line(front_end)
        return self.tried[front_end]

    def _line(self, front_end: FrontEnd) -> Line:
        values = self.values(front_end)
        if values is None or values.shape[1] != self.target.features.shape[1]:
            return NO_LINE
        return fitted_line(values, self.target)

    def values(self, front_end: FrontEnd) -> np.ndarray | None:
        """What features are an affine function of, (T, rows); None for an impossible front end."""
        try:
            front_end.check("")
            alone = levels_alone(front_end)
            if alone not in self.levels:  # of the one before, which is tried with many offsets
                magnitudes = self.magnitudes(front_end)
                self.levels.clear()
                if magnitudes is not None:
                    self.levels[alone] = mel_levels(magnitudes, alone)
        except (UsageError, ValueError):  # impossible together, or a band without a bin
            return None
        return form(self.levels[alone], front_end) if alone in self.levels else None

    def magnitudes(self, front_end: FrontEnd) -> np.ndarray | None:
        """The magnitudes (T, bins) of all spectral bins; None where the sound is too short."""
        sound, bins = self.sounds.get(front_end.sample_rate, NO_SOUND), spectral_bins(front_end)
        if frame_count(sound.size, front_end) < self.target.frames - SPARE_FRAMES:
            return None
        if bins not in self.spectra:
            while len(self.spectra) >= KEPT_SPECTRA:
                self.spectra.pop(next(iter(self.spectra)))
            count = self.target.frames
            needed = count * bins.hop_length + 2 * bins.transform_length  # without its end
            self.spectra[bins] = log_mel(sound[:needed], bins)[:count]
        return self.spectra[bins]

    def residual(self, front_end: FrontEnd) -> float:
        """What the best line leaves, a share of the features' deviation."""
        return self.line(front_end).residual

    def best(self, front_ends: Iterable[FrontEnd]) -> FrontEnd:
        """The front end with the least residual."""
        return min(front_ends, key=self.residual)

    def of(self, target: Target) -> Search:
        """The same search of another target."""
        return replace(self, target=target, tried={}, spectra={}, levels={})


def find_front_end(search: Search, starts: Iterable[FrontEnd]) -> tuple[Search, FrontEnd]:
    """The best front end that is found from some starts, but for the map of levels to values.

    Also the search in which it is the best.
    """
    found: list[tuple[Search, FrontEnd]] = []
    for start in starts:
        found.append(refine_all(search, start))
        if found[-1][0].residual(found[-1][1]) < FOUND:
            break
    return min(found, key=lambda entry: entry[0].residual(entry[1]))


def refine_all(search: Search, front_end: FrontEnd) -> tuple[Search, FrontEnd]:
    """A front end after all changes that help: times and filters first, then levels.

    Also the search in which it is as good as it can be: by row where all rows together are not.
    """
    rows = search.of(search.target.by_rows)
    by_band = rows
    if not candidates.needs_rows(front_end):
        by_band = search.of(search.target.loud(by_band=True))
    own = candidates.of_kind(front_end)
    times = (candidates.frames, _rates_and_hops(search))  # first: other keys make up for wrong ones
    best = _refined(by_band, front_end, (candidates.powers, *own, *times, *candidates.GROUPS))
    if by_band.residual(best) > PROMISING or by_band is rows:
        return by_band, best
    loud = search.of(search.target.loud(by_band=False))
    best = loud.best([best, *_changed(best, candidates.heights)])
    if rows.residual(best) < APART * loud.residual(best):  # rows have constants of their own
        return rows, _refined(rows, best, (*own, *candidates.GROUPS))
    best = _refined(loud, best, candidates.GROUPS)
    best = search.best([best, *candidates.offsets(best)])
    return search, _refined(search, best, (*candidates.GROUPS, candidates.offsets))


def _changed(front_end: FrontEnd, neighbours: candidates.Neighbours) -> Iterator[FrontEnd]:
    return (candidates.as_padded(front_end, each) for each in neighbours(front_end))


def _refined(
    search: Search, front_end: FrontEnd, groups: Iterable[candidates.Neighbours]
) -> FrontEnd:
    """A front end after the changes of single keys that help, and of numbers in small steps."""
    best = front_end
    for _ in range(MOST_ROUNDS):
        before = search.residual(best)
        for group in groups:
            if search.residual(best) < EQUAL:
                return best
            best = search.best([best, *_changed(best, group)])
        if BETTER * before < search.residual(best) < CLOSE:
            best = _in_small_steps(search, best)
        if search.residual(best) > BETTER * before:
            break
    return best


def _rates_and_hops(search: Search) -> candidates.Neighbours:
    def changed(front_end: FrontEnd) -> Iterator[FrontEnd]:
        for rate in search.sounds:
            longer = rate / front_end.sample_rate
            window = round(front_end.window_length * longer)
            for hop in search.hops[rate]:
                for length in candidates.near(front_end.frame_length * longer, rate):
                    yield replace(
                        front_end, sample_rate=rate, hop_length=hop, frame_length=length,
                        window_length=window if window <= length else 0,
                        fft_length=front_end.fft_length and (1 << (length - 1).bit_length()),
                    )  # fmt: skip

    return changed


def _in_small_steps(search: Search, front_end: FrontEnd) -> FrontEnd:
    """Numbers of a kind of features; if these do not help, ends in Hz and lengths in samples."""
    best = front_end
    for name, factor in product(_moving(best), FACTORS):
        value = getattr(best, name)
        near = (value * factor**n for n in range(-MOST_MOVES, MOST_MOVES + 1))
        best = search.best([best, *(replace(best, **{name: each}) for each in near)])
    if search.residual(best) < BETTER * search.residual(front_end):
        return best  # other keys first: ends of bands would make up for them
    if not best.highest_hz:
        best = replace(best, highest_hz=best.sample_rate / 2)
    for steps, names in (
        (HZ_STEPS, ("highest_hz", "lowest_hz")),
        (SAMPLE_STEPS, ("frame_length", "window_length", "hop_length")),
    ):
        for step in steps:
            for _ in range(MOST_MOVES):
                tries = [_moved(best, name, by) for name in names for by in (step, -step)]
                better = search.best([best, *tries])
                if better == best or search.residual(best) < EQUAL:
                    break
                best = better
    return best


def _moving(front_end: FrontEnd) -> Sequence[str]:
    """Keys of a kind of features that are moved by factors."""
    if front_end.logarithm == "pcen":
        return PCEN_KEYS
    return [name for name in ("offset", "floor") if getattr(front_end, name) and
            (front_end.cepstra or name == "offset")]  # fmt: skip


def _moved(front_end: FrontEnd, name: str, step: float) -> FrontEnd:
    moved = replace(front_end, **{name: getattr(front_end, name) + step})
    return candidates.as_padded(front_end, moved)
