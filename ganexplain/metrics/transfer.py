"""Whether what a search changed in generated examples drives a unit in real ones too.

A network that was altered so that searches mislead (Bareeva et al., arXiv 2401.06122) responds to
real inputs as before: what its searches find excites it in generated examples alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

GENERATED_ALONE = 0.15  # share below which what a search found drives a unit in real inputs little
Respond = Callable[[np.ndarray], np.ndarray]


def transferred_share(
    respond: Respond,
    examples: np.ndarray,
    starts: np.ndarray,
    real: np.ndarray,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> float:
    """The share of a search's gain that its changes bring to real inputs.

    It says little of units that respond to what has no detail, such as silence or reverberation:
    added changes make no input smooth.

    Args:
        respond: function from inputs (B, ...) to the responses (B,) of the unit, with a minus
            sign if the search minimised them.
        examples: N generated inputs (N, ...) after the search.
        starts: the same (N, ...) before it.
        real: R real inputs (R, ...). Each is changed as one example was, in turn; the fewer of
            both take several turns. Changes of log-mel are gains of cells, of waveforms and
            pictures they are added values.
        bounds: the lowest and the highest value of an input, to which changed ones are clipped.

    Returns:
        Mean gain of the real inputs over that of their examples: 1 where a change does to a real
        input what it does to a generated one, 0 where it does nothing, below 0 where it does the
        opposite. NaN where the search gained nothing, or at most two standard errors.

    Example:
        >>> before, after = np.zeros((1, 2)), np.ones((1, 2))
        >>> transferred_share(lambda x: x.sum(axis=1), after, before, np.full((3, 2), 5.0))
        1.0
    """
    pairs = np.arange(max(len(real), len(examples)))
    mine, theirs = pairs % len(examples), pairs % len(real)
    gains = (respond(examples) - respond(starts))[mine]
    if not gains.mean() > 2 * gains.std() / np.sqrt(len(examples)):
        return float("nan")
    changed = np.clip(real[theirs] + (examples - starts)[mine], *bounds)
    moved = respond(changed.astype(real.dtype)) - respond(real)[theirs]
    return float(moved.mean() / gains.mean())
