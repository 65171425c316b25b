"""Adaptive search for the setting whose responses are closest to those of real excerpts.

Where a grid runs every setting to the end, this looks at the distance while the searches run:
every iteration is a snapshot of all, a setting is dropped once no later one can come closer,
few prior weights are run with small learning rates, and more settings are tried around the best,
in ever smaller steps. All settings have all examples: a sample of them ranks settings badly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ganexplain.ascent.candidate import Found, Run, Target, gather
from ganexplain.ascent.engine import Ascent, Objective
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.errors import Diverged

STEPS = (1 / 2, 1 / 4, 1 / 8)  # decades between a setting and those tried around it
BEYOND = 1 / 2  # decades that settings may lie beyond the range of the values given
SAME = 0.02  # settings closer than this share of their values are one

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
    """Settings from starts (N, Z) whose N responses come close to the real ones (R,).

    Begins with `pairs` of learning rate and prior weight and stays within half a decade of their
    ranges; no setting has more than `iterations`. The rest as for `ascend`, without the prior
    `langevin`: what it keeps need not come closer. Spends at most `budget` evaluations of one
    example, by default a tenth of the grid's. `advance(units, distance)` is
    called with evaluations done since and the smallest distance so far. Raises ValueError for
    fewer than two examples or real responses, or a budget below four evaluations of each example,
    and Diverged where no setting has finite responses.
    """
    budget = len(pairs) * len(start) * iterations // 10 if budget is None else budget
    if len(start) < 2 or len(real) < 2 or not np.isfinite(real).all():
        raise ValueError("a distance needs at least two examples and two finite real responses")
    if budget < 4 * len(start):
        raise ValueError(f"{budget} evaluations are too few for {len(start)} examples")

    target = Target.of(real, settings.direction)

    def begin(setting: Setting) -> Run:
        # Batches as of a search with this setting alone, which then gives the very same rows.
        return Run(setting, Ascent(objective, Starts(start, *setting), settings), target)

    search = _Search(begin, len(start), iterations, budget, advance)
    search.given(pairs)
    if not math.isfinite(search.distance):
        raise Diverged("no setting has finite responses; lower --learning-rate")
    search.around_the_best(pairs)
    return gather(search.runs, search.spent)


class _Search:
    """Runs settings and keeps all `runs`, the closest first, within the budget."""

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

    def given(self, pairs: Sequence[Setting]) -> None:
        """Run the pairs given, large learning rates first, of each next one half the weights.

        Before them comes a learning rate beyond, which costs the least.
        """
        weights = list(dict.fromkeys(weight for _, weight in pairs))
        rates = {rate for rate, _ in pairs}
        for rate in sorted(rates | {_digits(max(rates) * 10**BEYOND)}, reverse=True):
            if self.affordable(rate):
                self.run([(rate, weight) for weight in weights])
                if math.isfinite(self.distance):
                    ranked = dict.fromkeys(run.setting[1] for run in self.runs)  # closest first
                    weights = [w for w in ranked if w in weights][: math.ceil(len(weights) / 2)]

    def around_the_best(self, pairs: Sequence[Setting]) -> None:
        """Try the neighbours of the best, in smaller steps whenever none of them is better."""
        for step in STEPS:
            best = None
            while best is not self.runs[0]:
                best = self.runs[0]
                near = [s for s in _neighbours(best.setting, step, pairs) if self.new(s)]
                self.run([s for s in near if self.affordable(s[0])])

    def affordable(self, rate: float) -> bool:
        """Whether a setting of that learning rate will cost less than a quarter of what is left.

        A step of Adam moves a coordinate by about the learning rate: a rate a tenth as large
        takes ten times the iterations to get where the fastest so far had its minimum.
        """
        ways = (r.setting[0] * r.iterations for r in self.runs if math.isfinite(r.distance))
        way = min(ways, default=0.0)
        return 4 * self.examples * way / rate <= self.budget - self.spent

    def new(self, setting: Setting) -> bool:
        return not any(np.allclose(setting, run.setting, rtol=SAME, atol=0) for run in self.runs)

    def run(self, settings: Sequence[Setting]) -> None:
        """Run settings side by side, for at most half of what is left, each while it may win.

        One that is the best of all by then and not at its minimum may use the rest.
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
            # The next look comes after a tenth of the steps done: little is run in vain, and a
            # GPU is not waited for at every step.
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
    """Three digits, which can be typed."""
    return float(f"{value:.3g}")
