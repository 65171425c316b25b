"""How often the 95 % intervals of `select` contain the truth, and call equal sets different.

    OMP_NUM_THREADS=1 python tests/benchmarks/intervals.py

Responses of known distributions against 50 real ones at a distance (in standard deviations): of the
Fréchet distance the share of draws whose interval contains that of the whole distribution, and the
share in which two sets of one distribution are called different: by the interval of their
difference, and by whether the second lies outside the interval of the first, as before. Then what
choosing among 27 settings costs: the Fréchet distance of the whole distribution of the setting
chosen, by the smallest score and by the least optimised within one standard error of it, beside the
best there is; and how often the best is among those tied.

Last, values of few recordings: a mean, the share of alarms among excerpts (pooled: recordings are
of different length), the share of pairs in the right order of the strongest tenth and the rest,
and of two halves (AUROC), and the difference of two such shares: of another contrast that tells as
much of the response, half as much, or nothing. How often 95 % intervals contain the truth: those
that the commands write (`interval` of means, `share_interval` of shares, and
`share_difference_interval`); and, for comparison, `interval` of all, whose bounds are percentiles
scaled as Student's t; Student's t times the standard error of the resamples; and percentiles
expanded as by Hesterberg (2015). Shares of exactly 0 and 1, which have an exact interval, and
differences of -1, 1 and without spread, which have none, are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from scipy.special import ndtr, stdtrit

from ganexplain.metrics.bootstrap import (
    interval,
    resample_rows,
    share_difference_interval,
    share_interval,
    tied_with_best,
)
from ganexplain.metrics.distances import frechet_distances
from ganexplain.metrics.prediction import Counts, Pairs, recording_weights

LARGE = 1_000_000


def draw(kind: str, count: int, stream: np.random.Generator) -> np.ndarray:
    """Responses: normal; some stay behind; one in seven does not arrive."""
    if kind == "skewed":
        return -stream.gamma(2, 1, count)
    if kind == "some fail":
        late = stream.random(count) < 0.15
        return np.where(late, stream.normal(-4, 1, count), stream.normal(0, 0.7, count))
    return stream.normal(0, 1, count)


def coverage(kind: str, examples: int, shift: float, draws: int) -> list[float]:
    """Shares: the interval contains the truth; different by difference; different by a point."""
    stream = np.random.default_rng(0)
    whole = draw(kind, LARGE, stream)
    real = stream.normal(whole.mean() + shift * whole.std(), 0.3 * whole.std(), 50)
    truth = frechet_distances(whole[None, :, None], real)[0]
    found = np.zeros(3)
    for seed in range(draws):
        rows = resample_rows(examples, seed)
        sets = np.stack([draw(kind, examples, stream) for _ in range(2)])
        score = frechet_distances(sets[..., None], real)
        first, second = (frechet_distances(one[rows][..., None], real) for one in sets)
        low, high = interval(score[0], first, examples)
        least, most = interval(score[1] - score[0], second - first, examples)
        found += [low <= truth <= high, not least <= 0 <= most, not low <= score[1] <= high]
    return (found / draws).tolist()


def choices(examples: int, draws: int) -> list[float]:
    """Mean true distance of the best, smallest and cautious choice; the best is tied (share).

    27 settings end at nine levels around the real responses, in three widths, from common starts.
    """
    stream = np.random.default_rng(1)
    real = stream.normal(7, 0.8, 50)
    level, width = (v.ravel() for v in np.meshgrid(np.linspace(3, 11, 9), [1.5, 2.2, 3]))
    shared = stream.normal(0, 1, LARGE)
    whole = [
        frechet_distances((at + wide * shared)[None, :, None], real)[0]
        for at, wide in zip(level, width, strict=True)
    ]
    truth, found = np.array(whole), np.zeros(4)
    for seed in range(draws):
        rows = resample_rows(examples, seed)
        start, own = stream.normal(size=examples), stream.normal(size=(27, examples))
        sets = level[:, None] + width[:, None] * (0.8 * start + 0.6 * own)
        score = frechet_distances(sets[..., None], real)
        spread = np.stack([frechet_distances(one[rows][..., None], real) for one in sets])
        tied = np.flatnonzero(tied_with_best(score, spread))
        cautious = tied[np.lexsort([width[tied], level[tied]])[0]]
        found += [truth.min(), truth[score.argmin()], truth[cautious], truth.argmin() in tied]
    return (found / draws).tolist()


Statistic = Callable[[np.ndarray], np.ndarray]  # of how often recordings occur (B, G): (B,)
EXCERPTS = 20  # of each recording, to make pairs of


def a_mean(recordings: int, stream: np.random.Generator) -> Statistic:
    """The mean of a normal value of each recording."""
    values = stream.normal(0.5, 1, recordings)
    return lambda weights: weights @ values / weights.sum(axis=1)


def alarm_share(truth: float, alike: float) -> Callable[[int, np.random.Generator], Statistic]:
    """Alarms among excerpts; the larger `alike`, the less recordings differ (beta-binomial)."""

    def drawn(recordings: int, stream: np.random.Generator) -> Statistic:
        excerpts = stream.integers(5, 40, recordings)
        alarms = stream.binomial(
            excerpts, stream.beta(truth * alike, (1 - truth) * alike, recordings)
        )
        return lambda weights: weights @ alarms / (weights @ excerpts)

    return drawn


def right_pairs(first: float) -> Callable[[int, np.random.Generator], Statistic]:
    """Right pairs of the strongest `first` of excerpts and the rest; half of the variance of
    responses and of contrasts is that of recordings."""

    def drawn(recordings: int, stream: np.random.Generator) -> Statistic:
        recording = np.repeat(np.arange(recordings), EXCERPTS)
        response, noise = (of_recordings(recording, stream) for _ in range(2))
        pairs = top_pairs(response, first)
        return Counts.of(response + noise, pairs, recording).resampled

    return drawn


def pair_difference(first: float, other: float) -> Callable[[int, np.random.Generator], Statistic]:
    """The difference of right pairs by two contrasts: the response with noise, and `other` times
    the response with other noise."""

    def drawn(recordings: int, stream: np.random.Generator) -> Statistic:
        recording = np.repeat(np.arange(recordings), EXCERPTS)
        response, noise, more = (of_recordings(recording, stream) for _ in range(3))
        pairs = top_pairs(response, first)
        contrasts = np.stack([response + noise, other * response + more])
        counts = Counts.of(contrasts, pairs, recording)
        return lambda weights: np.subtract(*counts.resampled(weights))

    return drawn


def of_recordings(recording: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Normal values (M,) of excerpts; half of their variance is that of recordings."""
    own = stream.normal(size=recording.max() + 1)[recording]
    return own + stream.normal(size=len(recording))


