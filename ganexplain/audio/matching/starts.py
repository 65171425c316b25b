"""Where a search begins: times that a regression finds, and the kinds of features at them.

Whatever features are, they nearly follow the log energies of some bands of the frames that they are
computed from, and of no others. So rate, hop, frame and place of the frames are found before it is
known whether features are log-mel, a spectrum, cepstra or PCEN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from ganexplain.audio.matching import candidates
from ganexplain.audio.matching.forms import pcen
from ganexplain.audio.matching.search import Search
from ganexplain.inputs.log_mel import QUIETEST, FrontEnd

STARTS = 4  # from which one key after the other is changed
COARSE = (23, 46, 93)  # ms: lengths of frames at first
TIMES = 12  # rates and hops for which other places, and frames of all lengths, are tried
BANDS = 24  # whose energies features are regressed on
FRAMES_A_BAND = 6  # that a regression needs
QUIET = 1e-10  # added to energies
LOUD = 2.0**31  # gain of energies, beside which what PCEN adds is small
MOST_ROWS = 128  # of features that are compared at first


def coarse_starts(search: Search) -> list[tuple[float, FrontEnd]]:
    """Front ends of all kinds at the likely times, the best first, and their residuals."""
    by_band = search.of(search.target.loud(by_band=True))
    whole = search.of(search.target.by_rows)
    plain = FrontEnd(
        mel_bands=search.target.features.shape[1], lowest_hz=0.0, highest_hz=0.0, floor=1e-10,
        filters="peak", power=2.0, window="periodic", excerpt_frames=search.target.frames,
    )  # fmt: skip
    found = []
    for timed in likely_times(search, plain):
        for kind in candidates.kinds(timed, search.target.features, search.target.is_linear):
            searching = whole if candidates.needs_rows(kind[0]) else by_band
            best = searching.best(kind)
            found.append((searching.residual(best), best))
    return sorted(found, key=lambda entry: entry[0])[:STARTS]


def likely_times(search: Search, plain: FrontEnd) -> list[FrontEnd]:
    """The likeliest rate, hop, frame and place of frames for each rate, the best rate first."""
    tried: dict[tuple[int, FrontEnd], float] = {}

    def unlike(front_end: FrontEnd) -> float:
        # A sound of which the rate is not known is as long at all rates, and its frames are alike.
        key = search.sounds[front_end.sample_rate].size, replace(front_end, sample_rate=1)
        if key not in tried:
            search.note()
            tried[key] = regression_residual(search, front_end)
        return tried[key]

    def best(front_ends: Iterable[FrontEnd]) -> FrontEnd:
        return min(front_ends, key=unlike)

    times = [
        replace(plain, sample_rate=rate, hop_length=hop, frame_length=length, centred=centred)
        for rate in search.sounds
        for hop in search.hops[rate]
        for length in (2 ** round(math.log2(rate * each / 1000)) for each in COARSE)
        for centred in (False, True)
    ]
    grid = times
    for neighbours in (candidates.ends, candidates.framed):
        grid = sorted(grid, key=unlike)[:TIMES]
        grid = [best([each, *_padded(each, neighbours)]) for each in grid]
    by_rate: dict[int, FrontEnd] = {}
    for each in sorted(grid, key=unlike):
        by_rate.setdefault(each.sample_rate, each)
    return list(by_rate.values())


def _padded(front_end: FrontEnd, neighbours: candidates.Neighbours) -> Iterator[FrontEnd]:
    return (candidates.as_padded(front_end, each) for each in neighbours(front_end))


def regression_residual(search: Search, front_end: FrontEnd) -> float:
    """What a regression of features on log energies of the frames leaves, by row; 1 for nothing."""
    magnitudes = search.magnitudes(front_end)
    if magnitudes is None:
        return 1.0
    frames = min(len(magnitudes), search.target.frames)
    features = search.target.features[:frames]
    features = features[:, :: max(1, features.shape[1] // MOST_ROWS)]
    energies = _energies(magnitudes[:frames], min(BANDS, max(2, frames // FRAMES_A_BAND)))
    # Of a logarithm, of one that bends, and of energies by those before.
    ways = [np.log(energies + offset) for offset in (QUIET, float(np.median(energies)))]
    if features.min() >= 0 and not search.target.is_linear:
        normalised = product((1.0, LOUD), candidates.normalised(front_end))
        ways += [pcen(energies * gain, each) for gain, each in normalised]
    centred, residuals = _centred(features), []
    total = np.maximum(np.square(centred).sum(0), QUIETEST)
    for values in ways:
        basis, strengths, _ = np.linalg.svd(_centred(values), False)
        basis = basis[:, strengths > 1e-6 * strengths[0]]
        left = total - np.square(basis.T @ centred).sum(0)
        residuals.append(float(np.sqrt(np.clip(left / total, 0, 1).mean())))
    return min(residuals)


def _centred(values: np.ndarray) -> np.ndarray:
    return np.asarray(values - values.mean(0))


def _energies(magnitudes: np.ndarray, bands: int) -> np.ndarray:
    """The energies (T, bands) of parts of the spectrum, wider ones above."""
    bins = magnitudes.shape[1]
    edges = np.unique(np.geomspace(2, bins, bands + 1).astype(int)) - 1
    return np.add.reduceat(np.square(magnitudes, dtype=np.float64), edges[edges < bins], axis=1)
