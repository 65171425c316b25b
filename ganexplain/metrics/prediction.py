"""The prediction test: do examples of a unit tell which of two excerpts excites it more?

An explanation is worth what can be predicted with it (machine interpretability score, Zimmermann et
al. 2024). An encoder that had no part in the search turns excerpts into vectors. The `contrast` of
an excerpt is its mean similarity to examples that excite the unit, less that to examples that do
not. The score is the share of pairs of excerpts, one strong and one weak, in which the strong one
has the higher contrast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ganexplain.metrics.bootstrap import ROUNDING, resample_rows
from ganexplain.metrics.distances import gaussian, median_distance
from ganexplain.metrics.moments import Moments
from ganexplain.metrics.regression import fitted, residual
from ganexplain.metrics.sharing import ALL
from ganexplain.runs.machine import random_stream

FEW, SOME = 0.01, 0.1  # shares of excerpts that are compared with others
MOST_PAIRS = 20_000  # drawn at random where there are more
BLOCK = 10  # excerpts of nearly the same fit, of which the strongest and the weakest are a pair
ROWS = 4096  # excerpts that are computed with at once
MOST_FOR_WIDTH = 2000  # excerpts whose distances decide the width of the kernel


BEYOND = "beyond_"  # prefix of the pairs by what the outputs of the network leave unexplained
DIFFICULTIES: Mapping[str, str] = {  # {many}: the word for excerpts
    "extreme": "top 1 % against bottom 1 %",
    "top": "top 10 % against the rest",
    "random": "two random {many}",
    "matched": "two with the same response as fitted by the outputs",
    "beyond_extreme": "beyond the outputs: top 1 %",
    "beyond_top": "beyond the outputs: top 10 %",
    "beyond_random": "beyond the outputs: random",
}


@dataclass(frozen=True)
class Kernel:
    """A Gaussian kernel around M encoded excerpts (M, D), as wide as their median distance.

    The unit of each dimension is its deviation over the excerpts: `scale` (D,) is its inverse, 0
    for those that never change. The excerpts may be in a file: a block of them is read at a time.
    """

    excerpts: np.ndarray
    width: float
    scale: np.ndarray

    @classmethod
    def around(cls, excerpts: np.ndarray) -> Kernel:
        """The kernel of excerpts; of many, equally spaced ones decide the width."""
        deviation = Moments.of(_blocks(excerpts)).deviations()
        largest = np.max([np.abs(block).max(axis=0) for block in _blocks(excerpts)], axis=0)
        changes = deviation > ROUNDING * largest
        scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=changes)
        some = np.asarray(excerpts[:: -(-len(excerpts) // MOST_FOR_WIDTH)], np.float64) * scale
        return cls(excerpts, median_distance(some) if len(some) > 1 else 0.0, scale)

    def only(self, rows: np.ndarray) -> Kernel:
        """The same kernel with some of its excerpts."""
        return replace(self, excerpts=self.excerpts[rows])

    def similarities(self, examples: np.ndarray) -> np.ndarray:
        """Similarities (M, N), 0 to 1, of the excerpts to N encoded examples (N, D)."""
        scaled = np.asarray(examples, dtype=np.float64) * self.scale
        return np.concatenate([self._similar(block, scaled) for block in _blocks(self.excerpts)])

    def contrast(self, strong: np.ndarray, weak: np.ndarray) -> np.ndarray:
        """Mean similarity (M,) to strong examples (N, D) minus that to weak ones (N', D)."""
        ours, theirs = (np.asarray(each, np.float64) * self.scale for each in (strong, weak))
        return np.concatenate(
            [
                self._similar(block, ours).mean(axis=1) - self._similar(block, theirs).mean(axis=1)
                for block in _blocks(self.excerpts)
            ]
        )

    def _similar(self, block: np.ndarray, scaled: np.ndarray) -> np.ndarray:
        """Similarities (m, N) of some excerpts (m, D) to examples in units of deviations."""
        if not self.width:  # the excerpts are all the same: they cannot be told apart
            return np.ones((len(block), len(scaled)))
        return gaussian(block * self.scale, scaled, self.width)


def _blocks(excerpts: np.ndarray) -> list[np.ndarray]:
    """Views of blocks of rows (m, D) of excerpts, float64 where they are computed with."""
    return [excerpts[first : first + ROWS] for first in range(0, max(len(excerpts), 1), ROWS)]


@dataclass(frozen=True)
class Pairs:
    """Rows (P,) of excerpts: `strong` excite the unit more than the `weak` of the same place."""

    strong: np.ndarray
    weak: np.ndarray

    @classmethod
    def between(cls, strong: np.ndarray, weak: np.ndarray, stream: np.random.Generator) -> Pairs:
        """Each of some rows (A,) with each of others (B,); of many such pairs some at random."""
        count = len(strong) * len(weak)
        chosen = (
            np.arange(count) if count <= MOST_PAIRS else stream.integers(count, size=MOST_PAIRS)
        )
        return cls(strong[chosen // len(weak)], weak[chosen % len(weak)])

    def errors(self, contrast: np.ndarray) -> np.ndarray:
        """The share (...) of pairs that contrasts (..., M) order wrongly; a tie is half wrong.

        Without pairs it is a half, as nothing can be told.
        """
        apart = contrast[..., self.weak] - contrast[..., self.strong]
        if not len(self.strong):
            return np.full(contrast.shape[:-1], 0.5)
        return np.asarray((np.sign(apart) + 1).mean(axis=-1) / 2)

    def ordered(self, response: np.ndarray) -> Pairs:
        """The pairs, turned where the response (M,) is the other way; equal ones are left out."""
        apart = response[self.strong] - response[self.weak]
        strong = np.where(apart > 0, self.strong, self.weak)
        weak = np.where(apart > 0, self.weak, self.strong)
        return Pairs(strong[apart != 0], weak[apart != 0])


def choose_pairs(response: np.ndarray, outputs: np.ndarray, seed: int) -> dict[str, Pairs]:
    """The pairs of each of `DIFFICULTIES`, of excerpts with responses (M,) and outputs (M, K)."""
    left = residual(response, outputs)
    if left.var() <= (1 - ALL) * np.var(response, dtype=np.float64):
        left = np.zeros_like(left)
    found = {"matched": _matched(left, fitted(response, outputs))}
    stream = random_stream(seed, "pairs of excerpts")
    for prefix, values in (("", np.asarray(response, dtype=np.float64)), (BEYOND, left)):
        order, count = np.argsort(values, kind="stable"), len(values)
        few, some = (max(round(share * count), 1) for share in (FEW, SOME))
        between = {
            "extreme": (order[-few:], order[:few]),
            "top": (order[-some:], order[:-some]),
            "random": (order, order),
        }
        for name, sets in between.items():
            found[prefix + name] = Pairs.between(*sets, stream).ordered(values)
    return {name: found[name] for name in DIFFICULTIES}


def _matched(left: np.ndarray, explained: np.ndarray) -> Pairs:
    """Of each block of excerpts of nearly the same fit, the strongest and the weakest.

    `explained` (M,) is the response as fitted by the outputs; several outputs may differ where it
    is the same. The pairs are ordered by what is left (M,) of the response.
    """
    order = np.argsort(explained, kind="stable")
    blocks = order[: len(order) // BLOCK * BLOCK].reshape(-1, BLOCK)
    inside, rows = left[blocks], np.arange(len(blocks))
    pairs = Pairs(blocks[rows, inside.argmax(axis=1)], blocks[rows, inside.argmin(axis=1)])
    return pairs.ordered(left)


@dataclass(frozen=True)
class Counts:
    """Pairs between recordings: `right` (..., K) of `all` (K,), in K pairs of recordings.

    `strong` and `weak` (K,) are the numbers of the recordings. Pictures are as many recordings, so
    K is only of those that have pairs.
    """

    strong: np.ndarray
    weak: np.ndarray
    right: np.ndarray
    all: np.ndarray

    @classmethod
    def of(cls, contrast: np.ndarray, pairs: Pairs, recording: np.ndarray) -> Counts:
        """Count pairs that contrasts (..., M) order rightly; a tie is half right.

        `recording` (M,) is the number of the recording of each excerpt.
        """
        groups = int(recording.max()) + 1
        cells, cell = np.unique(
            recording[pairs.strong] * groups + recording[pairs.weak], return_inverse=True
        )
        rows = contrast.reshape(-1, contrast.shape[-1])
        right = (np.sign(rows[:, pairs.strong] - rows[:, pairs.weak]) + 1) / 2
        counted = np.array([np.bincount(cell, each, len(cells)) for each in right])
        shape = (*contrast.shape[:-1], len(cells))
        everything = np.bincount(cell, minlength=len(cells)).astype(np.float64)
        return cls(cells // groups, cells % groups, counted.reshape(shape), everything)

    @property
    def recordings(self) -> int:
        """The number of recordings with strong excerpts or that with weak ones, the smaller."""
        return min(len(np.unique(each)) for each in (self.strong, self.weak))

    @property
    def share(self) -> np.ndarray:
        """The share (...) of pairs in the right order; NaN without pairs."""
        return self._shares(np.ones((1, len(self.all))))[..., 0]

    def resampled(self, weights: np.ndarray) -> np.ndarray:
        """The shares (..., B) where recordings occur as often as weights (B, G) say."""
        return self._shares(weights[:, self.strong] * weights[:, self.weak])

    def _shares(self, often: np.ndarray) -> np.ndarray:
        """The shares (..., B) where pairs of recordings occur so `often` (B, K)."""
        number, right = often @ self.all, self.right @ often.T
        return np.divide(right, number, out=np.full_like(right, np.nan), where=number > 0)


@dataclass(frozen=True)
class HeldOut:
    """M held-out excerpts: responses (M,) of a unit, outputs (M, K) and recordings (M,)."""

    response: np.ndarray
    outputs: np.ndarray
    recording: np.ndarray

    def counts(self, contrast: np.ndarray, seed: int) -> dict[str, Counts]:
        """Count the pairs of each of `DIFFICULTIES` that contrasts (S, M) of S sets order rightly.

        Pairs beyond the outputs are ordered by what the outputs leave of a contrast, too.
        """
        beyond = residual(contrast.T, self.outputs).T
        pairs = choose_pairs(self.response, self.outputs, seed)
        return {
            name: Counts.of(beyond if name.startswith(BEYOND) else contrast, each, self.recording)
            for name, each in pairs.items()
        }

    def shuffled(self, seed: int) -> HeldOut:
        """The same excerpts with the responses of others, as a control."""
        stream = random_stream(seed, "shuffled responses")
        return replace(self, response=stream.permutation(self.response))


@dataclass(frozen=True)
class Probe:
    """Held-out excerpts by which a selection tests examples of one direction.

    The pairs are of the tenth that excites the unit most that way, and the rest, numbered among
    the excerpts of the `kernel`, which are those of pairs alone; `baseline` (M,) is the similarity
    of these to samples of the GAN, which stand for the other direction; `count` is that of all.
    """

    kernel: Kernel
    pairs: Pairs
    baseline: np.ndarray
    count: int

    @classmethod
    def of(
        cls, encoded: np.ndarray, held_out: HeldOut, direction: str, samples: np.ndarray, seed: int
    ) -> Probe:
        """The probe of excerpts encoded as (M, D), for `max` or `min`, and encoded samples."""
        sign = 1 if direction == "max" else -1
        pairs = choose_pairs(sign * held_out.response, held_out.outputs, seed)["top"]
        both = np.concatenate([pairs.strong, pairs.weak])
        rows, numbers = np.unique(both, return_inverse=True)
        kernel = Kernel.around(encoded).only(rows)
        own = Pairs(*np.split(numbers.reshape(-1), 2))
        return cls(kernel, own, kernel.similarities(samples).mean(axis=1), len(encoded))

    def errors(self, examples: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Shares of wrong pairs (B,) of B sets with example i (N, D) `counts` (B, N) times."""
        share = counts / counts.sum(axis=1, keepdims=True)
        near = self.kernel.similarities(examples)
        return np.array([self.pairs.errors(near @ each - self.baseline) for each in share])


def recording_weights(recordings: int, seed: int) -> np.ndarray:
    """How often each of G recordings occurs (B, G) in B bootstrap samples of recordings."""
    rows = resample_rows(recordings, seed, "recordings", varied=False)
    return np.stack([np.bincount(row, minlength=recordings) for row in rows]).astype(np.float64)
