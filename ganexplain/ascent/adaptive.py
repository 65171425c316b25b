"""Adaptive search for the setting whose responses are closest to those of real excerpts.

A grid runs all settings to the end. This search measures the distance after each iteration and
ends a setting once no later iteration can be closer. It tries all prior weights with the largest
learning rate, which is the cheapest, and goes on with the best of them to smaller rates only while
the distance falls by more than its standard error; other weights are tried only where weights
differ by more than that. All settings have all examples, because a sample of examples ranks
settings badly.

It goes in rounds of settings that do not depend on each other: whoever tries them may do so at the
same time, and keep what they found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.ascent.candidate import Found, Target, Trial, Tried, gather
from ganexplain.errors import Diverged

STEP = 10 ** (1 / 2)  # between a value and the next, and beyond the given ones
SAME = 0.02  # relative difference below which settings are the same

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

    @property
    def rates(self) -> list[float]:
        """Learning rates from above the largest given one to below the smallest, in small steps."""
        given = {rate for rate, _ in self.pairs}
        ends = {_digits(max(given) * STEP), _digits(min(given) / STEP)}
        first, *rest = sorted(given | ends, reverse=True)
        found = [first]
        for low in rest:
            count = max(round(math.log(found[-1] / low, STEP)), 1)
            found += map(_digits, np.geomspace(found[-1], low, count + 1)[1:-1].tolist())
            found.append(low)
        return found

    def __post_init__(self) -> None:
        """Raise ValueError for a budget below four evaluations of each example."""
        if self.budget < 4 * self.examples:
            raise ValueError(f"{self.budget} evaluations are too few for {self.examples} examples")


def search_settings(limits: SearchLimits, target: Target, try_settings: TrySettings) -> Found:
    """Search for settings whose N responses are close to the target.

    `try_settings` tries the settings of a round, as `SettingSearch` does with each. Priors must not
    be `langevin`, which need not come closer. Raises Diverged if no setting has finite responses.
    """
    search = _Search(limits, target, try_settings)
    search.lower_rates()
    if not search.found:
        raise Diverged("no setting has finite responses; lower --learning-rate")
    search.vary_weight()
    return gather(search.found, limits.budget - search.left)


class _Search:
    """Tries settings within the limits; `tried` are all of them, the closest first."""

    def __init__(self, limits: SearchLimits, target: Target, try_settings: TrySettings) -> None:
        self.limits, self.target, self.try_settings = limits, target, try_settings
        self.tried: list[Tried] = []
        self.left = limits.budget

    @property
    def found(self) -> list[Tried]:
        """The settings with finite responses, the closest first."""
        return [one for one in self.tried if one.distance is not None]

    @property
    def distance(self) -> float:
        """Smallest distance to the real responses so far."""
        return _distance(self.tried[0]) if self.tried else math.inf

    def lower_rates(self) -> None:
        """Try all prior weights, and the closest with smaller learning rates while that pays."""
        weights = list(dict.fromkeys(weight for _, weight in self.limits.pairs))
        for rate in filter(self.affordable, self.limits.rates):
            before = self.found
            self.run([(rate, weight) for weight in weights])
            if before and not self.is_better_than(before[0]):
                return
            weights = [one.prior_weight for one in self.found[:1]] or weights

    def vary_weight(self) -> None:
        """Try the next prior weights if weights make a difference, and go on from a better one."""
        if len(self.tied_at(max(one.learning_rate for one in self.found))) > 1:
            return
        best = None
        while best is None or self.is_better_than(best):
            best = self.found[0]
            self.run([setting for setting in self.neighbours(best) if self.new(setting)])

    def tied_at(self, rate: float) -> list[Tried]:
        """The settings of a learning rate that differ from the closest by no more than chance."""
        found = [one for one in self.found if one.learning_rate == rate]
        return [one for one in found if not self.is_closer(found[0], one)]

    def is_better_than(self, earlier: Tried) -> bool:
        """Whether the best setting is closer than the best one earlier by more than chance."""
        return self.is_closer(self.found[0], earlier)

    def is_closer(self, one: Tried, other: Tried) -> bool:
        """Whether a setting is closer to the real responses than another by more than chance."""
        gain = _distance(other) - _distance(one)
        return gain > self.target.standard_error(one.response, other.response)

    def affordable(self, rate: float) -> bool:
        """Whether a setting with this learning rate needs less than a quarter of the rest.

        A step of Adam moves a coordinate by about the learning rate, so a tenth of the rate needs
        ten times the iterations to the minimum of the fastest setting so far.
        """
        way = min((one.learning_rate * one.iterations for one in self.found), default=0.0)
        return 4 * self.limits.examples * way / rate <= self.left

    def new(self, setting: Setting) -> bool:
        """Whether a setting was not tried."""
        return not any(np.allclose(setting, _setting(one), rtol=SAME, atol=0) for one in self.tried)

    def neighbours(self, one: Tried) -> list[Setting]:
        """The settings with the next prior weights, at most a step beyond the given ones."""
        given = [weight for _, weight in self.limits.pairs]
        low, high = min(given) / STEP * (1 - SAME), max(given) * STEP * (1 + SAME)
        weights = (_digits(one.prior_weight * step) for step in (STEP, 1 / STEP))
        return [(one.learning_rate, weight) for weight in weights if low <= weight <= high]

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
