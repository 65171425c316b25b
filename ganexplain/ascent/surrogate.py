"""Searches without gradients of the network: by those of a model of its responses.

The model is a kernel regression of the recent responses of all searches of a setting on what other
networks, the guides, compute for the same sounds (`guides.py`). These have gradients. An iteration
calls the network once a search, fits the model again, and steps along the model's gradient as a
search with gradients would, by Adam. So errors of single gradients average out.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganexplain.ascent.adam import adam_step
from ganexplain.ascent.best_iterates import BestIterates
from ganexplain.ascent.settings import AscentSettings, Starts

SURROGATE = "surrogate"  # as a choice of --search
LAST = 1500  # responses that are regressed, the most recent, or all of one iteration if more
MOST = 5000  # searches that may share a model, whose kernel is a matrix of their pairs
OLDER = 0.97  # weight of a response after one iteration more
WIDTH = 0.3  # squared, of the kernel, in the median squared distance of the features
RIDGE = 0.003


class Surrogate:
    """R searches that are run step by step, all by the same model.

    `latent` (R, Z) are the latents of the next iteration. The best of those evaluated are kept.
    `no_gradient` (R,) is true if the response has not changed. Nothing is drawn at random.
    """

    def __init__(
        self, objective: Callable[[Tensor], Tensor], starts: Starts, settings: AscentSettings
    ) -> None:
        assert settings.features is not None, "a surrogate needs the features of guides"
        self.objective, self.batch_size = objective, settings.batch_size
        self.sign, self.prior = settings.sign, settings.resolved_prior
        start, self.rate, self.weight = starts.on(settings.device)
        self.latent = start = self.prior.project(start)
        self.model = ResponseModel(settings.features, self.batch_size)
        self.momentum, self.square = torch.zeros_like(start), torch.zeros_like(start)
        self.iteration = 0
        self.best = BestIterates(start, self.sign)
        self.first: Tensor | None = None  # responses (R,) at the starts
        self.no_gradient = torch.ones_like(self.rate, dtype=torch.bool)

    def step(self) -> Tensor:
        """Evaluate the latents, keep the best, fit the model and step; returns responses (R,)."""
        response = self.finish()
        self.iteration += 1
        if response.isfinite().all():  # else the search ends with an error
            self.model.add(self.latent, response)
            self._move()
        return response

    def finish(self) -> Tensor:
        """Evaluate the latents and keep the best as `step`, without a step; returns responses."""
        with torch.no_grad():
            response = torch.cat([self.objective(z) for z in self.latent.split(self.batch_size)])
        self.first = response if self.first is None else self.first
        self.no_gradient &= response == self.first
        self.best.update(response, self.latent, self.iteration)
        return response

    def kept(self) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (R, Z), responses and iterations (R,) of the best so far."""
        return self.best.latent, self.best.response, self.best.iteration

    def _move(self) -> None:
        """Step along the gradient of the model, by Adam."""
        uphill = self.sign * self.model.gradient(self.latent)
        descent = self.prior.descent(self.latent, uphill, self.weight)
        moved = adam_step(
            self.latent, descent, self.momentum, self.square, self.rate, self.iteration
        )
        self.latent = self.prior.project(moved)


class ResponseModel:
    """A kernel regression of responses on features (B, D) of latents (B, Z), `batch_size` at once.

    The kernel is Gaussian, in the distance of the features; recent responses weigh more.
    """

    def __init__(self, features: Callable[[Tensor], Tensor], batch_size: int) -> None:
        self.features, self.batch_size = features, batch_size
        self.points = self.responses = self.weights = torch.empty(0)
        self.distances = torch.empty(0, 0)  # squared, of the points (M, D)
        self.width, self.coefficients = 1.0, torch.empty(0)

    def add(self, latent: Tensor, response: Tensor) -> None:
        """Fit the model again with responses (R,) at latents (R, Z), the most recent."""
        with torch.no_grad():
            new = torch.cat([self.features(z) for z in latent.split(self.batch_size)])
        kept = max(0, LAST - len(new))
        old = self.points[-kept:] if kept and len(self.points) else new[:0]
        count = len(old)
        across = _squared_distances(new, torch.cat([old, new]))
        ours = self.distances[len(self.points) - count :, len(self.points) - count :]
        above = torch.cat([ours.to(across), across[:, :count].T], dim=1)
        self.distances = torch.cat([above, across])
        self.responses = torch.cat([self._last(self.responses, count, response), response])
        weights = self._last(self.weights, count, response) * OLDER
        self.weights = torch.cat([weights, torch.ones_like(response)])
        self.points = torch.cat([old, new])
        self._fit()

    def gradient(self, latent: Tensor) -> Tensor:
        """The gradients (R, Z) of the model at latents (R, Z)."""
        found = []
        for part in latent.split(self.batch_size):
            z = part.detach().requires_grad_(True)
            kernel = self._kernel(_squared_distances(self.features(z), self.points))
            found.append(torch.autograd.grad((kernel @ self.coefficients).sum(), z)[0])
        return torch.cat(found)

    def _fit(self) -> None:
        weights = self.weights / self.weights.mean()
        away = self.distances[self.distances > 0]
        self.width = WIDTH * float(away.median()) if len(away) else 1.0
        above = self.responses - (weights * self.responses).mean()
        noise = torch.diag(RIDGE / weights)
        kernel = self._kernel(self.distances) + noise
        self.coefficients = torch.linalg.solve(kernel.double(), above.double()).to(above)

    def _kernel(self, distances: Tensor) -> Tensor:
        return torch.exp(-distances / (2 * self.width))

    @staticmethod
    def _last(values: Tensor, count: int, like: Tensor) -> Tensor:
        """The last `count` of values (M,), on the device of others."""
        return values[len(values) - count :].to(like)


def _squared_distances(rows: Tensor, others: Tensor) -> Tensor:
    """Squared distances (A, B) of rows (A, D) to others (B, D)."""
    lengths = rows.square().sum(1)[:, None] + others.square().sum(1)
    return (lengths - 2 * rows @ others.T).clamp_min(0)
