"""How many passes of the network an attribution takes: announced where that is long."""

from __future__ import annotations

import time

import numpy as np

from ganexplain.attribution.measures import REPEATS
from ganexplain.attribution.methods.base import Method, Question
from ganexplain.runs.progress import duration_text

WORTH_TIMING = 1000  # passes
LONG = 30.0  # s
TRIED = 32  # passes that show how long one takes


def announcement(question: Question, method: Method, checks: bool, measured: int) -> str:
    """What to know of an attribution that takes long; empty of others.

    It is measured by as many more passes for `measured` segments, twice, and with `checks` the
    method runs again. A few passes are timed where they are many.
    """
    count = question.parts.count
    runs = 1 + (2 * REPEATS - 1) * checks
    passes = runs * method.passes(count) + 2 * (count + measured)
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
