"""Evolved LIME: a genetic search for the subset of segments with the highest score.

After Wang, Pei, Xue and Zhang, "E-LIME" (arXiv 2211.15143). The paper describes the principle: one
bit for each segment; the fitness is the class probability of the input with only the chosen
segments; their number is not preset. The operators, their settings and the parsimony, which removes
segments that change little, are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import hadamard

from ganexplain.attribution.masking import SubsetScore
from ganexplain.attribution.methods.base import Attribution, Method, Question
from ganexplain.attribution.methods.lime import all_subsets, fit_linear
from ganexplain.runs.machine import random_stream

CROSSOVER = 0.9
TOURNAMENT = 3
ELITE = 2
RIDGE = 1.0  # of the linear model whose weights order the segments
TRIALS = 20  # most mutations to find a new subset


@dataclass(frozen=True)
class SearchResult:
    """The best subset `kept` (n,) and its fitness, with the fitness of the full input.

    `weights` (n,) are those of a linear model of all scored subsets; they order the segments.
    `best` (G,) is the best fitness after each generation, `evaluations` the number of scored
    subsets.
    """

    kept: np.ndarray
    fitness: float
    full_fitness: float
    weights: np.ndarray
    best: np.ndarray
    evaluations: int
    exhaustive: bool


class _ScoreCache:
    """The scores of all subsets so far; each subset is scored once."""

    def __init__(self, score: SubsetScore, count: int, parsimony: float) -> None:
        self.score, self.count, self.parsimony = score, count, parsimony
        self.known: dict[bytes, float] = {}

    def fitness(self, subsets: np.ndarray) -> np.ndarray:
        """Return the fitness (B,) of subsets (B, n)."""
        return self.scored(subsets) - self.parsimony * subsets.mean(axis=1)

    def scored(self, subsets: np.ndarray) -> np.ndarray:
        """Return scores (B,) of subsets (B, n); new subsets are scored together."""
        new: dict[bytes, np.ndarray] = {}
        for subset in subsets:
            if subset.tobytes() not in self.known:
                new.setdefault(subset.tobytes(), subset)
        if new:
            scores = self.score(np.array(list(new.values())))
            self.known |= dict(zip(new, scores.tolist(), strict=True))
        return np.array([self.known[subset.tobytes()] for subset in subsets])

    def is_new(self, subset: np.ndarray) -> bool:
        return subset.tobytes() not in self.known


def evolve(
    score: SubsetScore,
    count: int,
    founders: int = 65,
    population: int = 10,
    generations: int = 5,
    patience: int = 10,
    parsimony: float = 0.0,
    seed: int = 0,
) -> SearchResult:
    """Search for the subset (n,) with the highest fitness: its score - parsimony * share kept.

    Of equal subsets the one with fewer segments is better. The first generation has the full input
    and a balanced design, `founders` in all; the best `population` of them continue. Children are
    bred by tournaments of 3, uniform crossover (0.9) and flips (1/n for each bit); the best 2 stay.
    The search ends after `generations`, or after `patience` generations without improvement. If the
    2^n subsets are not more than the search may score, all are scored instead. The full input is
    always a candidate, so the fitness is never below its own.
    """
    cache = _ScoreCache(score, count, parsimony)
    exhaustive = 2.0**count <= founders + population * (generations - 1)
    if exhaustive:
        subsets = all_subsets(count)
        fitness = cache.fitness(subsets)
        best = [float(fitness.max())]
    else:
        subsets, fitness, best = _search(cache, founders, population, generations, patience, seed)
    chosen = _better_first(subsets, fitness)[0]
    evaluations = len(cache.known)
    full = float(cache.fitness(np.ones((1, count), dtype=bool))[0])
    weights = _weights(cache)
    return SearchResult(
        subsets[chosen].copy(), float(fitness[chosen]), full, weights, np.array(best),
        evaluations, exhaustive,
    )  # fmt: skip


def _search(
    cache: _ScoreCache, founders: int, population: int, generations: int, patience: int, seed: int
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    random = random_stream(seed, "evolution")
    subsets = balanced_subsets(cache.count, founders, random)
    fitness = cache.fitness(subsets)
    best = [float(fitness.max())]
    stale = 0
    for _ in range(generations - 1):
        order = _better_first(subsets, fitness)[:population]
        children = _children(cache, subsets[order], population - ELITE, random)
        subsets = np.concatenate([subsets[order[:ELITE]], children])
        fitness = cache.fitness(subsets)
        stale = 0 if fitness.max() > best[-1] else stale + 1
        best.append(float(fitness.max()))
        if stale >= patience:
            break
    return subsets, fitness, best


def balanced_subsets(count: int, wanted: int, random: np.random.Generator) -> np.ndarray:
    """Return the full input, then subsets (B, n) and their complements, at most `wanted` in all.

    They are rows of a Hadamard matrix with random columns: every segment is in half of the subsets,
    every pair of segments in a quarter. So the effects of segments are not confounded with each
    other (Plackett and Burman 1946), nor, because of the complements, with interactions of two (Box
    and Hunter 1961), and are estimated better than from as many random subsets.
    """
    pairs = (wanted - 1) // 2
    order = 1 << (max(count, pairs, 2) - 1).bit_length()
    matrix = hadamard(order)[random.permutation(order)[:pairs]]
    signs = matrix[:, random.permutation(order)[:count]] * random.choice([-1, 1], count)
    return np.concatenate([np.ones((1, count), dtype=bool), signs > 0, signs < 0])


def _better_first(subsets: np.ndarray, fitness: np.ndarray) -> np.ndarray:
    """Return rows in the order of fitness; of equal ones those with fewer segments first."""
    return np.lexsort([subsets.sum(axis=1), -fitness])


def _children(
    cache: _ScoreCache, ranked: np.ndarray, wanted: int, random: np.random.Generator
) -> np.ndarray:
    """Breed subsets (wanted, n) from `ranked` (P, n), best first; they are new if possible."""
    children = []
    seen = set()
    for _ in range(wanted):
        child = _child(ranked, random)
        for _ in range(TRIALS):
            if cache.is_new(child) and child.tobytes() not in seen:
                break
            child = child ^ (random.random(cache.count) < 1 / cache.count)
        seen.add(child.tobytes())
        children.append(child)
    return np.array(children)


def _child(ranked: np.ndarray, random: np.random.Generator) -> np.ndarray:
    size, count = ranked.shape
    mother, father = (ranked[random.integers(0, size, TOURNAMENT).min()] for _ in range(2))
    child = mother
    if random.random() < CROSSOVER:
        child = np.where(random.integers(0, 2, count).astype(bool), mother, father)
    return child ^ (random.random(count) < 1 / count)


def _weights(cache: _ScoreCache) -> np.ndarray:
    """Return the weights (n,) of a linear model of all scored subsets."""
    subsets = np.array([np.frombuffer(key, dtype=bool) for key in cache.known])
    scores = np.array(list(cache.known.values()))
    return fit_linear(subsets, scores, np.ones(len(subsets)), RIDGE).weights


def random_search(
    score: SubsetScore, count: int, evaluations: int, parsimony: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, float]:
    """Return the best subset (n,) and fitness of as many random subsets, as a control.

    Segments are kept with probability 1/2; the first subset is the full input.
    """
    random = random_stream(seed, "control")
    subsets = random.integers(0, 2, (evaluations, count)).astype(bool)
    subsets[0] = True
    fitness = score(subsets) - parsimony * subsets.mean(axis=1)
    best = _better_first(subsets, fitness)[0]
    return subsets[best], float(fitness[best])


@dataclass(frozen=True)
class SearchedAttribution(Attribution):
    """An attribution and the search that it comes from."""

    search: SearchResult | None = None


@dataclass(frozen=True)
class Elime(Method):
    """The subset of segments of the highest score, by a genetic search."""

    founders: int
    population: int
    generations: int
    patience: int
    parsimony: float

    random = True

    def ask(self, question: Question, seed: int) -> Attribution:
        """Return the best subset, with the weights of a linear model of all scored subsets."""
        found = evolve(
            question.score, question.parts.count, self.founders, self.population,
            self.generations, self.patience, self.parsimony, seed,
        )  # fmt: skip
        details = {
            "fitness": found.fitness,
            "full_fitness": found.full_fitness,
            "best": found.best.tolist(),
            "evaluations": found.evaluations,
            "exhaustive": found.exhaustive,
        }
        return SearchedAttribution.from_weights(
            question, found.weights, chosen=found.kept, details=details, search=found
        )

    def control(self, question: Question, found: Attribution, seed: int) -> Attribution:
        """Add the result of a random search with the same number of passes."""
        search = found.search if isinstance(found, SearchedAttribution) else None
        if search is None or search.exhaustive:
            return found
        subset, fitness = random_search(
            question.score, question.parts.count, search.evaluations, self.parsimony, seed
        )
        details = {**found.details, "control": fitness, "control_kept": int(subset.sum())}
        warnings = ("as many random subsets held one as good: the search has added nothing",)
        none_better = fitness >= search.fitness
        return replace(found, details=details, warnings=warnings if none_better else ())

    def passes(self, count: int) -> int:
        """Return one pass for each subset, and as many for the random search."""
        return 2 * min(self.founders + self.population * self.generations, 2**count)


METHOD = Elime
