"""E-LIME of about 100 passes against LIME of 1,000, at equal size of explanation.

OMP_NUM_THREADS=1 python tests/benchmarks/local_size.py music|pictures [--segments sound:6x4]

`music`: excerpts of the validation split of --corpus, explained to --classifier. `pictures`: digits
of scikit-learn in 16 segments, a small network trained here. E-LIME with the defaults of
`attribute` keeps k segments; of LIME the k with the largest weights are kept. Agreement over seeds:
E-LIME's rank correlation over --seeds runs, LIME's by its own estimate. Occlusion is beside
them, with its k largest weights. E-LIME is not inferior
where the one-sided bound (95 %) of the mean paired gain, by the bootstrap, is above -0.01.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.local import trained

from ganexplain.attribution.fills import Reference, fill
from ganexplain.attribution.masking import MaskedInput, SubsetScore, subset_score
from ganexplain.attribution.measures import curves
from ganexplain.attribution.methods.elime import evolve
from ganexplain.attribution.methods.lime import lime, mean_correlation
from ganexplain.attribution.methods.occlusion import occlusion
from ganexplain.attribution.partition import parse_labels
from ganexplain.attribution.scorer import Model, Scorer
from ganexplain.config import AttributeConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import input_spec_for, load_split, open_corpus
from ganexplain.networks.fast.optimize import optimize_frozen
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import example_inputs, load_target
from ganexplain.runs.progress import NullProgress

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"
MARGIN = 0.01  # stated before the first run
LIME_PASSES = 1000
RESAMPLES = 10_000
USUAL = AttributeConfig(inputs=())


@dataclass(frozen=True)
class Case:
    """The score of subsets of n segments of an input, and the sizes (n,) of these."""

    score: SubsetScore
    sizes: np.ndarray

    @classmethod
    def of(cls, x: torch.Tensor, text: str, reference: Reference, scorer: Scorer) -> Case:
        kind, _, rest = text.partition(":")
        labels = parse_labels(text, kind, rest, x.numpy())
        parts = MaskedInput(x, labels, fill("mean", x, labels, reference))
        return cls(subset_score(parts, scorer), parts.sizes)


def music(arguments: argparse.Namespace) -> Iterator[Case]:
    """Excerpts of held-out recordings, and the class that the detector decides for."""
    cpu = torch.device("cpu")
    target = load_target(NetworkSource(classifier=str(arguments.classifier)), None, cpu)
    corpus = open_corpus(tuple(map(str, arguments.corpus)))
    spec = input_spec_for(corpus, target.front_end)
    train, valid = (
        load_split(corpus, name, spec, cache_directory(""), NullProgress())
        for name in ("train", "valid")
    )
    mean, deviation = map(torch.from_numpy, train.band_statistics())
    fast: Model = optimize_frozen(target.network, example_inputs(target.front_end))
    centres = valid.whole_excerpts()
    rows = np.random.default_rng(0).permutation(len(centres))[: arguments.inputs]
    for x in torch.from_numpy(valid.gather(centres[rows])):
        with torch.no_grad():
            scorer = Scorer(target.network, int(fast(x[None])[0, 0] > 0), fast=fast)
        yield Case.of(x, arguments.segments, Reference(mean[:, None], deviation[:, None]), scorer)


def pictures(arguments: argparse.Namespace) -> Iterator[Case]:
    """Digits that had no part in the training."""
    digits = load_digits()
    data = torch.as_tensor(digits.images[:, None] / 16, dtype=torch.float32)
    label = torch.as_tensor(digits.target)
    order = torch.as_tensor(np.random.default_rng(0).permutation(len(data)))
    network = trained(False, data[order[:1400]], label[order[:1400]])
    for index in order[1400 : 1400 + arguments.inputs]:
        with torch.no_grad():
            said = int(network(data[index][None])[0].argmax())
        yield Case.of(data[index], "4x4", Reference(), Scorer(network, said))


def figures(case: Case, seeds: int) -> np.ndarray:
    """P of kept, deletion, insertion, agreement, passes, share kept of each way: (3, 6)."""
    count = len(case.sizes)
    settings = (
        USUAL.founders, USUAL.population, USUAL.generations, USUAL.patience, USUAL.parsimony
    )  # fmt: skip
    runs = [evolve(case.score, count, *settings, seed) for seed in range(seeds)]
    line = lime(case.score, count, LIME_PASSES)
    again = mean_correlation(np.array([run.weights for run in runs]))
    ways = (
        (runs[0].weights, again, runs[0].evaluations),
        (line.weights, line.agreement, line.samples),
        (occlusion(case.score, count), 1.0, count + 1),
    )
    rows = []
    for number, (weights, agreement, passes) in enumerate(ways):
        top = np.zeros(count, dtype=bool)
        top[np.argsort(-weights, kind="stable")[: runs[0].kept.sum()]] = True
        kept = top if number else runs[0].kept
        course = curves(case.score, weights, case.sizes)
        alone = float(case.score(kept[None])[0])
        areas = course.deletion_area, course.insertion_area
        rows.append([alone, *areas, agreement, passes, kept.mean()])
    return np.array(rows)


def verdict(gain: np.ndarray) -> str:
    """Mean paired gain (N,), its one-sided lower bound, and what follows."""
    random = np.random.default_rng(0)
    means = gain[random.integers(0, len(gain), (RESAMPLES, len(gain)))].mean(axis=1)
    bound = float(np.quantile(means, 0.05))
    return f"{gain.mean():+.3f}, at least {bound:+.3f} | {'yes' if bound > -MARGIN else 'no'}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("music", "pictures"))
    parser.add_argument("--corpus", type=Path, nargs="+", default=[SAMPLE])
    parser.add_argument("--classifier", type=Path, default=SAMPLE / "pretrained" / "classifier.pt")
    parser.add_argument("--segments", default="6x4")
    parser.add_argument("--inputs", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    cases = {"music": music, "pictures": pictures}[arguments.what](arguments)
    rows = np.array([figures(case, arguments.seeds) for case in cases])
    print(f"{len(rows)} inputs, {100 * rows[:, 0, 5].mean():.0f} % of the segments kept\n")
    print("| | E-LIME | LIME | occlusion | gain on LIME, and bound | not inferior |")
    print("|---|---|---|---|---|---|")
    signs = {"P of kept": 1, "deletion": -1, "insertion": 1, "agreement of seeds": 1}
    for number, (name, sign) in enumerate(signs.items()):
        gain = sign * (rows[:, 0, number] - rows[:, 1, number])
        means = " | ".join(f"{mean:.3f}" for mean in rows[:, :, number].mean(axis=0))
        print(f"| {name} | {means} | {verdict(gain)} |")
    print("| passes | " + " | ".join(f"{n:.0f}" for n in rows[:, :, 4].mean(axis=0)) + " | | |")


if __name__ == "__main__":
    main()
