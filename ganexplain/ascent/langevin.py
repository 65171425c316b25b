"""Samples latents from p(z) exp(beta f(z)), with p = N(0, I), instead of the best latent.

This is the density exp(J / T) of the objective J = f - w |z|^2 of `l2` at the temperature T = 2 w,
with beta = 1 / (2 w): the prior is unchanged, and the mode is the one that `l2` searches with the
same prior weight. A step is gradient ascent on J with the learning rate r, plus noise with
variance 2 r T. Metropolis's rule accepts or rejects it, so the chain samples the density itself,
not an approximation that depends on r (MALA, Roberts & Tweedie 1996).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.gradients import vanishes
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.runs.machine import random_stream

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]


class Langevin:
    """R chains that are run step by step, each with its own random stream.

    `evaluate` maps latents (R, Z) to responses (R,) and their gradients (R, Z). Learning rates and
    prior weights are above zero; the noise of row r depends only on `noise_seed[r]`. `iteration`
    counts the steps; `latent` (R, Z) are the states of the chains. `no_gradient` (R,) is true if
    the response had no gradient at any step.
    """

    def __init__(self, evaluate: Evaluate, starts: Starts, settings: AscentSettings) -> None:
        assert starts.noise_seed is not None, "langevin needs the seeds of its noise"
        self.evaluate, self.sign = evaluate, settings.sign
        self.latent, self.rate, self.weight = starts.on(settings.device)
        self.streams = [random_stream(int(seed), "langevin") for seed in starts.noise_seed]
        self.iteration = 0
        self.no_gradient = torch.ones_like(self.rate, dtype=torch.bool)
        self.values: tuple[Tensor, Tensor] | None = None  # of `latent`, once evaluated
        self.passed: tuple[Tensor, Tensor, int] | None = None  # latent, response, iteration

    def step(self) -> Tensor:
        """Do a step, which is accepted or rejected; returns the responses (R,) before it."""
        response, gradient = self._here()
        self.no_gradient &= vanishes(gradient)
        noise, uniform = self._draws()
        spread = (4 * self.weight * self.rate).sqrt()[:, None]
        proposal = self._uphill(self.latent, gradient) + spread * noise
        response_there, gradient_there = self.evaluate(proposal)
        noise_back = (self.latent - self._uphill(proposal, gradient_there)) / spread
        gain = self._log_density(proposal, response_there)
        gain = gain - self._log_density(self.latent, response)
        gain = gain + (noise.square() - noise_back.square()).sum(dim=1) / 2
        moves = uniform.log() < gain  # false for NaN
        self.latent = torch.where(moves[:, None], proposal, self.latent)
        self.values = (
            torch.where(moves, response_there, response),
            torch.where(moves[:, None], gradient_there, gradient),
        )
        self.iteration += 1
        return response

    def finish(self) -> Tensor:
        """The responses (R,) of the chains, without a step."""
        return self._here()[0]

    def kept(self) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (R, Z), responses and iterations (R,) of the last `step` or `finish`."""
        assert self.passed is not None, "nothing is evaluated yet"
        latent, response, iteration = self.passed
        return latent, response, torch.full_like(response, iteration, dtype=torch.long)

    def _here(self) -> tuple[Tensor, Tensor]:
        """Responses (R,) of the chains and their gradients (R, Z), which are stored."""
        if self.values is None:
            self.values = self.evaluate(self.latent)
        self.passed = self.latent, self.values[0], self.iteration
        return self.values

    def _uphill(self, latent: Tensor, gradient: Tensor) -> Tensor:
        """The latents (R, Z) after a step of gradient ascent on the objective."""
        slope = self.sign * gradient - 2 * self.weight[:, None] * latent
        return latent + self.rate[:, None] * slope

    def _log_density(self, latent: Tensor, response: Tensor) -> Tensor:
        """Logarithm (R,) of the density, up to a constant."""
        return self.sign * response / (2 * self.weight) - latent.square().sum(dim=1) / 2

    def _draws(self) -> tuple[Tensor, Tensor]:
        """Normal noise (R, Z) and uniform numbers (R,), float32."""
        size = self.latent.shape[1]
        normal = np.stack([stream.standard_normal(size, np.float32) for stream in self.streams])
        uniform = np.array([stream.random(dtype=np.float32) for stream in self.streams])
        device = self.latent.device
        return torch.from_numpy(normal).to(device), torch.from_numpy(uniform).to(device)
