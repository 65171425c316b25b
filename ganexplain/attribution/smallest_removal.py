"""The smallest set of parts whose removal changes a decision, and the weight of each part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Margins = Callable[[np.ndarray], np.ndarray]  # of removed parts (N, n), bool: margins (N,)


@dataclass(frozen=True)
class Removal:
    """Weights (n,) of parts, and which of them (n,) are removed; none where nothing helps."""

    weights: np.ndarray
    removed: np.ndarray


def smallest_removal(margins: Margins, count: int) -> Removal:
    """Find few of `count` parts without which a margin is no longer above zero.

    The weight of a part is the mean of what the margin loses without it and of what it alone adds
    to none: the first and the last term of its Shapley value. The loss finds a part that needs
    others, the gain one that others can replace. Parts are removed in the order of their
    weights until the margin is zero or less; then each that is not needed comes back, the one with
    the smallest weight first.
    """
    one = np.eye(count, dtype=bool)
    ends = np.stack([np.zeros(count, dtype=bool), np.ones(count, dtype=bool)])
    found = margins(np.concatenate([one, ~one, ends]))
    without, alone, (whole, none) = found[:count], found[count:-2], found[-2:]
    weights = (whole - without + alone - none) / 2
    order = np.argsort(-weights, kind="stable")
    first = np.zeros((count, count), dtype=bool)
    for k, part in enumerate(order):
        first[k:, part] = True
    crossed = np.flatnonzero(margins(first) <= 0)
    if not crossed.size:
        return Removal(weights, np.zeros(count, dtype=bool))
    removed = first[crossed[0]]
    for part in order[crossed[0] :: -1]:
        fewer = removed & ~one[part]
        if margins(fewer[None])[0] <= 0:
            removed = fewer
    return Removal(weights, removed)
