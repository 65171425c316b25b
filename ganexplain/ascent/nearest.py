"""A search that is kept at the iteration where its responses are nearest to real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ganexplain.ascent.candidate import PATIENCE, Target
from ganexplain.ascent.engine import REPORT_EVERY, Search
from ganexplain.ascent.langevin import Langevin
from ganexplain.errors import Diverged


@dataclass(frozen=True)
class Nearest:
    """N examples at the iteration where their responses are nearest to the real ones."""

    latent: Tensor  # (N, Z)
    response: np.ndarray  # (N,)
    iterations: int
    distance: float  # Frechet distance of the responses
    no_gradient: np.ndarray  # (N,), bool: the response had no gradient at any step so far


def ascend_to_nearest(
    search: Search,
    target: Target,
    most: int,
    advance: Callable[[int, float], None] = lambda units, response: None,
) -> Nearest:
    """Run N searches for at most `most` iterations; keep the iteration nearest to real responses.

    The rule is that by which an iteration count of `explain` is chosen, applied to each iteration.
    The search ends early if its kept responses, which never fall, are past the real ones, or after
    as many iterations without improvement as the nearest took, and `PATIENCE` more. `advance` is
    called as by `ascend`. Raises Diverged if the first responses are not finite; later ones that
    are not finite end the search.
    """
    nearest: Nearest | None = None
    reported = 0
    for iteration in range(most + 1):
        responses = search.step() if iteration < most else search.finish()
        latent, response, _ = search.kept()
        signed = target.sign * response.cpu().numpy().astype(np.float64)
        if not (np.isfinite(signed).all() and bool(responses.isfinite().all())):
            break
        distance = float(target.distance(signed[None])[0])
        if iteration and (nearest is None or distance < nearest.distance):
            lost = search.no_gradient.cpu().numpy()
            nearest = Nearest(latent, response.cpu().numpy(), iteration, distance, lost)
        if iteration - reported == REPORT_EVERY:
            advance(len(signed) * REPORT_EVERY, float(responses.mean()))
            reported = iteration
        if nearest and _is_over(search, target, signed, iteration, nearest):
            break
    if nearest is None:
        raise Diverged("the first responses of a control are not finite")
    return nearest


def _is_over(
    search: Search, target: Target, signed: np.ndarray, iteration: int, nearest: Nearest
) -> bool:
    """Whether no later iteration is expected to be nearer, as in `Run.may_reach`."""
    if iteration >= 2 * nearest.iterations + PATIENCE:
        return True
    return not isinstance(search, Langevin) and target.least_later(signed) >= nearest.distance
