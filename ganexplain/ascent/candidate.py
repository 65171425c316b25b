"""One setting of the adaptive search: its distance at each iteration, and when it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.engine import Ascent, Objective
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.metrics.bootstrap import resample_rows

PATIENCE = 20  # iterations without improvement, in addition to as many as the best took
LEVELS = 64  # of the lower bound on later distances


@dataclass(frozen=True)
class Trial:
    """A setting to search for at most `most` iterations.

    It ends earlier once no later iteration can be closer to the real responses than `bound`, the
    smallest distance so far, and than its own smallest.
    """

    learning_rate: float
    prior_weight: float
    most: int
    bound: float


@dataclass(frozen=True)
class Tried:
    """What a trial found: N examples at the iteration nearest to the real responses.

    They are what `ascend` finds with this setting and so many `iterations`, K. `distance` is the
    Frechet distance of the responses, None if none of them was finite; the arrays are empty then.
    """

    learning_rate: float
    prior_weight: float
    iterations: int
    distance: float | None
    example_iterations: int  # evaluations of one example, also behind the nearest iteration
    latent: np.ndarray  # (N, Z)
    response: np.ndarray  # (N,)
    best_iteration: np.ndarray  # (N,)
    response_trace: np.ndarray  # (K + 1, N)
    latent_norm_trace: np.ndarray  # (K + 1, N)
    no_gradient: np.ndarray  # (N,), bool: the response had no gradient at any step


@dataclass(frozen=True)
class Found:
    """The C settings that were tried, the closest to the real responses first.

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

    def standard_error(self, one: np.ndarray, other: np.ndarray) -> float:
        """That of the difference between the distances of responses (N,) from the same starts.

        By bootstrap, paired by start, as `select` marks settings as tied.
        """
        rows = resample_rows(len(one), 0)
        first, second = (self.distance(self.sign * each[rows]) for each in (one, other))
        return float(np.std(first - second, ddof=1))

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


class SettingSearch:
    """Tries single settings from N starts (N, Z), which are the same for all.

    Raises ValueError for fewer than two examples or real responses, or responses not finite.
    """

    def __init__(
        self, objective: Objective, start: np.ndarray, target: Target, settings: AscentSettings
    ) -> None:
        if len(start) < 2 or not np.isfinite([target.mean, target.std]).all():
            raise ValueError("a distance needs at least two examples and two finite real responses")
        self.objective, self.start, self.target = objective, start, target
        self.settings = settings

    def __call__(
        self, trial: Trial, advance: Callable[[int, float], None] = lambda units, distance: None
    ) -> Tried:
        """Try a setting; `advance` gets the evaluations since its last call, and the distance."""
        run, done = Run(self.begin(trial), self.target), 0
        while done <= trial.most and run.may_reach(trial.bound):
            # Distances are measured after a tenth of the steps done, so that few steps are wasted
            # and the GPU is not synchronised at each step.
            steps = min(max(done // 10, 1), trial.most + 1 - done)
            run.advance(steps)
            done += steps
            advance(steps * len(self.start), run.distance)
        latent, response, best_iteration, trace, norms = run.at_best()
        return Tried(
            learning_rate=trial.learning_rate,
            prior_weight=trial.prior_weight,
            iterations=run.iterations,
            distance=run.distance if np.isfinite(run.distance) else None,
            example_iterations=done * len(self.start),
            latent=latent,
            response=response,
            best_iteration=best_iteration,
            response_trace=trace,
            latent_norm_trace=norms,
            no_gradient=run.ascent.no_gradient.cpu().numpy(),
        )

    def begin(self, trial: Trial) -> Ascent:
        """The searches of a setting from all starts, before their first step.

        Batches are like those of a search with only this setting, so the rows are exactly equal.
        """
        starts = Starts(self.start, trial.learning_rate, trial.prior_weight)
        return Ascent(self.objective, starts, self.settings)


class Run:
    """One setting with N examples and all its iterations so far.

    `distance` is the least to the target so far, reached at `iterations`.
    """

    def __init__(self, ascent: Ascent, target: Target) -> None:
        self.ascent, self.target = ascent, target
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
        """Whether a later iteration may come below a distance, and below its own smallest.

        The bound excludes it once the responses are past the real ones. A setting that does not
        get there, because its prior is too strong, ends after as many iterations without
        improvement as its best took, and PATIENCE more.
        """
        if not self.responses:
            return True
        if self.diverged:
            return False
        if len(self.responses) - 1 >= 2 * self.iterations + PATIENCE:
            return False
        return self.target.least_later(self.kept()[-1]) < min(distance, self.distance)

    def at_best(self) -> tuple[np.ndarray, ...]:
        """Latent (N, Z), response and best iteration (N,), traces (K + 1, N), as `ascend` has them.

        They are empty if no response was finite.
        """
        responses = np.stack(self.responses[: self.iterations + 1] or [np.empty(0, np.float32)])
        latents = torch.stack(self.latents[: self.iterations + 1] or [torch.empty(0, 1)])
        at = (self.target.sign * responses).argmax(axis=0)
        rows = np.arange(len(at))
        latent = latents[torch.from_numpy(at), torch.from_numpy(rows)]
        norms = latents.norm(dim=2)
        return latent.cpu().numpy(), responses[at, rows], at, responses, norms.cpu().numpy()


def gather(tried: Sequence[Tried], example_iterations: int) -> Found:
    """What was found, in order, without settings that diverged."""
    found = [one for one in tried if one.distance is not None]
    return Found(
        learning_rate=np.array([one.learning_rate for one in found]),
        prior_weight=np.array([one.prior_weight for one in found]),
        iterations=np.array([one.iterations for one in found]),
        distance=np.array([one.distance for one in found]),
        latent=np.stack([one.latent for one in found]),
        response=np.stack([one.response for one in found]),
        best_iteration=np.stack([one.best_iteration for one in found]),
        response_trace=_padded([one.response_trace for one in found]),
        latent_norm_trace=_padded([one.latent_norm_trace for one in found]),
        no_gradient=np.stack([one.no_gradient for one in found]),
        example_iterations=example_iterations,
    )


def _padded(traces: Sequence[np.ndarray]) -> np.ndarray:
    """Traces (K + 1, N) with different K as (C, N, S), with NaN behind the end."""
    whole = np.full((len(traces), traces[0].shape[1], max(map(len, traces))), np.nan, np.float32)
    for row, trace in zip(whole, traces, strict=True):
        row[:, : len(trace)] = trace.T
    return whole
