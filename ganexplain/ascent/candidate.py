"""One setting of the adaptive search: its distance at each iteration, and when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.engine import Ascent

PATIENCE = 20  # iterations without improvement, in addition to as many as the best took
LEVELS = 64  # of the lower bound on later distances


@dataclass(frozen=True)
class Found:
    """The C settings that were run, the closest to the real responses first.

    Each is at its best iteration and has the results that `ascend` has with that setting alone.
    S - 1 is the largest of `iterations`. A setting that is not the best may have ended before its
    own minimum.
    """

    learning_rate: np.ndarray  # (C,)
    prior_weight: np.ndarray  # (C,)
    iterations: np.ndarray  # (C,)
    distance: np.ndarray  # (C,): Frechet distance of the responses
    latent: np.ndarray  # (C, N, Z)
    response: np.ndarray  # (C, N)
    best_iteration: np.ndarray  # (C, N)
    response_trace: np.ndarray  # (C, N, S), NaN behind a setting's last iteration
    latent_norm_trace: np.ndarray  # (C, N, S), likewise
    no_gradient: np.ndarray  # (C, N), bool: the response had no gradient at any step
    example_iterations: int  # evaluations of one example in all


@dataclass(frozen=True)
class Target:
    """Mean and standard deviation of real responses times `sign`, so that higher is better."""

    mean: float
    std: float
    sign: float

    @classmethod
    def of(cls, real: np.ndarray, direction: str) -> Target:
        """The target of real responses (R,)."""
        sign = 1.0 if direction == "max" else -1.0
        signed = sign * real.astype(np.float64)
        return cls(float(signed.mean()), float(signed.std(ddof=1)), sign)

    def distance(self, kept: np.ndarray) -> np.ndarray:
        """Frechet distances (K,) of signed responses (K, N)."""
        mean, std = kept.mean(axis=1), kept.std(axis=1, ddof=1)
        return (mean - self.mean) ** 2 + (std - self.std) ** 2

    def least_later(self, kept: np.ndarray) -> float:
        """A lower bound on the later distances of signed responses (N,).

        Kept responses never fall. Of all ways to raise their mean by a given amount, raising the
        lowest to a common level has the smallest deviation. Mean and deviation are monotone in
        that level, so of two neighbouring levels one bounds the mean and the other the deviation.
        """
        top = max(kept.max(), self.mean)
        levels = np.linspace(kept.min(), top, LEVELS)[:, None]
        raised = np.maximum(kept[None], levels)
        mean, std = raised.mean(axis=1), raised.std(axis=1, ddof=1)
        short = np.maximum(np.maximum(mean[:-1] - self.mean, self.mean - mean[1:]), 0)
        wide = np.maximum(std[1:] - self.std, 0)
        return float((short**2 + wide**2).min())


class Run:
    """One setting (learning rate, prior weight) with N examples and all its iterations so far."""

    def __init__(self, setting: tuple[float, float], ascent: Ascent, target: Target) -> None:
        self.setting, self.ascent, self.target = setting, ascent, target
        self.responses: list[np.ndarray] = []
        self.latents: list[Tensor] = []
        self.distance, self.iterations = float("inf"), 1
        self.diverged = False

    def advance(self, steps: int) -> None:
        """Do `steps` evaluations, or fewer if a response is not finite."""
        latents, responses_of_steps = [], []
        for _ in range(steps):
            responses_of_steps.append(self.ascent.step())
            latents.append(self.ascent.evaluated)
        responses = torch.stack(responses_of_steps).cpu().numpy()
        finite = np.isfinite(responses).all(axis=1)
        count = len(finite) if finite.all() else int(finite.argmin())
        self.diverged = count < len(finite)
        self.responses.extend(responses[:count])
        self.latents.extend(latents[:count])
        if len(self.responses) > 1:  # a setting has at least one iteration
            distance = self.target.distance(self.kept())[1:]
            self.iterations = 1 + int(distance.argmin())
            self.distance = float(distance.min())

    def kept(self) -> np.ndarray:
        """The best signed response so far (K + 1, N) at each iteration."""
        signed = self.target.sign * np.stack(self.responses).astype(np.float64)
        return np.maximum.accumulate(signed, axis=0)

    def may_reach(self, distance: float) -> bool:
        """Whether a later iteration may come below a distance.

        The bound excludes it once the responses are past the real ones. A setting that does not
        get there, because its prior is too strong, ends after as many iterations without
        improvement as its best took, and PATIENCE more.
        """
        if self.diverged:
            return False
        if len(self.responses) - 1 >= 2 * self.iterations + PATIENCE:
            return False
        return self.target.least_later(self.kept()[-1]) < distance


def gather(runs: Sequence[Run], example_iterations: int) -> Found:
    """The results of runs, in order, at their best iterations, without runs that diverged."""
    runs = [run for run in runs if np.isfinite(run.distance)]
    cut = [_at_best(run) for run in runs]
    latent, response, best_iteration, trace, norms = zip(*cut, strict=True)
    return Found(
        learning_rate=np.array([run.setting[0] for run in runs]),
        prior_weight=np.array([run.setting[1] for run in runs]),
        iterations=np.array([run.iterations for run in runs]),
        distance=np.array([run.distance for run in runs]),
        latent=np.stack(latent),
        response=np.stack(response),
        best_iteration=np.stack(best_iteration),
        response_trace=_padded(trace),
        latent_norm_trace=_padded(norms),
        no_gradient=np.stack([run.ascent.no_gradient.cpu().numpy() for run in runs]),
        example_iterations=example_iterations,
    )


def _at_best(run: Run) -> tuple[np.ndarray, ...]:
    """Latent (N, Z), response and best iteration (N,), traces (K + 1, N), as `ascend` has them."""
    responses = np.stack(run.responses[: run.iterations + 1])
    latents = torch.stack(run.latents[: run.iterations + 1])
    at = (run.target.sign * responses).argmax(axis=0)
    rows = np.arange(len(at))
    latent = latents[torch.from_numpy(at), torch.from_numpy(rows)]
    norms = latents.norm(dim=2)
    return latent.cpu().numpy(), responses[at, rows], at, responses, norms.cpu().numpy()


def _padded(traces: Sequence[np.ndarray]) -> np.ndarray:
    """Traces (K + 1, N) with different K as (C, N, S), with NaN behind the end."""
    whole = np.full((len(traces), traces[0].shape[1], max(map(len, traces))), np.nan, np.float32)
    for row, trace in zip(whole, traces, strict=True):
        row[:, : len(trace)] = trace.T
    return whole
