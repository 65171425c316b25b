"""Losses and recipes to train a generator against a discriminator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from ganexplain.gans.networks import AnyEncoder, AnyGenerator
from ganexplain.registry import Registry

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


WASSERSTEIN_PENALTY = 10.0
ZERO_CENTRED_PENALTY = 10.0
DIVERGENCE_WEIGHT = 1e-3
WON_LOSS = 1e-3  # mean loss of a discriminator that can no longer be fooled


class Loss:
    """What both networks of an adversarial training minimise, and the recipe they train by.

    Scores of a discriminator are (B,) or (B, heads). `pairs` where the generator's loss needs
    those of real excerpts, too.
    """

    recipe: Recipe
    pairs = False

    def discriminator(self, on_real: Tensor, on_fake: Tensor) -> Tensor:
        """What the discriminator minimises, from its scores, without penalty."""
        raise NotImplementedError

    def generator(self, on_fake: Tensor, on_real: Tensor) -> Tensor:
        """What the generator minimises; without `pairs` both scores are those of its excerpts."""
        raise NotImplementedError

    def penalty(self, score: Score, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
        """What the discriminator minimises besides, every `recipe.penalty_every` updates.

        `mix` (B,) in 0..1 places interpolates of `real` and `fake` (B, ...). Zero here.
        """
        return real.new_zeros(())

    def won(self, loss: float) -> bool:
        """Whether a discriminator of that mean loss can no longer be fooled: nothing is learned."""
        return loss < WON_LOSS


class Wasserstein(Loss):
    """Wasserstein with one-sided gradient penalty (Gulrajani et al. 2017).

    The settings are those of the authors' code base (method, section 3.2).
    """

    recipe = Recipe(64, 5e-5, (0.9, 0.999), discriminator_steps=5)

    def discriminator(self, on_real: Tensor, on_fake: Tensor) -> Tensor:
        """Minus the estimated distance."""
        return on_fake.mean() - on_real.mean()

    def generator(self, on_fake: Tensor, on_real: Tensor) -> Tensor:
        """Minus the score."""
        return -on_fake.mean()

    def penalty(self, score: Score, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
        """Squared excess over one of the gradient's norm at the interpolates."""
        share = mix.view(-1, *[1] * (real.ndim - 1))
        norm = _input_gradient(score, share * real + (1 - share) * fake).flatten(1).norm(dim=1)
        return WASSERSTEIN_PENALTY * functional.relu(norm - 1).square().mean()

    def won(self, loss: float) -> bool:
        """Never: a distance has no end."""
        return False


class NonSaturating(Loss):
    """Non-saturating with lazy R1.

    Goodfellow et al. 2014, Mescheder et al. 2018, Karras et al. 2020 (a penalty every few steps,
    weighted up).
    """

    recipe = Recipe(32, 5e-4, (0.5, 0.99), normalise_generator=True, penalty_every=4)

    def discriminator(self, on_real: Tensor, on_fake: Tensor) -> Tensor:
        """Cross entropy."""
        return functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()

    def generator(self, on_fake: Tensor, on_real: Tensor) -> Tensor:
        """Cross entropy of excerpts labelled real."""
        return functional.softplus(-on_fake).mean()

    def penalty(self, score: Score, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
        """R1."""
        return self.recipe.penalty_every * zero_centred(score, real)


class Hinge(Loss):
    """Hinge with spectral normalisation (Lim & Ye 2017, Miyato et al. 2018); no penalty."""

    recipe = Recipe(32, 2e-4, (0.5, 0.99), normalise_generator=True, spectral_norm=True)

    def discriminator(self, on_real: Tensor, on_fake: Tensor) -> Tensor:
        """How far scores are from 1 (real) and -1 (generated), on the wrong side of these."""
        return functional.relu(1 - on_real).mean() + functional.relu(1 + on_fake).mean()

    def generator(self, on_fake: Tensor, on_real: Tensor) -> Tensor:
        """Minus the score."""
        return -on_fake.mean()


class Relativistic(Loss):
    """Relativistic pairing with R1 and R2 (R3GAN, Huang et al. 2024); the penalties are lazy.

    Each generated excerpt is to score above the real one it is paired with.
    """

    recipe = Recipe(32, 5e-4, (0.0, 0.99), normalise_generator=True, penalty_every=4)
    pairs = True

    def discriminator(self, on_real: Tensor, on_fake: Tensor) -> Tensor:
        """Cross entropy of the pairs."""
        return functional.softplus(on_fake - on_real).mean()

    def generator(self, on_fake: Tensor, on_real: Tensor) -> Tensor:
        """The same the other way round."""
        return functional.softplus(on_real - on_fake).mean()

    def penalty(self, score: Score, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
        """R1 and R2."""
        both = zero_centred(score, real) + zero_centred(score, fake)
        return self.recipe.penalty_every * both


LOSSES: Registry[Loss] = Registry(
    Loss,
    "ganexplain.losses",
    {
        "wgan-gp": Wasserstein(),
        "non-saturating": NonSaturating(),
        "hinge": Hinge(),
        "relativistic": Relativistic(),
    },
)


def with_spectral_norm(network: nn.Module) -> nn.Module:
    """Give every weighted layer of the network spectral normalisation."""
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            parametrizations.spectral_norm(module)
    return network


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
    generated = generator(mean + noise * torch.exp(log_variance / 2))
    error = generator.distance(generated, mel)
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
    return error + DIVERGENCE_WEIGHT * divergence.mean()


def _input_gradient(score: Score, excerpts: Tensor) -> Tensor:
    excerpts = excerpts.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(excerpts).sum(), excerpts, create_graph=True)
    return gradient
