"""Latents drawn from p(z) exp(beta f(z)), with p = N(0, I), instead of a best one.

That is the density exp(J / T) of `l2`'s objective J = f - w |z|^2 at the temperature T = 2 w,
with beta = 1 / (2 w): the prior comes out as it is, and the mode is what `l2` looks for with the
same prior weight. A step is one of gradient ascent on J with the learning rate r, plus noise of
variance 2 r T; accepted or not after Metropolis, so that the chain samples the density itself
and not an approximation that depends on r (MALA, Roberts & Tweedie 1996).
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
    """R chains that run on step by step, each with its own random stream.

    `evaluate` takes latents (R, Z) to responses (R,) and their gradients (R, Z). Learning rates
    and prior weights are above zero; row r draws from `noise_seed[r]` alone. `iteration` counts
    the steps done; `latent` (R, Z) is where the chains are, a rejected step leaving one in place.
    `no_gradient` (R,) is true where the response has had none at any step.
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
        """The responses (R,) of where the chains are; then each moves on, or stays."""
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
        moves = uniform.log() < gain  # not where anything is not a number
        self.latent = torch.where(moves[:, None], proposal, self.latent)
        self.values = (
            torch.where(moves, response_there, response),
            torch.where(moves[:, None], gradient_there, gradient),
        )
        self.iteration += 1
        return response

    def finish(self) -> Tensor:
        """The responses (R,) of where the chains are, which then stay."""
        return self._here()[0]

    def kept(self) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (R, Z), responses and iterations (R,) as of the last call, good or bad."""
        assert self.passed is not None, "nothing is evaluated yet"
        latent, response, iteration = self.passed
        return latent, response, torch.full_like(response, iteration, dtype=torch.long)

    def _here(self) -> tuple[Tensor, Tensor]:
        """Responses (R,) of where the chains are and their gradients (R, Z); they are noted."""
        if self.values is None:
            self.values = self.evaluate(self.latent)
        self.passed = self.latent, self.values[0], self.iteration
        return self.values

    def _uphill(self, latent: Tensor, gradient: Tensor) -> Tensor:
        """The latents (R, Z) after a step of gradient ascent on the objective."""
        slope = self.sign * gradient - 2 * self.weight[:, None] * latent
        return latent + self.rate[:, None] * slope

    def _log_density(self, latent: Tensor, response: Tensor) -> Tensor:
        """(R,), up to a constant."""
        return self.sign * response / (2 * self.weight) - latent.square().sum(dim=1) / 2

    def _draws(self) -> tuple[Tensor, Tensor]:
        """Normal noise (R, Z) and a uniform number (R,), as float32 holds them."""
        size = self.latent.shape[1]
        normal = np.stack([stream.standard_normal(size, np.float32) for stream in self.streams])
        uniform = np.array([stream.random(dtype=np.float32) for stream in self.streams])
        device = self.latent.device
        return torch.from_numpy(normal).to(device), torch.from_numpy(uniform).to(device)
