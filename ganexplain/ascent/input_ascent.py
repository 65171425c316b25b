"""Activation maximisation without a prior: gradient ascent on the excerpt itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.engine import Ascent, Objective, start_latents
from ganexplain.ascent.nearest import Nearest, ascend_to_nearest


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
    iterations: int,
    real: np.ndarray,
    direction: str,
    batch_size: int,
    device: torch.device,
    advance: Callable[[int, float], None] = lambda units, response: None,
) -> tuple[Nearest, np.ndarray]:
    """The search of `ascend_to_nearest` over the input itself, from noise; the inputs (N, ...).

    The paper's contrast (section 2: what is found without the GAN drives the unit, and looks like
    nothing). Excerpts of `shape`, (F, T) of log-mel in nat, are coordinates in standard
    deviations from a mean, arrays that fit the shape, held between `least` and `most`; each
    begins as unit noise drawn from `seed + k`; there is no prior. At most `iterations`, ended
    where the responses come nearest to the real ones (R,).
    """
    to_input = _decoder(mean, deviation, least, most, shape, device)
    start = torch.from_numpy(start_latents(seed, examples, int(np.prod(shape)))).to(device)
    rates = torch.full_like(start[:, 0], learning_rate)
    weights = torch.zeros_like(rates)
    search = Ascent(to_input, respond, start, rates, weights, direction, batch_size)
    found = ascend_to_nearest(search, real, direction, iterations, advance)
    with torch.no_grad():
        return found, to_input(found.latent).cpu().numpy()


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
