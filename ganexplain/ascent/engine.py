"""Batched latent ascent: many searches of a generator's latent space at once.

Every row is a search of its own, with its own learning rate and prior weight; rows do not
touch each other (no batch statistics, an element-wise optimiser), so any batching gives the
same rows to floating point. Iteration counts are snapshots of one trajectory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.errors import Diverged

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam as in TensorFlow, the authors' optimiser

Objective = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Trajectories:
    """What R searches with S recorded iterations (0 .. the largest count) found.

    For each of the P iteration counts: the latent with the best response so far (P, R, Z), that
    response (P, R), and the iteration it was met at (P, R). The response (R, S) and the latent
    norm (R, S) at every iteration.
    """

    latent: np.ndarray
    response: np.ndarray
    best_iteration: np.ndarray
    response_trace: np.ndarray
    latent_norm_trace: np.ndarray


def start_latents(seed: int, examples: int, size: int) -> np.ndarray:
    """Start points (N, Z), float32; row k is drawn from `seed + k` alone, as the authors did.

    NumPy's legacy generator, so that the start norms the authors published come out.
    """
    rows = [np.random.RandomState(seed + k).normal(0.0, 1.0, size) for k in range(examples)]
    return np.stack(rows).astype(np.float32)


def ascend(
    generator: Objective,
    respond: Objective,
    start: np.ndarray,
    learning_rate: np.ndarray,
    prior_weight: np.ndarray,
    iterations: Sequence[int],
    direction: str,
    batch_size: int,
    device: torch.device,
    advance: Callable[[int, float], None] = lambda units, response: None,
) -> Trajectories:
    """Maximise s(G(z)) - w |z|^2, or minimise s(G(z)) + w |z|^2, from each start (R, Z).

    `generator` takes (B, Z) to the network's input, `respond` that to (B,). `learning_rate`
    and `prior_weight` are (R,); w multiplies the sum of squares, as in the authors' code
    (their paper's lambda is 2 w). The kept iterate has the best response, not the best
    objective; z_0 to z_K are all evaluated for K iterations. `advance(units, response)` is
    called with example-iterations done. Raises Diverged where a response is not finite.
    """
    parts = [
        _ascend_batch(
            generator,
            respond,
            torch.from_numpy(start[i : i + batch_size]).to(device),
            torch.from_numpy(learning_rate[i : i + batch_size]).float().to(device),
            torch.from_numpy(prior_weight[i : i + batch_size]).float().to(device),
            sorted(set(iterations)),
            1.0 if direction == "max" else -1.0,
            advance,
        )
        for i in range(0, len(start), batch_size)
    ]
    order = [sorted(set(iterations)).index(count) for count in iterations]
    return Trajectories(
        latent=np.concatenate([p.latent for p in parts], axis=1)[order],
        response=np.concatenate([p.response for p in parts], axis=1)[order],
        best_iteration=np.concatenate([p.best_iteration for p in parts], axis=1)[order],
        response_trace=np.concatenate([p.response_trace for p in parts]),
        latent_norm_trace=np.concatenate([p.latent_norm_trace for p in parts]),
    )


def _ascend_batch(
    generator: Objective,
    respond: Objective,
    z: Tensor,
    rate: Tensor,
    weight: Tensor,
    counts: list[int],
    sign: float,
    advance: Callable[[int, float], None],
) -> Trajectories:
    momentum, square = torch.zeros_like(z), torch.zeros_like(z)
    best, best_z = torch.full_like(rate, -torch.inf), z.clone()
    best_at = torch.zeros(len(z), dtype=torch.long, device=z.device)
    trace, norms, snapshots = [], [], []
    for k in range(counts[-1] + 1):
        last = k == counts[-1]
        response, gradient = _evaluate(generator, respond, z, need_gradient=not last)
        norms.append(z.norm(dim=1))
        trace.append(response)
        better = sign * response > best
        best = torch.where(better, sign * response, best)
        best_z = torch.where(better[:, None], z, best_z)
        best_at = torch.where(better, k, best_at)
        if k in counts:
            snapshots.append((best_z, sign * best, best_at))
        if not last:
            descent = 2 * weight[:, None] * z - sign * gradient
            z = _adam(z, descent, momentum, square, rate, k + 1)
            advance(len(z), float(response.mean()))
    responses = torch.stack(trace, dim=1)
    if not torch.isfinite(responses).all():
        at = int((~torch.isfinite(responses)).any(dim=0).float().argmax())
        raise Diverged(f"a response is not finite at iteration {at}; lower --learning-rate")
    latent, response, best_iteration = (torch.stack(v) for v in zip(*snapshots, strict=True))
    return Trajectories(
        latent.cpu().numpy(),
        response.cpu().numpy(),
        best_iteration.cpu().numpy(),
        responses.cpu().numpy(),
        torch.stack(norms, dim=1).cpu().numpy(),
    )


def _evaluate(
    generator: Objective, respond: Objective, z: Tensor, need_gradient: bool
) -> tuple[Tensor, Tensor]:
    if not need_gradient:
        with torch.no_grad():
            return respond(generator(z)), torch.empty(0)
    z = z.detach().requires_grad_(True)
    response = respond(generator(z))
    (gradient,) = torch.autograd.grad(response.sum(), z)
    return response.detach(), gradient


def _adam(
    z: Tensor, gradient: Tensor, momentum: Tensor, square: Tensor, rate: Tensor, step: int
) -> Tensor:
    """One step with a learning rate for each row; epsilon stands outside the bias correction."""
    momentum.lerp_(gradient, 1 - BETA1)
    square.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
    correction = (1 - BETA2**step) ** 0.5 / (1 - BETA1**step)
    return z - (rate * correction)[:, None] * momentum / (square.sqrt() + EPSILON)
