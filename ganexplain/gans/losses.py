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
    """Settings to train with a loss: sizes, rates and regularisation of the discriminator."""

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
    """The losses of both networks of an adversarial training, and the recipe of the training.

    Scores of a discriminator are (B,) or (B, heads). `pairs` is true where the generator's loss
    also needs the scores of real excerpts.
    """

    recipe: Recipe
    pairs = False

    def discriminator(self, on_real: Tensor, on_fake: Tensor) -> Tensor:
        """Return the loss of the discriminator from its scores, without penalty."""
        raise NotImplementedError

    def generator(self, on_fake: Tensor, on_real: Tensor) -> Tensor:
        """Return the loss of the generator; without `pairs`, `on_real` equals `on_fake`."""
        raise NotImplementedError

    def penalty(self, score: Score, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
        """Return what is added to the discriminator's loss every `recipe.penalty_every` updates.

        `mix` (B,) in 0..1 is the share of `real` in interpolates of `real` and `fake` (B, ...).
        The default is zero.
        """
        return real.new_zeros(())

    def has_won(self, loss: float) -> bool:
        """Whether a discriminator with this mean loss is never wrong, so nothing is learned."""
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
        """Squared excess of the gradient's norm over one, at the interpolates."""
        share = mix.view(-1, *[1] * (real.ndim - 1))
        norm = _input_gradient(score, share * real + (1 - share) * fake).flatten(1).norm(dim=1)
        return WASSERSTEIN_PENALTY * functional.relu(norm - 1).square().mean()

    def has_won(self, loss: float) -> bool:
        """Never: the estimated distance has no bound."""
        return False


class NonSaturating(Loss):
    """Non-saturating loss with lazy R1 penalty.

    Goodfellow et al. 2014; Mescheder et al. 2018; Karras et al. 2020 (the penalty is computed every
    few steps, with a larger weight).
    """

    recipe = Recipe(32, 5e-4, (0.5, 0.99), normalise_generator=True, penalty_every=4)

    def discriminator(self, on_real: Tensor, on_fake: Tensor) -> Tensor:
        """Cross entropy."""
        return functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()

    def generator(self, on_fake: Tensor, on_real: Tensor) -> Tensor:
        """Cross entropy of generated excerpts that are labelled real."""
        return functional.softplus(-on_fake).mean()

    def penalty(self, score: Score, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
        """R1: the squared gradient at real excerpts."""
        return self.recipe.penalty_every * zero_centred_penalty(score, real)


class Hinge(Loss):
    """Hinge with spectral normalisation (Lim & Ye 2017, Miyato et al. 2018); no penalty."""

    recipe = Recipe(32, 2e-4, (0.5, 0.99), normalise_generator=True, spectral_norm=True)

    def discriminator(self, on_real: Tensor, on_fake: Tensor) -> Tensor:
        """Distance of scores below 1 (real) and above -1 (generated)."""
        return functional.relu(1 - on_real).mean() + functional.relu(1 + on_fake).mean()

    def generator(self, on_fake: Tensor, on_real: Tensor) -> Tensor:
        """Minus the score."""
        return -on_fake.mean()


class Relativistic(Loss):
    """Relativistic pairing with R1 and R2 (R3GAN, Huang et al. 2024); the penalties are lazy.

    The generator is trained so that each of its excerpts scores above the real one of its pair.
    """

    recipe = Recipe(32, 5e-4, (0.0, 0.99), normalise_generator=True, penalty_every=4)
    pairs = True

    def discriminator(self, on_real: Tensor, on_fake: Tensor) -> Tensor:
        """Cross entropy of the pairs."""
        return functional.softplus(on_fake - on_real).mean()

    def generator(self, on_fake: Tensor, on_real: Tensor) -> Tensor:
        """Cross entropy of the pairs, with real and generated exchanged."""
        return functional.softplus(on_real - on_fake).mean()

    def penalty(self, score: Score, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
        """R1 and R2: the squared gradients at real and at generated excerpts."""
        both = zero_centred_penalty(score, real) + zero_centred_penalty(score, fake)
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


def add_spectral_norm(network: nn.Module) -> nn.Module:
    """Add spectral normalisation to every layer with weights; returns the network."""
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            parametrizations.spectral_norm(module)
    return network


def zero_centred_penalty(score: Score, excerpts: Tensor) -> Tensor:
    """Return the weighted mean squared norm of the score's gradient (Mescheder et al. 2018)."""
    gradient = _input_gradient(score, excerpts).flatten(1)
    return ZERO_CENTRED_PENALTY / 2 * gradient.square().sum(dim=1).mean()


def autoencoder_loss(
    encoder: AnyEncoder, generator: AnyGenerator, mel: Tensor, noise: Tensor
) -> Tensor:
    """Loss of a variational autoencoder whose decoder is the generator (Kingma & Welling 2014).

    `generator.distance` of excerpts (B, ...) to their reconstructions, plus the divergence of the
    latents from N(0, I) in nat with a small weight. `noise` (B, Z) samples the latents.
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
