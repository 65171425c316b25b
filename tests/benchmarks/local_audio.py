"""Local explanations of the shipped detector where the truth is known; run by local.py.

`fills`: spans of singing planted in instrumental excerpts: which fill finds them. `stability`: how
many spans five runs of LIME name, and how near its weights come to leaving one out, as samples
grow. `veracity`: a known change that turns the class, undone in the segments an explanation names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from support.planted import Planted, classifier, planted_excerpts

from ganexplain.attribution.fills import fill
from ganexplain.attribution.masking import MaskedInput, SubsetScore, subset_score
from ganexplain.attribution.methods.base import Question
from ganexplain.attribution.methods.lime import (
    all_subsets,
    distinct_top,
    fit_linear,
    lime,
    proximity,
    random_subsets,
)
from ganexplain.attribution.methods.lime_forest import lime_forest
from ganexplain.attribution.methods.occlusion import occlusion
from ganexplain.attribution.methods.registry import attribute, method_for
from ganexplain.attribution.scorer import Scorer
from ganexplain.attribution.segments import grid, segment_means
from ganexplain.config import AttributeConfig

FILLS = ("mean", "training-mean", "noise", "min", "silence", "segment-mean", "blur")
LIME_SAMPLES = 300
WEIGHERS: dict[str, tuple[Callable[[SubsetScore], np.ndarray], int]] = {
    "occlusion": (lambda score: occlusion(score, 10), 60),
    f"LIME, {LIME_SAMPLES}": (lambda score: lime(score, 10, LIME_SAMPLES).weights, 20),
    f"LIME, forest, {LIME_SAMPLES}": (
        lambda score: lime_forest(score, 10, LIME_SAMPLES).weights, 20,
    ),
}  # fmt: skip


class Detector:
    """The shipped detector and the excerpts it is asked about."""

    def __init__(self, corpus: Path, excerpts: int) -> None:
        self.shipped, self.fast, self.reference = classifier()
        self.network = self.shipped.network
        self.excerpts: list[Planted] = list(planted_excerpts(self.shipped, excerpts, corpus))

    def parts(self, x: torch.Tensor, labels: np.ndarray, name: str) -> MaskedInput:
        return MaskedInput(x, labels, fill(name, x, labels, self.reference))

    def score(self, mel: np.ndarray, labels: np.ndarray, name: str) -> SubsetScore:
        parts = self.parts(torch.as_tensor(mel), labels, name)
        return subset_score(parts, Scorer(self.network, 1, fast=self.fast))


def fills(corpus: Path, names: Sequence[str]) -> None:
    detector = Detector(corpus, 60)
    print(f"| fill | way | excerpts of {corpus.name} | 3 of 3 found | 2 | 1 | 0 | mean |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        for way, (weigh, most) in WEIGHERS.items():
            some = detector.excerpts[:most]
            scores = [detector.score(each.mel, each.labels, name) for each in some]
            orders = [np.argsort(-weigh(score), kind="stable") for score in scores]
            hits = [int(p.voiced[order[:3]].sum()) for p, order in zip(some, orders, strict=True)]
            counts = " | ".join(map(str, np.bincount(hits, minlength=4)[::-1]))
            print(f"| {name} | {way} | {len(some)} | {counts} | {np.mean(hits):.2f} |", flush=True)


# --- stability ------------------------------------------------------------------------------

SAMPLES = (1000, 5000, 10000, 30000, 70000)
RUNS = 5


def stability(corpus: Path) -> None:
    """The first experiment of Mishra et al. (2020), on ten spans; every subset is scored once."""
    detector = Detector(corpus, 25)
    tables, exact = [], []
    for each in detector.excerpts:
        score = detector.score(each.mel, each.labels, "mean")
        tables.append(score(all_subsets(10)))
        exact.append(occlusion(score, 10))
    print("| distance | samples | spans named by five runs (3: stable) | correlation with leaving "
          "one out | effective samples |")  # fmt: skip
    print("|---|---|---|---|---|")
    for distance in ("l2", "cosine"):
        for samples in SAMPLES:
            named, near, effective = [], [], []
            for table, truth in zip(tables, exact, strict=True):
                fits = np.array([_fit(table, distance, samples, seed) for seed in range(RUNS)])
                named.append(distinct_top(fits))
                near += [np.corrcoef(fit, truth)[0, 1] for fit in fits]
            weights = proximity(random_subsets(10, samples, 0), distance, 0.25)
            effective = weights.sum() ** 2 / np.square(weights).sum()
            print(f"| {distance} | {samples} | {np.mean(named):.2f} | {np.mean(near):.4f} "
                  f"(least {np.min(near):.4f}) | {effective:.0f} |", flush=True)  # fmt: skip


def _fit(table: np.ndarray, distance: str, samples: int, seed: int) -> np.ndarray:
    kept = random_subsets(10, samples, seed)
    rows = 1023 - kept @ (1 << np.arange(10))  # `all_subsets` begins with the full one
    return fit_linear(kept, table[rows], proximity(kept, distance, 0.25), 1.0).weights


# --- a known change -------------------------------------------------------------------------

WAYS = ("occlusion", "lime", "lime-forest", "elime", "grad-cam")
CHANGED, VERACITY_SAMPLES, TRIPLES = 20, 1000, 100
NAMED, STEP, LEAST_LOGIT = 3, 0.5, -1.0


def veracity(corpus: Path) -> None:
    """A change that turns the class, undone in three of twenty segments (Veracity, ISMIR 2021)."""
    detector = Detector(corpus, CHANGED)
    labels = grid(80, 115, 4, 5)
    settings = AttributeConfig(inputs=(), samples=VERACITY_SAMPLES)
    methods = {way: method_for(way, settings) for way in WAYS}
    turned: dict[str, list[float]] = {}
    for number, (x, changed) in enumerate(_changes(detector)):
        parts = detector.parts(changed, labels, "mean")
        scorer = Scorer(detector.network, 0, fast=detector.fast)
        question = Question(changed, parts.fill, labels, parts, scorer, detector.network)
        back = MaskedInput(x, labels, changed)  # a segment kept is one where x is put back
        sung = subset_score(back, Scorer(detector.network, 1, fast=detector.fast))
        ways = {way: attribute(question, methods[way], number).weights for way in WAYS}
        ways["largest change"] = segment_means(labels, ((changed - x) ** 2).numpy())
        for way, weights in ways.items():
            undone = np.zeros((1, 20), dtype=bool)
            undone[0, np.argsort(-weights, kind="stable")[:NAMED]] = True
            turned.setdefault(way, []).append(float(sung(undone)[0] > 0.5))
        every = sung(_triples(20, number))
        turned.setdefault(f"random, {TRIPLES} draws", []).append(float(np.mean(every > 0.5)))
    print("| explanation of the changed excerpt | excerpts | class turns back |")
    print("|---|---|---|")
    for way, values in turned.items():
        print(f"| {way} | {len(values)} | {100 * np.mean(values):.0f} % |", flush=True)


def _triples(count: int, seed: int) -> np.ndarray:
    """Random subsets (M, n) of three."""
    order = np.random.default_rng(seed).random((TRIPLES, count)).argsort(axis=1)
    return order < NAMED


def _changes(detector: Detector) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Excerpts (F, T) heard as sung, and the same changed until they are not."""
    for each in detector.excerpts:
        x = torch.as_tensor(each.mel)
        changed = adversarial(detector.network, x)
        if changed is not None:
            yield x, changed


def adversarial(network: torch.nn.Module, x: torch.Tensor) -> torch.Tensor | None:
    """x changed by small steps up the gradient until the voice is no longer heard, or None."""
    changed = x.clone()
    for _ in range(100):
        leaf = changed.clone().requires_grad_(True)
        logit = network(leaf[None])[0, 0]
        if logit < LEAST_LOGIT:
            return changed
        (gradient,) = torch.autograd.grad(logit, leaf)
        changed = changed - STEP * gradient / gradient.norm()
    return None


PARTS: dict[str, Callable[[Path], None]] = {"stability": stability, "veracity": veracity}
