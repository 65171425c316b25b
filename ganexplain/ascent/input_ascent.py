"""Activation maximisation without a prior: gradient ascent on the excerpt itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.engine import Objective, Trajectories, ascend, start_latents


def ascend_input(
    respond: Objective,
    mean: np.ndarray,
    deviation: np.ndarray,
    least: float,
    most: float,
    shape: Sequence[int],
    seed: int,
    examples: int,
    learning_rate: float,
    iterations: Sequence[int],
    direction: str,
    batch_size: int,
    device: torch.device,
    advance: Callable[[int, float], None] = lambda units, response: None,
) -> tuple[Trajectories, np.ndarray]:
    """The search of `ascend` over the input itself, from noise; what it found, and the inputs.

    The paper's contrast (section 2: what is found without the GAN drives the unit, and looks like
    nothing). Excerpts of `shape`, (F, T) of log-mel in nat, are coordinates in standard
    deviations from a mean, arrays that fit the shape, held between `least` and `most`; each
    begins as unit noise drawn from `seed + k`; there is no prior. Inputs (P, N, ...) of P
    iteration counts.
    """
    to_input = _decoder(mean, deviation, least, most, shape, device)
    start = start_latents(seed, examples, int(np.prod(shape)))
    rates, weights = (np.full(examples, value) for value in (learning_rate, 0.0))
    found = ascend(
        to_input, respond, start, rates, weights, iterations, direction, batch_size, device, advance
    )
    with torch.no_grad():
        drawn = [to_input(torch.from_numpy(rows).to(device)).cpu() for rows in found.latent]
    return found, torch.stack(drawn).numpy()


def _decoder(
    mean: np.ndarray,
    deviation: np.ndarray,
    least: float,
    most: float,
    shape: Sequence[int],
    device: torch.device,
) -> Objective:
    centre, scale = (torch.from_numpy(v.astype(np.float32)).to(device) for v in (mean, deviation))

    def to_input(coordinates: Tensor) -> Tensor:
        return (centre + scale * coordinates.view(-1, *shape)).clamp(least, most)

    return to_input
