"""How many searches of a run had no gradient: fields of a meta, and words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ganexplain.errors import GanexplainError

SEARCHES, LOST, LOST_STARTS = "searches", "searches_without_gradient", "starts_without_gradient"


def counted(no_gradient: np.ndarray) -> dict[str, int]:
    """Fields of a meta: of searches (L, N) how many there are, and have no gradient at any step."""
    return {
        SEARCHES: no_gradient.size,
        LOST: int(no_gradient.sum()),
        LOST_STARTS: int(no_gradient.any(axis=0).sum()),
    }


def lost_in_words(meta: Mapping[str, Any]) -> str:
    """What the meta of explanations says of searches without a gradient; empty where all had one.

    Of files from before they were counted nothing is known.
    """
    if not meta.get(LOST):
        return ""
    return lost_searches(*(meta.get(key, 0) for key in (LOST, SEARCHES, LOST_STARTS, "examples")))


def refuse_lost(name: str, no_gradient: np.ndarray) -> None:
    """GanexplainError where no search (L, N) of a unit had a gradient."""
    if no_gradient.all():
        counts = counted(no_gradient) | {"examples": no_gradient.shape[1]}
        raise GanexplainError(f"{name}: {lost_in_words(counts)}; choose another unit")


def lost_searches(without: int, searches: int, starts: int, examples: int) -> str:
    """How many searches had no gradient at any step, from how many of the starts, in words."""
    return (
        f"{without} of {searches} searches, from {starts} of {examples} starts, have no gradient: "
        "the response does not change with the latent there (a dead rectifier, say), and they "
        "only follow the prior"
    )
