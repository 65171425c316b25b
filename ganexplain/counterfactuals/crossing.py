"""Finds the latent of a real excerpt, and moves it until the network's decision changes.

The encoder's guess is refined until the generator reconstructs the excerpt as well as it can. What
is missing is added to its sketch, a map within the generator, and stays there. Then the latent is
moved across the decision boundary, no further from its start than necessary.
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
from ganexplain.gans.dcgan import Generator

REFINING_RATE, REFINING_WEIGHT = 0.05, 1e-3
DETAIL_WEIGHT = 1e-5  # of the square of what is added to a sketch
# Weight of the squared difference of margins relative to the mean square of standardised values.
# The reconstruction is hardly worse, but without it many are on the other side of the boundary.
MARGIN_WEIGHT = 3e-3
BEYOND = 0.05  # margin behind the boundary above which it is not increased further


@dataclass(frozen=True)
class CrossedLatent:
    """The result of a search: the latent (Z,), and the first iteration on the other side, or -1.

    `no_gradient` means that it did not get there and had no gradient at any step.
    """

    latent: np.ndarray
    iterations: int
    no_gradient: bool


def refine_latent(
    encoded: np.ndarray,
    mel: Tensor,
    generator: Objective,
    deviation: Tensor,
    margin: Callable[[Tensor], Tensor],
    prior: str,
    steps: int,
    advance: Callable[[int, float], None] = lambda units, response: None,
) -> np.ndarray:
    """The latent (Z,) near an encoder's guess (Z,) that best reconstructs an excerpt (F, T).

    It minimises the squares of log-mel over the `deviation` (F,) of each band, with a small weight
    of `prior` (in `PRIORS`), so that the latent stays where the generator was trained, and of the
    difference of margins, so that the network responds to the reconstruction as to the excerpt
    (as the encoder of Lang et al. 2021 is trained).
    """
    with torch.no_grad():
        wanted = margin(mel[None])

    def likeness(sample: Tensor) -> Tensor:
        error = ((sample - mel) / deviation[:, None]).square().mean(dim=(1, 2))
        return -error - MARGIN_WEIGHT * (margin(sample) - wanted).square()

    found = ascend(
        lambda z: likeness(generator(z)),
        Starts(encoded[None], REFINING_RATE, REFINING_WEIGHT),
        (steps,),
        AscentSettings(batch_size=1, device=mel.device, prior=prior),
        advance,
    )
    latent: np.ndarray = found.latent[0, 0]
    return latent


def refine_detail(
    latent: np.ndarray,
    mel: Tensor,
    generator: Generator,
    steps: int,
    advance: Callable[[int, float], None] = lambda units, response: None,
) -> np.ndarray:
    """What to add to the sketch of a latent (Z,) to best reconstruct an excerpt (F, T): (C, H, W).

    It minimises the squares of log-mel over the generator's deviation of each band, with a small
    weight of its own squares, so that the sketch stays near that of the latent (out-of-range
    inversion, Kang et al. 2021).
    """
    with torch.no_grad():
        sketch = generator.sketch(torch.from_numpy(latent[None]).to(mel.device))

    def likeness(detail: Tensor) -> Tensor:
        drawn = generator.draw(sketch + detail.view(-1, *sketch.shape[1:]))
        return -((drawn - mel) / generator.scale).square().mean(dim=(1, 2))

    found = ascend(
        likeness,
        Starts(np.zeros((1, sketch.numel()), np.float32), REFINING_RATE, DETAIL_WEIGHT),
        (steps,),
        AscentSettings(batch_size=1, device=mel.device),
        advance,
    )
    detail: np.ndarray = found.latent[0, 0].reshape(sketch.shape[1:])
    return detail


def cross_boundary(
    start: np.ndarray,
    margin: Objective,
    upwards: bool,
    config: CounterfactualConfig,
    device: torch.device,
    advance: Callable[[int], None] = lambda units: None,
) -> CrossedLatent:
    """Move a latent (Z,) until its margin is above zero (`upwards`) or below.

    The prior is `near`, w |z - start|^2, or one of `PRIORS`. Behind the boundary only the prior is
    active, so `near` moves the latent back towards it. Of all latents on the other side the one
    closest to the start is kept; without any, the one with the closest margin.
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
            break  # the start is already on the other side
        advance(1 if iteration < iterations else 0)
    kept = kept if first >= 0 else search.best.latent
    return CrossedLatent(kept[0].cpu().numpy(), first, first < 0 and bool(search.no_gradient))
