"""Priors on latents z of n coordinates drawn from N(0, I): what keeps a search where excerpts are.

`l2` is the paper's: its mode is the origin, though of N(0, I) next to nothing lies near there
but all at a distance of about sqrt(n) (method, section 8.2, 5). `shell` pulls to that distance,
`sphere` stays at it. `langevin` is `l2` for samples: its search is a module of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

NEAR = "near"  # the name of `near` as a choice
LEAST_NORM = 1e-6  # below it a latent has no direction to speak of


@dataclass(frozen=True)
class Prior:
    """How a prior acts on a step of gradient ascent.

    `descent(latent, uphill, weight)` gives what the step descends (R, Z), from latents (R, Z),
    the gradient of what is maximised (R, Z) and prior weights (R,); `settle(latent)` moves
    latents (R, Z) to where the prior allows them to be. A `weightless` one does not depend on the
    weights. One that `samples` is searched by a Markov chain, whose weights are above zero: what
    is kept does not come closer from step to step, so neither the adaptive search nor hysteresis
    applies.
    """

    descent: Callable[[Tensor, Tensor, Tensor], Tensor]
    settle: Callable[[Tensor], Tensor]
    weightless: bool = False
    samples: bool = False


def l2_descent(latent: Tensor, uphill: Tensor, weight: Tensor) -> Tensor:
    """Gradient of w |z|^2 - f."""
    return 2 * weight[:, None] * latent - uphill


def shell_descent(latent: Tensor, uphill: Tensor, weight: Tensor) -> Tensor:
    """Gradient of w (|z| - sqrt(n))^2 - f; at the origin that of -f."""
    norm = latent.norm(dim=1, keepdim=True).clamp_min(LEAST_NORM)
    return 2 * weight[:, None] * (1 - math.sqrt(latent.shape[1]) / norm) * latent - uphill


def sphere_descent(latent: Tensor, uphill: Tensor, weight: Tensor) -> Tensor:
    """Gradient of -f along the sphere: without its part along the radius. No weight is in it."""
    radius = torch.nn.functional.normalize(latent, dim=1, eps=LEAST_NORM)
    return (uphill * radius).sum(dim=1, keepdim=True) * radius - uphill


def on_sphere(latent: Tensor) -> Tensor:
    """The nearest latents of norm sqrt(n)."""
    norm = latent.norm(dim=1, keepdim=True).clamp_min(LEAST_NORM)
    return latent * (math.sqrt(latent.shape[1]) / norm)


def anywhere(latent: Tensor) -> Tensor:
    """Latents as they are."""
    return latent


def near(start: Tensor) -> Prior:
    """The prior w |z - start|^2 around latents (R, Z)."""

    def descent(latent: Tensor, uphill: Tensor, weight: Tensor) -> Tensor:
        return 2 * weight[:, None] * (latent - start) - uphill

    return Prior(descent, anywhere)


L2 = Prior(l2_descent, anywhere)
PRIORS = {
    "l2": L2,
    "shell": Prior(shell_descent, anywhere),
    "sphere": Prior(sphere_descent, on_sphere, weightless=True),
    "langevin": Prior(l2_descent, anywhere, samples=True),
}
OF_SEARCHES = tuple(name for name, prior in PRIORS.items() if not prior.samples)
