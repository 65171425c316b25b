"""A real excerpt as a latent, and that latent moved until the network decides otherwise.

The encoder's guess is refined until the generator redraws the excerpt; then the latent goes to
the other side of a divide between responses, no further from its start than it has to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.engine import Ascent, Objective, ascend
from ganexplain.ascent.priors import NEAR, near
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.config import CounterfactualConfig

REFINING_RATE, REFINING_WEIGHT = 0.05, 1e-3
# Of the squared difference of margins, beside the mean square of standardised values: next to
# nothing of the likeness is lost, but without it many an excerpt is redrawn on the other side.
MARGIN_WEIGHT = 3e-3
BEYOND = 0.05  # how far past the divide a margin is pushed


@dataclass(frozen=True)
class Crossed:
    """Where a search ended: the latent (Z,), and the first iteration on the other side, or -1.

    `no_gradient` where it never came there, nor had a gradient to follow.
    """

    latent: np.ndarray
    iterations: int
    no_gradient: bool


def refined_latent(
    encoded: np.ndarray,
    mel: Tensor,
    generator: Objective,
    deviation: Tensor,
    margin: Callable[[Tensor], Tensor],
    prior: str,
    steps: int,
    advance: Callable[[int, float], None] = lambda units, response: None,
) -> np.ndarray:
    """The latent (Z,) near an encoder's guess (Z,) that redraws an excerpt (F, T) best.

    Least squares of log-mel over the `deviation` (F,) of each band, with a little of `prior` (of
    `PRIORS`) so that the latent stays one the generator knows, and of the difference of margins,
    so that the network takes the redrawn excerpt as it takes the real one (as Lang et al. 2021
    train their encoder to).
    """
    with torch.no_grad():
        wanted = margin(mel[None])

    def likeness(generated: Tensor) -> Tensor:
        error = ((generated - mel) / deviation[:, None]).square().mean(dim=(1, 2))
        return -error - MARGIN_WEIGHT * (margin(generated) - wanted).square()

    found = ascend(
        lambda z: likeness(generator(z)),
        Starts(encoded[None], REFINING_RATE, REFINING_WEIGHT),
        (steps,),
        AscentSettings(batch_size=1, device=mel.device, prior=prior),
        advance,
    )
    latent: np.ndarray = found.latent[0, 0]
    return latent


def crossed_latent(
    start: np.ndarray,
    margin: Objective,
    upwards: bool,
    config: CounterfactualConfig,
    device: torch.device,
    advance: Callable[[int], None] = lambda units: None,
) -> Crossed:
    """Move a latent (Z,) until its margin is above zero (`upwards`) or below.

    The prior is `near`, w |z - start|^2, or one of `PRIORS`. Past the divide nothing but the prior
    counts, so `near` draws the latent back to the divide. Of all latents on the other side the
    one closest to the start is kept; where there is none, that whose margin came closest.
    """
    sign = 1.0 if upwards else -1.0

    def towards(latent: Tensor) -> Tensor:
        return (sign * margin(latent)).clamp_max(BEYOND)

    iterations = config.iterations
    starts = Starts(start[None], config.learning_rate, config.prior_weight)
    z = starts.on(device)[0]
    prior = near(z) if config.prior == NEAR else config.prior
    settings = AscentSettings(batch_size=1, device=device, prior=prior)
    search = Ascent(towards, starts, settings)
    first, closest, kept = -1, torch.inf, z
    for iteration in range(iterations + 1):
        latent = search.latent
        response = search.step() if iteration < iterations else search.finish()
        if response > 0:
            first = iteration if first < 0 else first
            distance = float((latent - z).norm())
            if distance < closest:
                closest, kept = distance, latent
        if closest == 0:
            advance(iterations - iteration)
            break  # the start is there already
        advance(1 if iteration < iterations else 0)
    kept = kept if first >= 0 else search.best_latent
    return Crossed(kept[0].cpu().numpy(), first, first < 0 and bool(search.no_gradient))
