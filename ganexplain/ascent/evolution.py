"""Searches without gradients: separable CMA-ES (Ros & Hansen 2008), a population for each search.

Each search keeps a normal distribution of latents with a mean and a variance for each coordinate.
An iteration draws latents from it, and moves it to the better half of them, by the response and
the prior; its width adapts. Much of the noise of such a step is in coordinates that do not matter,
which an estimate of the gradient would follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.best_iterates import BestIterates
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.runs.machine import random_stream

EVOLUTION = "evolution"  # as a choice of --search
WIDTH = 4.0  # standard deviation of the first population, in learning rates


class Evolution:
    """R searches that are run step by step, each with its own random stream.

    `latent` (R, Z) are the means; an iteration evaluates them and `settings.calls` - 1 latents
    around them. Those of row r depend only on `noise_seed[r]`, so results do not depend on the
    batches, but for rounding. The best of all that were evaluated are kept. `no_gradient` (R,) is
    true if the response was the same wherever it was evaluated.
    """

    def __init__(
        self, objective: Callable[[Tensor], Tensor], starts: Starts, settings: AscentSettings
    ) -> None:
        assert starts.noise_seed is not None, "a population needs the seeds of its noise"
        self.objective, self.batch_size = objective, settings.batch_size
        self.sign, self.prior = settings.sign, settings.resolved_prior
        start, rate, self.weight = starts.on(settings.device)
        self.latent = start = self.prior.project(start)
        self.streams = [random_stream(int(seed), EVOLUTION) for seed in starts.noise_seed]
        self.strategy = Strategy(settings.calls - 1, start.shape[1])
        self.width = WIDTH * rate
        self.variance, self.path = torch.ones_like(start), torch.zeros_like(start)
        self.width_path = torch.zeros_like(start)
        self.iteration = 0
        self.best = BestIterates(start, self.sign)
        self.no_gradient = torch.ones_like(rate, dtype=torch.bool)

    def step(self) -> Tensor:
        """Evaluate a population, keep the best and move; returns responses (R,) of the means.

        NaN where any of the population is not finite.
        """
        steps = self._noise() * self.variance.sqrt()[:, None]
        drawn = self.latent[:, None] + self.width[:, None, None] * steps
        points = self.prior.project(torch.cat([self.latent[:, None], drawn], 1).flatten(0, 1))
        found = self._responses(points).view(len(self.latent), -1)
        self._keep_mean(found[:, 0])
        self._keep_best(found, points.view(*found.shape, -1))
        self.no_gradient &= (found == found[:, :1]).all(dim=1)
        weight = self.weight.repeat_interleave(found.shape[1])
        value = self.sign * found - self.prior.penalty(points, weight).view_as(found)
        order = value[:, 1:].argsort(dim=1, descending=True)[:, : self.strategy.parents]
        self._move(steps.gather(1, order[..., None].expand(-1, -1, steps.shape[2])))
        self.iteration += 1
        return found[:, 0].where(found.isfinite().all(dim=1), torch.nan)

    def finish(self) -> Tensor:
        """Evaluate the means and keep the best as `step`, without a step; returns responses."""
        found = self._responses(self.latent)
        self._keep_mean(found)
        return found

    def kept(self) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (R, Z), responses and iterations (R,) of the best before the last population."""
        return self.kept_so_far

    @torch.no_grad()
    def _responses(self, points: Tensor) -> Tensor:
        return torch.cat([self.objective(z) for z in points.split(self.batch_size)])

    def _keep_mean(self, response: Tensor) -> None:
        """Keep the means where they are the best, as a search that ends here does."""
        best = self.best
        best.update(response, self.latent, self.iteration)
        self.kept_so_far = best.latent, best.response, best.iteration

    def _keep_best(self, response: Tensor, points: Tensor) -> None:
        """Keep the best of responses (R, P) at points (R, P, Z), one a search."""
        place = (self.sign * response).argmax(dim=1)
        row = torch.arange(len(place), device=place.device)
        self.best.update(response[row, place], points[row, place], self.iteration)

    def _noise(self) -> Tensor:
        """Normal noise (R, P, Z), float32."""
        shape = (self.strategy.population, self.latent.shape[1])
        drawn = np.stack([stream.standard_normal(shape, np.float32) for stream in self.streams])
        return torch.from_numpy(drawn).to(self.latent.device)

    def _move(self, steps: Tensor) -> None:
        """Move the distribution along the best steps (R, M, Z), the best first."""
        own, weights = self.strategy, self.strategy.weights.to(steps.device)[:, None]
        mean = (weights * steps).sum(1)
        self.latent = self.prior.project(self.latent + self.width[:, None] * mean)
        share = math.sqrt(own.width_rate * (2 - own.width_rate) * own.mass)
        straight = share * mean / self.variance.sqrt()
        self.width_path = (1 - own.width_rate) * self.width_path + straight
        length = self.width_path.norm(dim=1)
        settled = math.sqrt(1 - (1 - own.width_rate) ** (2 * (self.iteration + 1)))
        steady = (length / settled < own.longest)[:, None]  # else the path would grow too fast
        share = math.sqrt(own.path_rate * (2 - own.path_rate) * own.mass)
        self.path = (1 - own.path_rate) * self.path + steady * share * mean
        self.variance = (
            (1 - own.along_path - own.among_best) * self.variance
            + own.along_path * self.path.square()
            + own.among_best * (weights * steps.square()).sum(1)
        )
        self.width = self.width * torch.exp(own.damped * (length / own.usual - 1))


class Strategy:
    """The constants of separable CMA-ES for a population of P latents (Z,), as its authors chose.

    The three rates of the variances are for one variance a coordinate, (Z + 2) / 3 times those of
    a whole covariance.
    """

    def __init__(self, population: int, size: int) -> None:
        self.population, self.parents = population, max(1, population // 2)
        weights = math.log(self.parents + 0.5) - torch.arange(1, self.parents + 1).log()
        self.weights = weights / weights.sum()
        self.mass = mass = 1 / float(self.weights.square().sum())
        self.width_rate = rate = (mass + 2) / (size + mass + 5)
        self.damped = rate / (1 + 2 * max(0, math.sqrt((mass - 1) / (size + 1)) - 1) + rate)
        self.path_rate = (4 + mass / size) / (size + 4 + 2 * mass / size)
        faster = (size + 2) / 3
        self.along_path = min(1, faster * 2 / ((size + 1.3) ** 2 + mass))
        among = faster * 2 * (mass - 2 + 1 / mass) / ((size + 2) ** 2 + mass)
        self.among_best = max(0, min(1 - self.along_path, among))
        self.usual = math.sqrt(size) * (1 - 1 / (4 * size) + 1 / (21 * size**2))
        self.longest = (1.4 + 2 / (size + 1)) * self.usual