def top_pairs(response: np.ndarray, first: float) -> Pairs:
    """Each of the strongest `first` of excerpts with each of the rest."""
    strong, weak = np.split(np.argsort(-response), [round(first * len(response))])
    return Pairs(np.repeat(strong, len(weak)), np.tile(weak, len(strong)))


def few_recordings(draws: int) -> None:
    """Print how often intervals of few recordings contain the truth, a line for each kind."""
    kinds = {
        "mean": (a_mean, 0.5),
        "alarms, 10 %": (alarm_share(0.1, 2), 0.1),
        "alarms, 30 %": (alarm_share(0.3, 4), 0.3),
        "pairs, top 10 %": (right_pairs(0.1), None),
        "AUROC": (right_pairs(0.5), None),
        "difference, alike": (pair_difference(0.1, 1), 0.0),
        "difference, half": (pair_difference(0.1, 0.5), None),
        "difference, nothing": (pair_difference(0.1, 0), None),
    }
    print("\n| value | recordings | written | scaled percentiles | Student's t | expanded |")
    print("|---|---|---|---|---|---|")
    for name, (kind, known) in kinds.items():
        stream = np.random.default_rng(2)
        truth = known
        if truth is None:
            truth = np.mean([kind(200, stream)(np.ones((1, 200)))[0] for _ in range(8)])
        for recordings in (3, 5, 10, 30):
            found = []
            for seed in range(draws):
                statistic = kind(recordings, stream)
                value = statistic(np.ones((1, recordings)))[0]
                resampled = statistic(recording_weights(recordings, seed))
                ends = intervals(value, resampled[np.isfinite(resampled)], name, recordings)
                if ends is not None:
                    found.append((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
            shares = " | ".join(f"{100 * share:.0f} %" for share in np.mean(found, axis=0))
            print(f"| {name} | {recordings} | {shares} |", flush=True)


def intervals(value: float, resampled: np.ndarray, name: str, count: int) -> np.ndarray | None:
    """The ends (4, 2) of the interval written, and by the three other ways; None of no spread."""
    scaled = interval(np.array(value), resampled, count)
    kinds = {"mean": lambda *given: tuple(scaled), "difference": share_difference_interval}
    written = kinds.get(name.split(",")[0], share_interval)(value, resampled, count)
    if written is None:
        return None
    quantile, wider = stdtrit(count - 1, 0.975), np.sqrt(count / (count - 1))
    reach = quantile * wider * resampled.std()
    tail = ndtr(-wider * quantile)
    expanded = np.quantile(resampled, [tail, 1 - tail])
    return np.array([written, scaled, (value - reach, value + reach), expanded])


def of_examples(draws: int) -> None:
    """Print the tables of the Fréchet distance of sets of examples."""
    print("| responses | examples | distance | interval holds | different | by a point |")
    print("|---|---|---|---|---|---|")
    for kind in ("normal", "skewed", "some fail"):
        for examples in (12, 20, 50):
            for shift in (0, 1, 4):
                shares = [f"{100 * v:.1f} %" for v in coverage(kind, examples, shift, draws)]
                print(f"| {kind} | {examples} | {shift} | {' | '.join(shares)} |", flush=True)
    print("\n| examples | best there is | smallest chosen | least optimised | best is tied |")
    print("|---|---|---|---|---|")
    for examples in (12, 20, 50):
        *values, share = choices(examples, draws)
        cells = [*(f"{value:.2f}" for value in values), f"{100 * share:.0f} %"]
        print(f"| {examples} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--few", action="store_true", help="only values of few recordings")
    given = parser.parse_args()
    if not given.few:
        of_examples(given.draws)
    few_recordings(given.draws)


if __name__ == "__main__":
    main()
