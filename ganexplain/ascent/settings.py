"""The starts of searches, row by row, and the settings that all rows share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.priors import PRIORS, Prior

CPU = torch.device("cpu")


@dataclass(frozen=True)
class AscentSettings:
    """The settings of searches that all rows share.

    `direction` is `max` or `min`. At most `batch_size` rows are computed at once on `device`.
    `prior` is a name in `PRIORS` or a prior. With `hysteresis` iterates are kept by the authors'
    rule (method, section 4). With `calls` the search does without gradients, with so many calls of
    the objective an iteration and row (`evolution.py`; if `shared`, `elites.py`). With `features`,
    from latents (B, Z) to (B, D), it has only the gradients of a model of the responses on these
    (`surrogate.py`).
    """

    direction: str = "max"
    batch_size: int = 48
    device: torch.device = CPU
    prior: str | Prior = "l2"
    hysteresis: bool = False
    calls: int = 0
    shared: bool = False
    features: Callable[[Tensor], Tensor] | None = None

    @property
    def sign(self) -> float:
        """1 if the response is maximised, -1 if it is minimised."""
        return 1.0 if self.direction == "max" else -1.0

    @property
    def resolved_prior(self) -> Prior:
        """The prior itself."""
        return self.prior if isinstance(self.prior, Prior) else PRIORS[self.prior]


@dataclass(frozen=True)
class Starts:
    """The starts of R searches, each with its own settings.

    `latent` is (R, Z), float32; `learning_rate` and `prior_weight` are (R,) or one number for all
    rows; `noise_seed` (R,) has the seeds of the noise of `langevin`, `evolution` and `elites`.
    """

    latent: np.ndarray
    learning_rate: np.ndarray | float
    prior_weight: np.ndarray | float = 0.0
    noise_seed: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.latent)

    def rows(self, first: int, last: int) -> Starts:
        """The rows from `first` to before `last`."""
        part = slice(first, last)
        rate, weight = (np.full(len(self), v) for v in (self.learning_rate, self.prior_weight))
        seeds = None if self.noise_seed is None else self.noise_seed[part]
        return Starts(self.latent[part], rate[part], weight[part], seeds)

    def on(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (R, Z), learning rates and prior weights (R,) as float32 on a device."""
        rate, weight = (np.full(len(self), v) for v in (self.learning_rate, self.prior_weight))
        z, r, w = (torch.from_numpy(v).float().to(device) for v in (self.latent, rate, weight))
        return z, r, w
