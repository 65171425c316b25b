"""Adaptive search for the setting whose responses are closest to those of real excerpts.

A grid runs all settings to the end. This search measures the distance after each iteration and
ends a setting once no later iteration can be closer; it runs few prior weights with small learning
rates, and tries more settings around the best one in decreasing steps. All settings have all
examples, because a sample of examples ranks settings badly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ganexplain.ascent.candidate import Found, Run, Target, gather
from ganexplain.ascent.engine import Ascent, Objective
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.errors import Diverged

STEPS = (1 / 2, 1 / 4, 1 / 8)  # decades between a setting and its neighbours
BEYOND = 1 / 2  # decades by which settings may exceed the range of the given values
SAME = 0.02  # relative difference below which settings are the same

Setting = tuple[float, float]  # learning rate, prior weight


def search_settings(
    objective: Objective,
    start: np.ndarray,
    pairs: Sequence[Setting],
    iterations: int,
    real: np.ndarray,
    settings: AscentSettings,
    budget: int | None = None,
    advance: Callable[[int, float], None] = lambda units, distance: None,
) -> Found:
    """Search for settings whose N responses, from starts (N, Z), are close to real ones (R,).

    Args:
        objective: From latents (B, Z) to responses (B,), as for `ascend`.
        start: Latents (N, Z), the same for all settings.
        pairs: Learning rates and prior weights to begin with; others are within half a decade.
        iterations: The largest number of iterations of a setting.
        real: Responses (R,) to real excerpts.
        settings: As for `ascend`; its prior must not be `langevin`, which need not come closer.
        budget: Evaluations of one example in all, by default a tenth of those of the grid.
        advance: Called with the evaluations since the last call, and the smallest distance.

    Raises ValueError for fewer than two examples or real responses, or a budget below four
    evaluations of each example, and Diverged if no setting has finite responses.
    """
    budget = len(pairs) * len(start) * iterations // 10 if budget is None else budget
    if len(start) < 2 or len(real) < 2 or not np.isfinite(real).all():
        raise ValueError("a distance needs at least two examples and two finite real responses")
    if budget < 4 * len(start):
        raise ValueError(f"{budget} evaluations are too few for {len(start)} examples")

    target = Target.of(real, settings.direction)

    def begin(setting: Setting) -> Run:
        # Batches like those of a search with only this setting, so the rows are exactly equal.
        return Run(setting, Ascent(objective, Starts(start, *setting), settings), target)

    search = _Search(begin, len(start), iterations, budget, advance)
    search.run_pairs(pairs)
    if not math.isfinite(search.distance):
        raise Diverged("no setting has finite responses; lower --learning-rate")
    search.refine_best(pairs)
    return gather(search.runs, search.spent)


class _Search:
    """Runs settings within the budget; all `runs` are kept, the closest first."""

    def __init__(
        self,
        begin: Callable[[Setting], Run],
        examples: int,
        iterations: int,
        budget: int,
        advance: Callable[[int, float], None],
    ) -> None:
        self.begin, self.advance = begin, advance
        self.examples, self.iterations, self.budget = examples, iterations, budget
        self.spent = 0
        self.runs: list[Run] = []

    @property
    def distance(self) -> float:
        """Smallest distance to the real responses so far."""
        return self.runs[0].distance if self.runs else math.inf

    def run_pairs(self, pairs: Sequence[Setting]) -> None:
        """Run the given pairs, largest learning rate first, then with half of the weights each.

        They are preceded by a larger learning rate, which is the cheapest.
        """
        weights = list(dict.fromkeys(weight for _, weight in pairs))
        rates = {rate for rate, _ in pairs}
        for rate in sorted(rates | {_digits(max(rates) * 10**BEYOND)}, reverse=True):
            if self.affordable(rate):
                self.run([(rate, weight) for weight in weights])
                if math.isfinite(self.distance):
                    ranked = dict.fromkeys(run.setting[1] for run in self.runs)  # closest first
                    weights = [w for w in ranked if w in weights][: math.ceil(len(weights) / 2)]

    def refine_best(self, pairs: Sequence[Setting]) -> None:
        """Run the neighbours of the best setting, with smaller steps when none is better."""
        for step in STEPS:
            best = None
            while best is not self.runs[0]:
                best = self.runs[0]
                near = [s for s in _neighbours(best.setting, step, pairs) if self.new(s)]
                self.run([s for s in near if self.affordable(s[0])])

    def affordable(self, rate: float) -> bool:
        """Whether a setting with this learning rate needs less than a quarter of the rest.

        A step of Adam moves a coordinate by about the learning rate, so a tenth of the rate needs
        ten times the iterations to the minimum of the fastest setting so far.
        """
        ways = (r.setting[0] * r.iterations for r in self.runs if math.isfinite(r.distance))
        way = min(ways, default=0.0)
        return 4 * self.examples * way / rate <= self.budget - self.spent

    def new(self, setting: Setting) -> bool:
        return not any(np.allclose(setting, run.setting, rtol=SAME, atol=0) for run in self.runs)

    def run(self, settings: Sequence[Setting]) -> None:
        """Run settings together with at most half of the rest, each as long as it may be the best.

        The best of all settings may use the whole rest to reach its minimum.
        """
        left = (self.budget - self.spent) // 2
        active = [self.begin(setting) for setting in settings[: left // (2 * self.examples)]]
        self.runs += active
        done = 0
        while active and done <= self.iterations:
            if left < len(active) * self.examples:
                active = [run for run in active if run is self.runs[0]]
                left = self.budget - self.spent
                if left < self.examples:
                    break
                continue
            # Distances are measured after a tenth of the steps done, so that few steps are wasted
            # and the GPU is not synchronised at each step.
            rows = len(active) * self.examples
            steps = min(max(done // 10, 1), self.iterations + 1 - done, left // rows)
            for run in active:
                run.advance(steps)
            done, left, self.spent = done + steps, left - steps * rows, self.spent + steps * rows
            self.runs.sort(key=lambda run: run.distance)
            self.advance(steps * rows, self.distance)
            active = [run for run in active if run.may_reach(self.distance)]


def _neighbours(setting: Setting, step: float, pairs: Sequence[Setting]) -> list[Setting]:
    """The settings `step` decades away in learning rate or prior weight."""
    found = []
    for axis in (0, 1):
        values = [pair[axis] for pair in pairs]
        low, high = min(values) / 10**BEYOND, max(values) * 10**BEYOND
        for factor in (10**step, 10**-step):
            moved = list(setting)
            moved[axis] = _digits(setting[axis] * factor)
            if low * (1 - SAME) <= moved[axis] <= high * (1 + SAME):
                found.append((moved[0], moved[1]))
    return found


def _digits(value: float) -> float:
    """A value rounded to three significant digits, which can be typed."""
    return float(f"{value:.3g}")
