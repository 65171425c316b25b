"""Losses and recipes to train a generator against a discriminator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from ganexplain.gans.networks import AnyEncoder, AnyGenerator

Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Recipe:
    """How one loss is trained: sizes, rates, and what keeps the discriminator smooth."""

    batch_size: int
    learning_rate: float
    betas: tuple[float, float]
    discriminator_steps: int = 1
    normalise_generator: bool = False
    spectral_norm: bool = False
    penalty_every: int = 1


RECIPES = {
    # Wasserstein with one-sided gradient penalty: Gulrajani et al. 2017 with the settings of
    # the authors' code base (method, section 3.2).
    "wgan-gp": Recipe(64, 5e-5, (0.9, 0.999), discriminator_steps=5),
    # Non-saturating with lazy R1: Goodfellow et al. 2014, Mescheder et al. 2018, Karras et al.
    # 2020 (a penalty every few steps, weighted up).
    "non-saturating": Recipe(32, 5e-4, (0.5, 0.99), normalise_generator=True, penalty_every=4),
    # Hinge with spectral normalisation: Lim & Ye 2017, Miyato et al. 2018.
    "hinge": Recipe(32, 2e-4, (0.5, 0.99), normalise_generator=True, spectral_norm=True),
    # Relativistic pairing with R1 and R2: Huang et al. 2024 (R3GAN); the penalties lazy as above.
    "relativistic": Recipe(32, 5e-4, (0.0, 0.99), normalise_generator=True, penalty_every=4),
}
WASSERSTEIN_PENALTY = 10.0
ZERO_CENTRED_PENALTY = 10.0
DIVERGENCE_WEIGHT = 1e-3


def with_spectral_norm(network: nn.Module) -> nn.Module:
    """Give every weighted layer of the network spectral normalisation."""
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            parametrizations.spectral_norm(module)
    return network


def discriminator_loss(loss: str, on_real: Tensor, on_fake: Tensor) -> Tensor:
    """What the discriminator minimises, from its scores (B,) or (B, heads), without penalty."""
    if loss == "wgan-gp":
        return on_fake.mean() - on_real.mean()
    if loss == "hinge":
        return functional.relu(1 - on_real).mean() + functional.relu(1 + on_fake).mean()
    if loss == "relativistic":
        return functional.softplus(on_fake - on_real).mean()
    return functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()


def generator_loss(loss: str, on_fake: Tensor, on_real: Tensor) -> Tensor:
    """What the generator minimises, from the scores (B,) or (B, heads) of a discriminator.

    Those of real excerpts count in `relativistic` only, where each generated excerpt is to
    score above the real one it is paired with.
    """
    if loss == "non-saturating":
        return functional.softplus(-on_fake).mean()
    if loss == "relativistic":
        return functional.softplus(on_real - on_fake).mean()
    return -on_fake.mean()


def penalty(loss: str, score: Score, real: Tensor, fake: Tensor, mix: Tensor, every: int) -> Tensor:
    """Gradient penalty of a recipe; `mix` (B,) in 0..1 places the Wasserstein interpolates.

    Zero for `hinge`, which relies on spectral normalisation.
    """
    if loss == "wgan-gp":
        share = mix.view(-1, *[1] * (real.ndim - 1))
        norm = _input_gradient(score, share * real + (1 - share) * fake).flatten(1).norm(dim=1)
        return WASSERSTEIN_PENALTY * functional.relu(norm - 1).square().mean()
    if loss == "non-saturating":
        return every * zero_centred(score, real)
    if loss == "relativistic":
        return every * (zero_centred(score, real) + zero_centred(score, fake))
    return real.new_zeros(())


def zero_centred(score: Score, excerpts: Tensor) -> Tensor:
    """Mean squared norm of the score's gradient, weighted (Mescheder et al. 2018)."""
    gradient = _input_gradient(score, excerpts).flatten(1)
    return ZERO_CENTRED_PENALTY / 2 * gradient.square().sum(dim=1).mean()


def autoencoder_loss(
    encoder: AnyEncoder, generator: AnyGenerator, mel: Tensor, noise: Tensor
) -> Tensor:
    """Variational autoencoder's loss with the generator as decoder (Kingma & Welling 2014).

    The generator's own distance of excerpts (B, ...) from those redrawn, plus the divergence from
    N(0, I) in nat, weighted down so that pictures come first. `noise` (B, Z) places the latents.
    """
    mean, log_variance = encoder(mel)
    drawn = generator(mean + noise * torch.exp(log_variance / 2))
    error = generator.distance(drawn, mel)
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
    return error + DIVERGENCE_WEIGHT * divergence.mean()


def _input_gradient(score: Score, excerpts: Tensor) -> Tensor:
    excerpts = excerpts.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(excerpts).sum(), excerpts, create_graph=True)
    return gradient
