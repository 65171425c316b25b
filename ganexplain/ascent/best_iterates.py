"""The best latent that each search has evaluated so far."""

from __future__ import annotations

import torch
from torch import Tensor

HYSTERESIS = 0.1  # of the authors: the change of |response| from which an iterate is kept


class BestIterates:
    """The best iterates of searches from `start` (R, Z), with responses and iterations (R,).

    The searches may have more axes, as (R, U, Z) of U units. A response times `sign` is better if
    it is higher. With `hysteresis` the authors' choice is kept. A search whose responses are all
    NaN keeps its start.
    """

    def __init__(self, start: Tensor, sign: float | Tensor, hysteresis: bool = False) -> None:
        self.sign, self.hysteresis = sign, hysteresis
        self.latent = start.clone()
        self.value = torch.full_like(start[..., 0], -torch.inf)  # response times sign
        self.iteration = torch.zeros_like(self.value, dtype=torch.long)

    @property
    def response(self) -> Tensor:
        """The responses (R,) of the best iterates."""
        return self.sign * self.value

    def update(self, response: Tensor, latent: Tensor, iteration: int) -> None:
        """Keep the latents (R, Z) of an iteration whose responses (R,) are better."""
        value = self.sign * response
        better = value > self.value
        if self.hysteresis:  # of absolute values, as in the authors' code, also if signs differ
            better &= (value.abs() - self.value.abs()).abs() >= HYSTERESIS
        self.value = torch.where(better, value, self.value)
        self.latent = torch.where(better[..., None], latent, self.latent)
        self.iteration = torch.where(better, iteration, self.iteration)
