"""How many passes of the network an attribution takes: announced where that is long."""

from __future__ import annotations

import time

import numpy as np

from ganexplain.attribution.measures import REPEATS
from ganexplain.attribution.methods.registry import CAPTUM, Question, Tuning
from ganexplain.runs.progress import duration_text

WORTH_TIMING = 1000  # passes
LONG = 30.0  # s
TRIED = 32  # passes that show how long one takes
SHAPLEY_SAMPLES = 25  # orders of the segments that captum tries
GRADIENTS = 100  # passes of what takes gradients, at most about


def passes_of(method: str, count: int, tuning: Tuning) -> int:
    """About how many passes a method takes for `count` segments."""
    evolved = tuning.founders + tuning.population * tuning.generations
    subsets = 2**count
    known = {
        "occlusion": count + 1,
        "lime": min(tuning.samples, subsets),
        "elime": 2 * min(evolved, subsets),  # as many for its random control
        "random": 0,
        f"{CAPTUM}FeatureAblation": count + 1,
        f"{CAPTUM}ShapleyValueSampling": SHAPLEY_SAMPLES * count + 1,
        f"{CAPTUM}KernelShap": tuning.samples,
        f"{CAPTUM}Lime": tuning.samples,
    }
    return known.get(method, GRADIENTS)


def announcement(
    question: Question, method: str, tuning: Tuning, checks: bool, measured: int
) -> str:
    """What to know of an attribution that takes long; empty of others.

    It is measured by as many more passes for `measured` segments, twice, and with `checks` the
    method runs again. A few passes are timed where they are many.
    """
    count = question.parts.count
    runs = 1 + (2 * REPEATS - 1) * checks
    passes = runs * passes_of(method, count, tuning) + 2 * (count + measured)
    if passes < WORTH_TIMING:
        return ""
    started = time.perf_counter()
    question.score(np.ones((TRIED, count), dtype=bool))
    seconds = (time.perf_counter() - started) / TRIED * passes
    if seconds < LONG:
        return ""
    return (
        f"{count:,} segments take about {passes:,} passes of the network an input, about "
        f"{duration_text(seconds)} (h:mm:ss) here; fewer --segments take less"
    )
