"""Adaptive search for the setting whose responses are closest to those of real excerpts.

A grid runs all settings to the end. This search measures the distance after each iteration and
ends a setting once no later iteration can be closer; it runs few prior weights with small learning
rates, and tries more settings around the best one in decreasing steps. All settings have all
examples, because a sample of examples ranks settings badly.

It goes in rounds of settings that do not depend on each other: whoever tries them may do so at the
same time, and keep what they found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.ascent.candidate import Found, Trial, Tried, gather
from ganexplain.errors import Diverged

STEPS = (1 / 2, 1 / 4, 1 / 8)  # decades between a setting and its neighbours
BEYOND = 1 / 2  # decades by which settings may exceed the range of the given values
SAME = 0.02  # relative difference below which settings are the same
NEIGHBOURS = 4  # of a setting: two learning rates and two prior weights

Setting = tuple[float, float]  # learning rate, prior weight
TrySettings = Callable[[Sequence[Trial]], Sequence[Tried]]


@dataclass(frozen=True)
class SearchLimits:
    """What an adaptive search may use: the settings to begin with, and how much of the networks.

    `pairs` are learning rates and prior weights; others are within half a decade. `iterations` is
    the largest number for a setting, `budget` the number of evaluations of one example in all,
    `examples` is N.
    """

    pairs: Sequence[Setting]
    examples: int
    iterations: int
    budget: int

    def __post_init__(self) -> None:
        """Raise ValueError for a budget below four evaluations of each example."""
        if self.budget < 4 * self.examples:
            raise ValueError(f"{self.budget} evaluations are too few for {self.examples} examples")


def search_settings(limits: SearchLimits, try_settings: TrySettings) -> Found:
    """Search for settings whose N responses are close to real ones.

    `try_settings` tries the settings of a round, as `SettingSearch` does with each. Priors must not
    be `langevin`, which need not come closer. Raises Diverged if no setting has finite responses.
    """
    search = _Search(limits, try_settings)
    search.run_pairs()
    if not math.isfinite(search.distance):
        raise Diverged("no setting has finite responses; lower --learning-rate")
    search.refine_best()
    return gather(search.tried, limits.budget - search.left)


class _Search:
    """Tries settings within the limits; `tried` are all of them, the closest first."""

    def __init__(self, limits: SearchLimits, try_settings: TrySettings) -> None:
        self.limits, self.try_settings = limits, try_settings
        self.tried: list[Tried] = []
        self.left = limits.budget

    @property
    def distance(self) -> float:
        """Smallest distance to the real responses so far."""
        return _distance(self.tried[0]) if self.tried else math.inf

    def run_pairs(self) -> None:
        """Run the given pairs, largest learning rate first, then with half of the weights each.

        They are preceded by a larger learning rate, which is the cheapest.
        """
        pairs = self.limits.pairs
        weights = list(dict.fromkeys(weight for _, weight in pairs))
        rates = {rate for rate, _ in pairs}
        for rate in sorted(rates | {_digits(max(rates) * 10**BEYOND)}, reverse=True):
            if self.affordable(rate):
                self.run([(rate, weight) for weight in weights])
                if math.isfinite(self.distance):
                    ranked = dict.fromkeys(one.prior_weight for one in self.tried)  # closest first
                    weights = [w for w in ranked if w in weights][: math.ceil(len(weights) / 2)]

    def refine_best(self) -> None:
        """Run the neighbours of the best setting, with smaller steps when none is better."""
        for step in STEPS:
            best = None
            while best is not self.tried[0]:
                best = self.tried[0]
                near = [s for s in self.neighbours(best, step) if self.new(s)]
                self.run([s for s in near if self.affordable(s[0])])

    def affordable(self, rate: float) -> bool:
        """Whether a setting with this learning rate needs less than a quarter of the rest.

        A step of Adam moves a coordinate by about the learning rate, so a tenth of the rate needs
        ten times the iterations to the minimum of the fastest setting so far.
        """
        ways = (
            one.learning_rate * one.iterations for one in self.tried if one.distance is not None
        )
        way = min(ways, default=0.0)
        return 4 * self.limits.examples * way / rate <= self.left

    def new(self, setting: Setting) -> bool:
        """Whether a setting was not tried."""
        return not any(np.allclose(setting, _setting(one), rtol=SAME, atol=0) for one in self.tried)

    def neighbours(self, one: Tried, step: float) -> list[Setting]:
        """The settings `step` decades away in learning rate or prior weight."""
        found = []
        for axis in (0, 1):
            values = [pair[axis] for pair in self.limits.pairs]
            low, high = min(values) / 10**BEYOND, max(values) * 10**BEYOND
            for factor in (10**step, 10**-step):
                moved = list(_setting(one))
                moved[axis] = _digits(moved[axis] * factor)
                if low * (1 - SAME) <= moved[axis] <= high * (1 + SAME):
                    found.append((moved[0], moved[1]))
        return found

    def run(self, settings: Sequence[Setting]) -> None:
        """Try settings with at most half of what is left, each as long as it may be the best.

        The best of all settings may use all that is left to reach its minimum.
        """
        examples, half = self.limits.examples, self.left // 2
        settings = settings[: half // (2 * examples)]
        if not settings:
            return
        most = min(half // (len(settings) * examples) - 1, self.limits.iterations)
        self.keep([Trial(*setting, most, self.distance) for setting in settings])
        best, longer = self.tried[0], min(self.left // examples - 1, self.limits.iterations)
        if best.iterations == most < longer and _setting(best) in settings:
            self.keep([Trial(*_setting(best), longer, math.inf)])

    def keep(self, trials: Sequence[Trial]) -> None:
        """Try settings, and keep what was found in place of what was found of them before."""
        found = list(self.try_settings(trials))
        self.left -= sum(one.example_iterations for one in found)
        again = {_setting(one) for one in found}
        self.tried = [one for one in self.tried if _setting(one) not in again] + found
        self.tried.sort(key=_distance)


def _distance(one: Tried) -> float:
    return math.inf if one.distance is None else one.distance


def _setting(one: Tried) -> Setting:
    return one.learning_rate, one.prior_weight


def _digits(value: float) -> float:
    """A value rounded to three significant digits, which can be typed."""
    return float(f"{value:.3g}")
