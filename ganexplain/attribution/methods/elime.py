"""Evolved LIME: a genetic search for the subset of segments that the model is surest of.

After Wang, Pei, Xue and Zhang, "E-LIME" (arXiv 2211.15143), whose text gives the principle: one
bit a segment, fitness the class probability of the input that shows the chosen segments only,
how many are chosen not preset. The operators and their settings are ours, and so is the parsimony
that keeps segments out which hardly help.
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
RIDGE = 1.0  # of the linear model that orders segments
TRIALS = 20  # random draws tried for one subset not seen before


@dataclass(frozen=True)
class Evolved:
    """The best subset `kept` (n,) found and its fitness, beside that of the full input.

    `weights` (n,) are of a linear model of all subsets scored: an order, which `kept` is not.
    `best` (G,) is the best fitness after each generation, `evaluations` how many subsets were
    scored.
    """

    kept: np.ndarray
    fitness: float
    full_fitness: float
    weights: np.ndarray
    best: np.ndarray
    evaluations: int
    exhaustive: bool


class _Memory:
    """Every subset scored so far, each once."""

    def __init__(self, score: SubsetScore, count: int, parsimony: float) -> None:
        self.score, self.count, self.parsimony = score, count, parsimony
        self.known: dict[bytes, float] = {}

    def fitness(self, subsets: np.ndarray) -> np.ndarray:
        """Fitness (B,) of subsets (B, n)."""
        return self.scored(subsets) - self.parsimony * subsets.mean(axis=1)

    def scored(self, subsets: np.ndarray) -> np.ndarray:
        """Scores (B,) of subsets (B, n): those not known in one batch."""
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
) -> Evolved:
    """Search for the subset (n,) of the highest fitness: its score less parsimony * share kept.

    Of equals the one with fewer segments. The first generation is the full input and a balanced
    design, `founders` in all, of whom the best `population` go on; children come of
    tournaments of 3, uniform crossover (0.9) and flips (1/n a bit), the best 2 stay. Ends after
    `generations`, or `patience` of them without gain. Where 2^n is no more than this may score,
    all subsets are taken instead. The full input is always among the candidates, so the fitness
    is never below its own.
    """
    memory = _Memory(score, count, parsimony)
    exhaustive = 2.0**count <= founders + population * (generations - 1)
    if exhaustive:
        subsets = all_subsets(count)
        fitness = memory.fitness(subsets)
        best = [float(fitness.max())]
    else:
        subsets, fitness, best = _search(memory, founders, population, generations, patience, seed)
    chosen = _better_first(subsets, fitness)[0]
    evaluations = len(memory.known)
    full = float(memory.fitness(np.ones((1, count), dtype=bool))[0])
    weights = _weights(memory)
    return Evolved(
        subsets[chosen].copy(), float(fitness[chosen]), full, weights, np.array(best),
        evaluations, exhaustive,
    )  # fmt: skip


def _search(
    memory: _Memory, founders: int, population: int, generations: int, patience: int, seed: int
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    random = random_stream(seed, "evolution")
    subsets = balanced_subsets(memory.count, founders, random)
    fitness = memory.fitness(subsets)
    best = [float(fitness.max())]
    stale = 0
    for _ in range(generations - 1):
        order = _better_first(subsets, fitness)[:population]
        children = _children(memory, subsets[order], population - ELITE, random)
        subsets = np.concatenate([subsets[order[:ELITE]], children])
        fitness = memory.fitness(subsets)
        stale = 0 if fitness.max() > best[-1] else stale + 1
        best.append(float(fitness.max()))
        if stale >= patience:
            break
    return subsets, fitness, best


def balanced_subsets(count: int, wanted: int, random: np.random.Generator) -> np.ndarray:
    """The full input, then pairs of subsets (B, n) and their complements, at most `wanted`.

    Rows of a Hadamard matrix, its columns dealt out at random: every segment is kept in half of
    the subsets, and every two of them together in a quarter. So the effect of one is not mixed
    up with that of another (Plackett and Burman 1946), nor, by the complements, with what any
    two do together (Box and Hunter 1961): it is known better than from as many free draws.
    """
    pairs = (wanted - 1) // 2
    order = 1 << (max(count, pairs, 2) - 1).bit_length()
    matrix = hadamard(order)[random.permutation(order)[:pairs]]
    signs = matrix[:, random.permutation(order)[:count]] * random.choice([-1, 1], count)
    return np.concatenate([np.ones((1, count), dtype=bool), signs > 0, signs < 0])


def _better_first(subsets: np.ndarray, fitness: np.ndarray) -> np.ndarray:
    """Rows in the order of fitness; of equals those with fewer segments first."""
    return np.lexsort([subsets.sum(axis=1), -fitness])


def _children(
    memory: _Memory, ranked: np.ndarray, wanted: int, random: np.random.Generator
) -> np.ndarray:
    """Subsets (wanted, n) bred of `ranked` (P, n), best first; new ones as far as can be."""
    children = []
    seen = set()
    for _ in range(wanted):
        child = _child(ranked, random)
        for _ in range(TRIALS):
            if memory.is_new(child) and child.tobytes() not in seen:
                break
            child = child ^ (random.random(memory.count) < 1 / memory.count)
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


def _weights(memory: _Memory) -> np.ndarray:
    """Weights (n,) by a linear model of every subset scored."""
    subsets = np.array([np.frombuffer(key, dtype=bool) for key in memory.known])
    scores = np.array(list(memory.known.values()))
    return fit_linear(subsets, scores, np.ones(len(subsets)), RIDGE).weights


def random_search(
    score: SubsetScore, count: int, evaluations: int, parsimony: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, float]:
    """The control of a search: the best subset (n,) and fitness of as many random subsets.

    Draws of Bernoulli(1/2), the full input first.
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

    search: Evolved | None = None


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
        """The subset, and weights of a linear model of all subsets scored."""
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
        return SearchedAttribution.of_weights(
            question, found.weights, chosen=found.kept, details=details, search=found
        )

    def control(self, question: Question, found: Attribution, seed: int) -> Attribution:
        """Beside what a random search of the same number of passes finds."""
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
        """One a subset, and as many for the random search."""
        return 2 * min(self.founders + self.population * self.generations, 2**count)


METHOD = Elime
