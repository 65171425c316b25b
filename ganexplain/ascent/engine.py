"""Batched latent ascent: many searches of a generator's latent space at once.

Each row is a search with its own learning rate and prior weight. Rows are independent (no batch
statistics, an element-wise optimiser), so they do not depend on the batches, but for rounding.
Iteration counts are snapshots of one trajectory.

An objective may return numbers to fix behind the response: (R, 1 + H). They stay as they were at
the starts (`projection.py`); responses are then those at the nearest latent where these numbers are
the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.adam import adam_step
from ganexplain.ascent.best_iterates import BestIterates
from ganexplain.ascent.elites import Elites
from ganexplain.ascent.evolution import Evolution
from ganexplain.ascent.gradients import vanishes
from ganexplain.ascent.langevin import Langevin
from ganexplain.ascent.projection import Level
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.ascent.surrogate import Surrogate
from ganexplain.errors import Diverged, UsageError

REPORT_EVERY = 10  # iterations; a report of the response synchronises the device

Objective = Callable[[Tensor], Tensor]  # latents (R, Z) to responses (R,) or (R, 1 + H)


@dataclass(frozen=True)
class Trajectories:
    """The results of R searches at P iteration counts, with S iterations (0 .. the largest count).

    At each count they have the best response so far; with `langevin` the response at that count.
    """

    latent: np.ndarray  # (P, R, Z)
    response: np.ndarray  # (P, R)
    best_iteration: np.ndarray  # (P, R)
    response_trace: np.ndarray  # (R, S)
    latent_norm_trace: np.ndarray  # (R, S)
    no_gradient: np.ndarray  # (R,), bool: the response had no gradient at any step


def start_latents(seed: int, examples: int, size: int) -> np.ndarray:
    """Start points (N, Z), float32; row k depends only on `seed + k`, as in the authors' code.

    NumPy's legacy generator is used because it yields the start norms that the authors published.
    """
    rows = [np.random.RandomState(seed + k).normal(0.0, 1.0, size) for k in range(examples)]
    return np.stack(rows).astype(np.float32)


class Ascent:
    """R searches that are run step by step.

    `iteration` counts the steps; `latent` (R, Z) is z_iteration, not yet evaluated; `evaluated` is
    the latent of the last responses. The best of z_0 to z_(iteration - 1), or with `hysteresis`
    the authors' choice, are in `best`. `no_gradient` (R,) is true if the response had no gradient
    at any step.
    """

    def __init__(self, objective: Objective, starts: Starts, settings: AscentSettings) -> None:
        self.objective, self.batch_size = objective, settings.batch_size
        self.sign = settings.sign
        self.prior = settings.resolved_prior
        self.iteration = 0
        start, self.rate, self.weight = starts.on(settings.device)
        self.latent = self.evaluated = start = self.prior.project(start)
        self.wanted: Tensor | None = None  # (R, H), the fixed numbers of the starts
        self.momentum, self.square = torch.zeros_like(start), torch.zeros_like(start)
        self.best = BestIterates(start, self.sign, settings.hysteresis)
        self.no_gradient = torch.ones_like(self.rate, dtype=torch.bool)

    def step(self) -> Tensor:
        """Evaluate the latents, keep the best so far, and do a step; returns responses (R,)."""
        response, gradient, level = self._evaluate()
        self.best.update(response, self.evaluated, self.iteration)
        self.no_gradient &= vanishes(gradient)
        descent = self.prior.descent(self.latent, self.sign * gradient, self.weight)
        if level:
            descent = level.along(descent)
        self.iteration += 1
        moved = adam_step(
            self.latent, descent, self.momentum, self.square, self.rate, self.iteration
        )
        if level:
            moved = self.evaluated + level.along(moved - self.latent)
        self.latent = self.prior.project(moved)
        return response

    def finish(self) -> Tensor:
        """Evaluate the latents and keep the best as `step`, without a step; returns responses."""
        if self.wanted is not None:
            response = self._evaluate()[0]
        else:
            self.evaluated = self.latent
            with torch.no_grad():
                parts = [self.objective(z) for z in self.latent.split(self.batch_size)]
            response = torch.cat(parts)
        self.best.update(response, self.evaluated, self.iteration)
        return response

    def _evaluate(self) -> tuple[Tensor, Tensor, Level | None]:
        """Responses (R,) and gradients (R, Z) at the latents and, with fixed numbers, the level."""
        values, gradients = evaluate_all(self.objective, self.latent, self.batch_size)
        self.evaluated, response, gradient = self.latent, values[:, 0], gradients[:, 0]
        if values.shape[1] == 1:
            return response, gradient, None
        if self.wanted is None:
            self.wanted = values[:, 1:]
        level = Level(gradients[:, 1:], values[:, 1:] - self.wanted)
        self.evaluated = self.latent + level.back
        return response + (gradient * level.back).sum(dim=1), gradient, level

    def kept(self) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (R, Z), responses and iterations (R,) of the best iterates so far."""
        return self.best.latent, self.best.response, self.best.iteration


def evaluate(objective: Objective, latent: Tensor, batch_size: int) -> tuple[Tensor, Tensor]:
    """Responses (R,) of latents (R, Z) and their gradients (R, Z), `batch_size` rows at once."""
    values, gradients = evaluate_all(objective, latent, batch_size)
    return values[:, 0], gradients[:, 0]


