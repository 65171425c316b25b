"""A search without gradients for several units at once: MAP-Elites (Mouret & Clune 2015).

Each call of the network answers for every unit. Each unit has an elite, the best latent for it so
far. An iteration draws latents around elites, some of the way to other elites (Vassiliades & Mouret
2018), and each of them becomes the elite of all units for which it is the best. So what is found
for one unit is where the search for others begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.best_iterates import BestIterates
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.runs.machine import random_stream

ELITES = "elites"  # as a choice of --search
WIDTH = 4.0  # standard deviation of what is drawn around an elite, in learning rates
TOWARDS = 0.3  # standard deviation of the way to another elite, in its length


class Elites:
    """R searches that are run step by step, each for U units and with its own random stream.

    The objective returns responses (B, U), or (B,) of one unit; then results have no axis of
    units. `signs` (U,) are 1 for a unit to be maximised and -1 for one to be minimised.
    Before the first iteration the starts are evaluated; the first draws from N(0, I). What is drawn
    for row r depends only on `noise_seed[r]`, so results do not depend on the batches, but for
    rounding. The best by the response alone is kept, the elite is the best with the prior.
    """

    def __init__(
        self,
        objective: Callable[[Tensor], Tensor],
        starts: Starts,
        settings: AscentSettings,
        signs: Sequence[float] = (),
    ) -> None:
        assert starts.noise_seed is not None, "elites need the seeds of their noise"
        self.objective, self.batch_size, self.calls = objective, settings.batch_size, settings.calls
        self.prior, self.alone = settings.resolved_prior, not signs
        start, rate, self.weight = starts.on(settings.device)
        self.sign = torch.tensor(signs or [settings.sign], device=start.device)
        self.streams = [random_stream(int(seed), ELITES) for seed in starts.noise_seed]
        self.width = WIDTH * rate[:, None, None]
        of_units = self.prior.project(start)[:, None].expand(-1, len(self.sign), -1)  # (R, U, Z)
        self.best, self.elite = BestIterates(of_units, self.sign), BestIterates(of_units, 1.0)
        self.first: Tensor | None = None  # responses (R, U) at the starts
        self.no_gradient = torch.ones_like(self._shown(self.best.value), dtype=torch.bool)
        self.iteration = 0

    @property
    def latent(self) -> Tensor:
        """The best latents so far (R, U, Z) or (R, Z)."""
        return self._shown(self.best.latent)

    def step(self) -> Tensor:
        """Draw and evaluate latents, and keep the best; returns the best responses before.

        NaN where any response is not finite.
        """
        before, drawn = self.finish(), self._drawn()
        self.iteration += 1
        finite = self._add(self.prior.project(drawn.flatten(0, 1)).view_as(drawn))
        return before.where(self._shown(finite), torch.nan)

    def finish(self) -> Tensor:
        """The best responses so far (R, U) or (R,); evaluates the starts, if they are not yet."""
        if self.first is None:
            self._add(self.elite.latent[:, :1])
        best = self.best
        self.kept_so_far = (
            self._shown(best.latent), self._shown(best.response), self._shown(best.iteration)
        )  # fmt: skip
        return self.kept_so_far[1]

    def kept(self) -> tuple[Tensor, Tensor, Tensor]:
        """Latents, responses and iterations of the best before the last step."""
        return self.kept_so_far

    def _shown(self, values: Tensor) -> Tensor:
        """Values (R, U, ...), of one unit (R, ...)."""
        return values[:, 0] if self.alone else values

    @torch.no_grad()
    def _add(self, points: Tensor) -> Tensor:
        """Evaluate points (R, C, Z) and keep the best; returns whether all (R, U) are finite."""
        flat = points.flatten(0, 1)
        found = torch.cat([self.objective(z) for z in flat.split(self.batch_size)])
        found = found.view(*points.shape[:2], -1)  # (R, C, U)
        self.first = found[:, 0] if self.first is None else self.first
        self.no_gradient &= self._shown((found == self.first[:, None]).all(dim=1))
        penalty = self.prior.penalty(flat, self.weight.repeat_interleave(points.shape[1]))
        response = self.sign * found
        best, place = response.max(dim=1)
        self.best.update(self.sign * best, _at(points, place), self.iteration)
        value, place = (response - penalty.view(*points.shape[:2], 1)).max(dim=1)
        self.elite.update(value, _at(points, place), self.iteration)
        return found.isfinite().all(dim=1)

    def _drawn(self) -> Tensor:
        """Latents (R, C, Z): at first from N(0, I), then around elites."""
        elite = self.elite.latent
        shape = (self.calls, elite.shape[2])
        noise = self._stack([stream.standard_normal(shape, np.float32) for stream in self.streams])
        if not self.iteration:
            return noise
        units = (2, self.calls)
        chosen = self._stack([s.integers(0, len(self.sign), units) for s in self.streams])
        far = self._stack([s.standard_normal((self.calls, 1), np.float32) for s in self.streams])
        parent, other = _at(elite, chosen[:, 0]), _at(elite, chosen[:, 1])
        return parent + self.width * noise + TOWARDS * far * (other - parent)

    def _stack(self, rows: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(rows)).to(self.sign.device)


def _at(latents: Tensor, places: Tensor) -> Tensor:
    """The latents (R, N, Z) at places (R, N) of latents (R, M, Z)."""
    return latents.gather(1, places[..., None].expand(-1, -1, latents.shape[2]))
