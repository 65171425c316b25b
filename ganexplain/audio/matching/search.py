"""A search for the front end whose log-mel of a sound equals given features.

First rate, hop and frame together on a coarse grid, then one key after the other from the best few
starts until no change of one key helps, then frequencies and lengths in ever smaller steps. The
louder half of the features comes first, with a scale of its own for each band, so that filters,
frames and times are right before their levels are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ganexplain.audio.log_mel import frame_count, log_mel
from ganexplain.audio.matching import candidates
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

STARTS = 3  # of the coarse grid from which one key after the other is changed
COARSE = 46  # ms: length of a frame at first
COARSE_STEPS = (candidates.ends, candidates.framed, candidates.places)
TIMES = 12  # rates and hops for which other ends, and frames of all lengths, are tried
EQUAL = 2e-6  # residual of rounding: nothing better is looked for
FOUND = 1e-4  # residual of a start after which no other is tried
BETTER = 0.999  # a change must lower the residual to this share of it
CLOSE = 0.5  # residual from which on numbers are moved in small steps
PROMISING = 0.2  # residual by band up to which levels are looked for
MOST_ROUNDS = 4
MOST_MOVES = 4  # by one step
SPARE_FRAMES = 3  # by which conventions differ in the number of frames of a sound
KEPT_SPECTRA = 4
NO_SOUND = np.empty(0, np.float32)
HZ_STEPS = (500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5)
OFFSET_FACTORS = (1.2, 1.03, 1.005, 1.0007, 1.0001)
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
        sound = self.sounds.get(front_end.sample_rate, NO_SOUND)
        try:
            front_end.check("")
            if frame_count(sound.size, front_end) < self.target.frames - SPARE_FRAMES:
                return NO_LINE
            levels = self._levels(replace(front_end, offset=0.0), sound)
        except (UsageError, ValueError):  # impossible together, or a band without a bin
            return NO_LINE
        return fitted_line(levels, front_end.offset, self.target)

    def _levels(self, front_end: FrontEnd, sound: np.ndarray) -> np.ndarray:
        if front_end not in self.levels:  # of the one before, which is tried with many offsets
            magnitudes = self._magnitudes(spectral_bins(front_end), sound)
            self.levels.clear()
            self.levels[front_end] = mel_levels(magnitudes, front_end)
        return self.levels[front_end]

    def _magnitudes(self, bins: FrontEnd, sound: np.ndarray) -> np.ndarray:
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


def find_front_end(search: Search, starts: Iterable[FrontEnd]) -> FrontEnd:
    """The best front end that is found from some starts, but for the map of levels to values."""
    found: list[FrontEnd] = []
    for start in starts:
        found.append(refine_all(search, start))
        if search.residual(found[-1]) < FOUND:
            break
    return search.best(found)


def refine_all(search: Search, front_end: FrontEnd) -> FrontEnd:
    """A front end after all changes that help: times and filters first, then levels."""
    by_band = search.of(search.target.loud(by_band=True))
    loud = search.of(search.target.loud(by_band=False))
    times = (candidates.frames, _rates_and_hops(search))  # first: other keys make up for wrong ones
    best = _refined(by_band, front_end, (candidates.powers, *times, *candidates.GROUPS))
    if by_band.residual(best) > PROMISING:
        return best
    best = _refined(loud, best, candidates.GROUPS)
    best = search.best([best, *candidates.offsets(best)])
    return _refined(search, best, (*candidates.GROUPS, candidates.offsets))


def coarse_starts(search: Search) -> list[tuple[float, FrontEnd]]:
    """The best of a grid of rates, hops and frames with plain filters, and their residuals."""
    search = search.of(search.target.loud(by_band=True))
    plain = FrontEnd(
        mel_bands=search.target.features.shape[1], lowest_hz=0.0, highest_hz=0.0, floor=1e-10,
        filters="peak", power=2.0, window="periodic", excerpt_frames=search.target.frames,
    )  # fmt: skip
    times = [
        replace(plain, sample_rate=rate, hop_length=hop, frame_length=rate * COARSE // 1000)
        for rate in search.sounds
        for hop in search.hops[rate]
    ]
    grid = [
        search.best(
            place
            for placed in (each, replace(each, centred=True))
            for place in (*candidates.bands(placed), candidates.bins(placed))
        )
        for each in times
    ]
    for neighbours in COARSE_STEPS:
        grid = sorted(grid, key=search.residual)[:TIMES]
        grid = [search.best([each, *_changed(each, neighbours)]) for each in grid]
    by_rate: dict[int, FrontEnd] = {}
    for each in sorted(grid, key=search.residual):
        by_rate.setdefault(each.sample_rate, each)
    return [(search.residual(each), each) for each in list(by_rate.values())[:STARTS]]


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
    """Ends of the bands in Hz and lengths in samples, moved as long as that helps."""
    best = front_end
    if not best.highest_hz:
        best = replace(best, highest_hz=best.sample_rate / 2)
    for factor in OFFSET_FACTORS if best.offset else ():
        best = search.best([best, *(replace(best, offset=best.offset * factor**n) for n in
                                    range(-MOST_MOVES, MOST_MOVES + 1))])  # fmt: skip
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


def _moved(front_end: FrontEnd, name: str, step: float) -> FrontEnd:
    moved = replace(front_end, **{name: getattr(front_end, name) + step})
    return candidates.as_padded(front_end, moved)
