"""Priors on latents z with n coordinates from N(0, I), which keep a search where excerpts are.

`l2` is that of the paper. Its mode is the origin, although nearly all samples of N(0, I) are at a
distance of about sqrt(n) (method, sections 5 and 8.2). `shell` pulls to that distance, `sphere`
stays at it. `langevin` is `l2` for samples, with a search of its own (`langevin.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain.errors import UsageError

NEAR = "near"  # the name of `near` as a choice
LEAST_NORM = 1e-6  # norm below which a latent has no direction


@dataclass(frozen=True)
class Prior:
    """How a prior acts on a step of gradient ascent.

    `descent(latent, uphill, weight)` returns the direction (R, Z) to descend, from latents (R, Z),
    the gradient of the response (R, Z) and prior weights (R,). `project(latent)` moves latents
    (R, Z) to the nearest ones that the prior allows, and `penalty(latent, weight)` (R,) is what it
    subtracts from the response. A `weightless` prior has no weights. A prior
    that `samples` is searched by a Markov chain and needs weights above zero; its responses do not
    improve from step to step, so it allows neither the adaptive search nor hysteresis.
    """

    descent: Callable[[Tensor, Tensor, Tensor], Tensor]
    project: Callable[[Tensor], Tensor]
    penalty: Callable[[Tensor, Tensor], Tensor]
    weightless: bool = False
    samples: bool = False


def l2_descent(latent: Tensor, uphill: Tensor, weight: Tensor) -> Tensor:
    """Gradient of w |z|^2 - f."""
    return 2 * weight[:, None] * latent - uphill


def l2_penalty(latent: Tensor, weight: Tensor) -> Tensor:
    """W |z|^2."""
    return weight * latent.square().sum(dim=1)


def shell_penalty(latent: Tensor, weight: Tensor) -> Tensor:
    """W (|z| - sqrt(n))^2."""
    return weight * (latent.norm(dim=1) - math.sqrt(latent.shape[1])).square()


def no_penalty(latent: Tensor, weight: Tensor) -> Tensor:
    """Zeros (R,)."""
    return torch.zeros_like(weight)


def shell_descent(latent: Tensor, uphill: Tensor, weight: Tensor) -> Tensor:
    """Gradient of w (|z| - sqrt(n))^2 - f; at the origin the gradient of -f."""
    norm = latent.norm(dim=1, keepdim=True).clamp_min(LEAST_NORM)
    return 2 * weight[:, None] * (1 - math.sqrt(latent.shape[1]) / norm) * latent - uphill


def sphere_descent(latent: Tensor, uphill: Tensor, weight: Tensor) -> Tensor:
    """Gradient of -f along the sphere, without its radial component; weights are not used."""
    radius = torch.nn.functional.normalize(latent, dim=1, eps=LEAST_NORM)
    return (uphill * radius).sum(dim=1, keepdim=True) * radius - uphill


def project_to_sphere(latent: Tensor) -> Tensor:
    """The nearest latents with norm sqrt(n)."""
    norm = latent.norm(dim=1, keepdim=True).clamp_min(LEAST_NORM)
    return latent * (math.sqrt(latent.shape[1]) / norm)


def unconstrained(latent: Tensor) -> Tensor:
    """The latents unchanged."""
    return latent


def near(start: Tensor) -> Prior:
    """The prior w |z - start|^2 around latents (R, Z)."""

    def descent(latent: Tensor, uphill: Tensor, weight: Tensor) -> Tensor:
        return 2 * weight[:, None] * (latent - start) - uphill

    return Prior(descent, unconstrained, lambda latent, weight: l2_penalty(latent - start, weight))


L2 = Prior(l2_descent, unconstrained, l2_penalty)
PRIORS = {
    "l2": L2,
    "shell": Prior(shell_descent, unconstrained, shell_penalty),
    "sphere": Prior(sphere_descent, project_to_sphere, no_penalty, weightless=True),
    "langevin": Prior(l2_descent, unconstrained, l2_penalty, samples=True),
}
SEARCH_PRIORS = tuple(name for name, prior in PRIORS.items() if not prior.samples)


def is_weightless(name: str, weight_given: bool) -> bool:
    """Whether a prior has no weights; UsageError if one is given to a prior without."""
    if PRIORS[name].weightless and weight_given:
        raise UsageError(f"--prior {name}: has no weight; leave --prior-weight out, or give 0")
    return PRIORS[name].weightless
