"""The adaptive search of one process, setting by setting."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ganexplain.ascent.adaptive import SearchLimits, Setting, search_settings
from ganexplain.ascent.candidate import Found, SettingSearch, Target
from ganexplain.ascent.engine import Objective
from ganexplain.ascent.settings import AscentSettings


def search_in_turn(
    objective: Objective,
    start: np.ndarray,
    pairs: Sequence[Setting],
    iterations: int,
    real: np.ndarray,
    settings: AscentSettings,
    budget: int | None = None,
    advance: Callable[[int, float], None] = lambda units, distance: None,
) -> Found:
    """Search from starts (N, Z) for settings whose responses are close to real ones (R,).

    The budget is by default a tenth of the evaluations of the grid.
    """
    budget = len(pairs) * len(start) * iterations // 10 if budget is None else budget
    limits = SearchLimits(pairs, len(start), iterations, budget)
    target = Target.of(real, settings.direction)
    search = SettingSearch(objective, start, target, settings)
    return search_settings(
        limits, target, lambda trials: [search(trial, advance) for trial in trials]
    )
