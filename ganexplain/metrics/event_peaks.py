"""How well peaks of filters meet events of known time, band and kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NEAR = 0.05  # seconds from an event within which a peak meets it
MOST = 100  # inputs with a filter's strongest peaks, which describe it
PURE = 0.5  # share of a filter's peaks from which it detects a kind


@dataclass(frozen=True)
class EventSpans:
    """The E events of one input.

    `seconds` (E, 2) are their beginnings and ends in the input, `hertz` (E, 2) the ends of their
    bands, `kinds` (E,) the numbers of their kinds.
    """

    seconds: np.ndarray
    hertz: np.ndarray
    kinds: np.ndarray


def met_kinds(
    seconds: np.ndarray, hertz: np.ndarray, inputs: Sequence[EventSpans], count: int
) -> np.ndarray:
    """Return whether the peak of each filter meets an event of each of `count` kinds (N, D, K).

    A peak meets an event if its place overlaps the event's band, and if it is within the event or
    at most 50 ms from its beginning or end.

    Args:
        seconds: time of each peak in its input (N, D).
        hertz: lowest and highest frequency of the place of each peak (N, D, 2).
        inputs: events of each of the N inputs.
        count: number of kinds K.
    """
    met = np.zeros((*seconds.shape, count), dtype=bool)
    for n, events in enumerate(inputs):
        time, lowest, highest = seconds[n, :, None], hertz[n, :, :1], hertz[n, :, 1:]
        begin, end = events.seconds.T
        low, high = events.hertz.T
        inside = (begin - NEAR <= time) & (time <= end + NEAR)
        inside &= (low <= highest) & (lowest <= high)
        for kind in range(count):
            met[n, :, kind] = inside[:, events.kinds == kind].any(axis=1)
    return met


def strongest(strength: np.ndarray) -> np.ndarray:
    """Return the rows of the (at most) 100 strongest of peaks (N,) above 0, the strongest first."""
    firing = np.flatnonzero(strength > 0)
    return firing[np.argsort(-strength[firing], kind="stable")[:MOST]]


def kind_shares(strength: np.ndarray, met: np.ndarray) -> np.ndarray:
    """Return the share of each filter's peaks that meet each kind, (D, K), from (N, D, K).

    It is that of the `strongest` peaks by `strength` (N, D); NaN for a filter with fewer than two.
    """
    found = np.full(met.shape[1:], np.nan)
    for f in range(strength.shape[1]):
        rows = strongest(strength[:, f])
        if len(rows) > 1:
            found[f] = met[rows, f].mean(axis=0)
    return found
