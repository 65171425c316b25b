"""Gradients of a response of which only values are known, estimated from values nearby.

Every search compares the response at its latent with those at a few latents nearby, in directions
that are drawn anew and orthogonal to each other. A Kalman filter takes the gradient for a random
walk and combines the differences of all iterations, so that few calls an iteration are enough.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.runs.machine import random_stream

EVOLUTION = "evolution"  # as a choice of --search
DISTANCE = 0.05  # of the latents nearby, along each coordinate
MEMORY = 0.9  # share of what is known of a gradient that is left an iteration later
NOISE = 0.05  # variance of a difference, of the variance of a gradient of which nothing is known


class EstimatedGradient:
    """The gradients of R searches, each with its own random stream.

    `settings.calls` is the number of calls an iteration. The directions of row r depend only on
    `noise_seed[r]`, so results do not depend on the batches, but for rounding.
    """

    def __init__(
        self, objective: Callable[[Tensor], Tensor], starts: Starts, settings: AscentSettings
    ) -> None:
        assert starts.noise_seed is not None, "the directions need the seeds of their noise"
        self.objective, self.batch_size = objective, settings.batch_size
        self.size = starts.latent.shape[1]
        self.count = min(settings.calls - 1, self.size)
        self.streams = [random_stream(int(seed), "evolution") for seed in starts.noise_seed]
        rows, device = len(starts), settings.device
        self.gradient = torch.zeros(rows, self.size, device=device)
        self.unknown = torch.eye(self.size, device=device).repeat(rows, 1, 1)  # its covariance

    @torch.no_grad()
    def evaluate(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Responses (R,) at latents (R, Z) and their estimated gradients (R, Z)."""
        directions = self._directions()
        distance = DISTANCE * self.size**0.5
        nearby = latent[:, None] + distance * directions
        points = torch.cat([latent[:, None], nearby], dim=1).flatten(0, 1)
        values = torch.cat([self.objective(z) for z in points.split(self.batch_size)])
        response, others = values.view(len(latent), -1).split([1, self.count], dim=1)
        self._learn(directions, (others - response) / distance)
        return response[:, 0], self.gradient

    def _directions(self) -> Tensor:
        """Orthonormal directions (R, P, Z)."""
        shape = (self.size, self.count)
        drawn = np.stack([stream.standard_normal(shape, np.float32) for stream in self.streams])
        return torch.from_numpy(np.linalg.qr(drawn)[0]).to(self.gradient.device).mT

    def _learn(self, directions: Tensor, slopes: Tensor) -> None:
        """Correct the gradients by slopes (R, P) along directions (R, P, Z): a Kalman filter.

        What is unknown is measured against what was so at first, whatever the gradient's size.
        """
        unknown = self.unknown / MEMORY
        unknown = unknown / unknown.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1)[:, None, None]
        seen = directions @ unknown
        spread = seen @ directions.mT + NOISE * torch.eye(self.count, device=slopes.device)
        gain = torch.linalg.solve(spread, seen).mT
        surprise = slopes[..., None] - directions @ self.gradient[..., None]
        self.gradient = self.gradient + (gain @ surprise)[..., 0]
        left = unknown - gain @ seen
        self.unknown = (left + left.mT) / 2
