"""Covering arrays: few runs in which every pair of values of any two options comes together."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence

Row = dict[str, str]


def pairs_of(row: Row) -> set[tuple[tuple[str, str], ...]]:
    """The pairs of settings in a row."""
    return set(itertools.combinations(sorted(row.items()), 2))


def possible_pairs(
    factors: Mapping[str, Sequence[str]], allowed: Callable[[Row], bool]
) -> set[tuple[tuple[str, str], ...]]:
    """The pairs of values of two factors that go together."""
    found = {
        tuple(zip(two, values, strict=True))
        for two in itertools.combinations(sorted(factors), 2)
        for values in itertools.product(*(factors[name] for name in two))
    }
    return {pair for pair in found if allowed(dict(pair))}


def covering_array(
    factors: Mapping[str, Sequence[str]], allowed: Callable[[Row], bool], seed: int = 0
) -> list[Row]:
    """Rows that hold every possible pair of values of two factors, greedily few; always the same.

    Each row begins with a pair that is still missing and takes, factor by factor, the value that
    brings most missing pairs (AETG, Cohen et al. 1997). `allowed` says of a row, or a part of one,
    whether its settings go together; every part must have a way to a whole row.
    """
    draw = random.Random(seed)
    names, missing = sorted(factors), possible_pairs(factors, allowed)
    rows: list[Row] = []
    while missing:
        row = dict(min(missing))
        for name in draw.sample(names, len(names)):
            if name not in row:
                values = draw.sample(list(factors[name]), len(factors[name]))
                fitting = [value for value in values if allowed(row | {name: value})]
                row[name] = max(fitting, key=lambda value: _brings(row, name, value, missing))
        missing -= pairs_of(row)
        rows.append(row)
    return rows


def _brings(row: Row, name: str, value: str, missing: set[tuple[tuple[str, str], ...]]) -> int:
    return sum(tuple(sorted(((name, value), item))) in missing for item in row.items())