def evaluate_all(objective: Objective, latent: Tensor, batch_size: int) -> tuple[Tensor, Tensor]:
    """All values (R, 1 + H) of an objective at latents (R, Z) and their gradients (R, 1 + H, Z)."""
    values, gradients = [], []
    for part in latent.split(batch_size):
        z = part.detach().requires_grad_(True)
        value = objective(z)
        if not value.requires_grad:
            raise UsageError(
                "the unit's response has no gradient: the network rounds, compares or detaches on "
                "the way to it; choose a unit before that, or use explain --search evolution"
            )
        columns = value.reshape(len(part), -1).unbind(1)
        # With an operator without a gradient torch treats the latent as unused.
        slopes = [
            torch.autograd.grad(
                column.sum(),
                z,
                retain_graph=k + 1 < len(columns),
                allow_unused=True,
                materialize_grads=True,
            )[0]
            for k, column in enumerate(columns)
        ]
        values.append(torch.stack(columns, 1).detach())
        gradients.append(torch.stack(slopes, 1))
    return torch.cat(values), torch.cat(gradients)


Search = Ascent | Langevin | Evolution | Elites | Surrogate


def begin_search(objective: Objective, starts: Starts, settings: AscentSettings) -> Search:
    """The R searches of a prior, before their first step; arguments as for `ascend`."""
    if settings.features:
        return Surrogate(objective, starts, settings)
    if settings.shared:
        return Elites(objective, starts, settings)
    if settings.calls:
        return Evolution(objective, starts, settings)
    if not settings.resolved_prior.samples:
        return Ascent(objective, starts, settings)
    both = partial(evaluate, objective, batch_size=settings.batch_size)
    return Langevin(both, starts, settings)


def ascend(
    objective: Objective,
    starts: Starts,
    iterations: Sequence[int],
    settings: AscentSettings,
    advance: Callable[[int, float], None] = lambda units, response: None,
) -> Trajectories:
    """Maximise s(G(z)) - w |z|^2, or minimise s(G(z)) + w |z|^2, from each of R starts.

    The prior weight w multiplies the sum of squares, as in the authors' code (lambda in their
    paper is 2 w). The iterate that is kept has the best response, not the best value with the
    prior; for K iterations z_0 to z_K are evaluated. With the prior `langevin` the learning rate is
    the step size, w is above zero, and the noise of row r depends on `noise_seed[r]`.

    Args:
        objective: s(G(z)), from latents (B, Z) to responses (B,).
        starts: R starts with their learning rates and prior weights.
        iterations: P iteration counts at which results are returned, in this order.
        settings: The settings of all rows.
        advance: Called regularly with the example-iterations since the last call, and the mean
            response.

    Raises Diverged if a response is not finite.
    """
    counts = sorted(set(iterations))
    parts = []
    size = len(starts) if settings.features else settings.batch_size  # they share a model
    for i in range(0, len(starts), size):
        part = starts.rows(i, i + size)
        parts.append(_run(begin_search(objective, part, settings), counts, advance))
    order = [counts.index(count) for count in iterations]
    return Trajectories(
        latent=np.concatenate([p.latent for p in parts], axis=1)[order],
        response=np.concatenate([p.response for p in parts], axis=1)[order],
        best_iteration=np.concatenate([p.best_iteration for p in parts], axis=1)[order],
        response_trace=np.concatenate([p.response_trace for p in parts]),
        latent_norm_trace=np.concatenate([p.latent_norm_trace for p in parts]),
        no_gradient=np.concatenate([p.no_gradient for p in parts]),
    )


def ascend_together(
    objective: Objective,
    starts: Starts,
    iterations: Sequence[int],
    settings: AscentSettings,
    signs: Sequence[float],
    advance: Callable[[int, float], None] = lambda units, response: None,
) -> list[Trajectories]:
    """The results of U units that are searched together, from R starts, by `Elites`.

    `objective` has responses (B, U), `signs` (U,) are 1 for a unit to be maximised, else -1. Other
    arguments and errors as for `ascend`.
    """
    counts = sorted(set(iterations))
    order = [counts.index(count) for count in iterations]
    found = _run(Elites(objective, starts, settings, signs), counts, advance)
    return [
        Trajectories(
            latent=found.latent[order, :, unit],
            response=found.response[order, :, unit],
            best_iteration=found.best_iteration[order, :, unit],
            response_trace=found.response_trace[:, :, unit],
            latent_norm_trace=found.latent_norm_trace[:, :, unit],
            no_gradient=found.no_gradient[:, unit],
        )
        for unit in range(len(signs))
    ]


def _run(search: Search, counts: list[int], advance: Callable[[int, float], None]) -> Trajectories:
    trace, norms, snapshots = [], [], []
    last, reported = counts[-1], 0
    for k in range(last + 1):
        norms.append(search.latent.norm(dim=-1))
        trace.append(search.step() if k < last else search.finish())
        if k in counts:
            snapshots.append(search.kept())
        if search.iteration - reported == REPORT_EVERY or k == last:
            units = len(search.latent) * (search.iteration - reported)
            advance(units, float(trace[-1].mean()))
            reported = search.iteration
    responses = torch.stack(trace, dim=1)
    if not torch.isfinite(responses).all():
        finite = torch.isfinite(responses).transpose(0, 1).flatten(1).all(dim=1)
        at = int((~finite).float().argmax())
        if at == 0:
            raise Diverged("the unit's response to samples of the GAN is not finite already")
        raise Diverged(f"a response is not finite at iteration {at}; lower --learning-rate")
    latent, response, best_iteration = (torch.stack(v) for v in zip(*snapshots, strict=True))
    return Trajectories(
        latent.cpu().numpy(),
        response.cpu().numpy(),
        best_iteration.cpu().numpy(),
        responses.cpu().numpy(),
        torch.stack(norms, dim=1).cpu().numpy(),
        search.no_gradient.cpu().numpy(),
    )
