"""What attributions cost, in passes of the network and in time."""

from __future__ import annotations

import time

import numpy as np

from ganexplain.attribution.measures import REPEATS
from ganexplain.attribution.methods.base import Method, Question
from ganexplain.runs.progress import duration_text

WORTH_TIMING = 1000  # passes
LONG = 30.0  # s
TRIED = 32  # passes that are timed


def count_passes(question: Question, method: Method, checks: bool, measured: int) -> int:
    """Return the passes of the network that a method takes for a question.

    The measures take two passes for each segment and for each of `measured` segments. With `checks`
    the method runs several times.
    """
    runs = 1 + (2 * REPEATS - 1) * checks
    return runs * method.passes(question.parts.count) + 2 * (question.parts.count + measured)


def announcement(question: Question, passes: int) -> str:
    """Return a note for an attribution that takes long, else an empty text.

    If there are many passes, a few are timed. What a method computes from the scores is not in the
    forecast: lime-forest takes about 5 s of CPU for 100 segments.
    """
    if passes < WORTH_TIMING:
        return ""
    count = question.parts.count
    started = time.perf_counter()
    question.score(np.ones((TRIED, count), dtype=bool))
    seconds = (time.perf_counter() - started) / TRIED * passes
    if seconds < LONG:
        return ""
    return (
        f"{count:,} segments take about {passes:,} passes of the network an input, about "
        f"{duration_text(seconds)} (h:mm:ss) here; fewer --segments take less"
    )
