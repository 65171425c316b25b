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
    frames: int,
    floor: float,
    seed: int,
    examples: int,
    learning_rate: float,
    iterations: Sequence[int],
    direction: str,
    batch_size: int,
    device: torch.device,
    advance: Callable[[int, float], None] = lambda units, response: None,
) -> tuple[Trajectories, np.ndarray]:
    """The search of `ascend` over log-mel itself, from noise; what it found, and as mel.

    The paper's contrast (section 2: what is found without the GAN drives the unit, and looks like
    nothing). Excerpts (F, T) are coordinates in standard deviations (F,) from the mean (F,) of
    each band, in nat, not below `floor`; each begins as unit noise drawn from `seed + k`; there is
    no prior. Mel (P, N, F, T) of P iteration counts.
    """
    to_mel = _decoder(mean, deviation, frames, floor, device)
    start = start_latents(seed, examples, len(mean) * frames)
    rates, weights = (np.full(examples, value) for value in (learning_rate, 0.0))
    found = ascend(
        to_mel, respond, start, rates, weights, iterations, direction, batch_size, device, advance
    )
    with torch.no_grad():
        mel = [to_mel(torch.from_numpy(rows).to(device)).cpu().numpy() for rows in found.latent]
    return found, np.stack(mel)


def _decoder(
    mean: np.ndarray, deviation: np.ndarray, frames: int, floor: float, device: torch.device
) -> Objective:
    centre, scale = (
        torch.from_numpy(values.astype(np.float32)[:, None]).to(device)
        for values in (mean, deviation)
    )

    def to_mel(coordinates: Tensor) -> Tensor:
        excerpts = coordinates.view(-1, len(mean), frames)
        return (centre + scale * excerpts).clamp(min=float(np.log(floor)))

    return to_mel
