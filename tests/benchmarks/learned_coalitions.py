"""What the generator trained by coalitions is worth: held-out errors, faithfulness, controls.

python tests/benchmarks/learned.py coalitions EXPLAINER CLASSIFIER CORPUS... [--unseen FILE]

EXPLAINER is an explainer.pt of `train-explainer --teacher shapley`. All is measured on excerpts of
the validation splits. Exact maps are of 4 x 6 segments in log-odds: occlusion, and Shapley values
of many coalitions; errors are mean absolute ones of maps scaled to their largest magnitude, with
zero at 0.5, as of `--teacher occlusion`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from benchmarks.learned_rivals import boosted_trees, features, kernel_shap, mean_map, ridge
from scipy.stats import wilcoxon
from torch import Tensor

from ganexplain.attribution.fills import Reference, fill
from ganexplain.attribution.masking import MaskedInput, subset_score
from ganexplain.attribution.measures import curves
from ganexplain.attribution.methods.grad_cam import enlarged, grad_cam
from ganexplain.attribution.scorer import Scorer
from ganexplain.attribution.segments import grid
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import input_spec_for, load_split, open_corpus
from ganexplain.explainers.cgan.coalition_training import Lesson, Teacher
from ganexplain.explainers.cgan.coalitions import Squares
from ganexplain.explainers.cgan.evaluation import map_correlations
from ganexplain.explainers.cgan.maps import to_signed_range
from ganexplain.explainers.cgan.signal_inference import SignalAnswer
from ganexplain.explainers.cgan.unet import SignalGenerator
from ganexplain.explainers.loading import load_explainer
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import load_target
from ganexplain.networks.weight_shuffling import weights_shuffled
from ganexplain.runs.progress import NullProgress

CPU = torch.device("cpu")
ROWS, COLUMNS = 4, 6  # the segments of `attribute`
CHUNK = 8  # excerpts at a time
FEW = 2  # coalitions of a lesson whose responses are not needed
SHUFFLED = 12  # excerpts that networks of shuffled weights are asked about


@dataclass(frozen=True)
class Material:
    """Held-out excerpts (N, F, T), the scale of inputs, and the generator."""

    x: Tensor
    reference: Reference
    generator: SignalGenerator
    squares: Squares

    @classmethod
    def read(cls, arguments: argparse.Namespace) -> Material:
        answer = load_explainer(arguments.explainer, CPU).answer
        assert isinstance(answer, SignalAnswer)
        network = load_target(NetworkSource(classifier=str(arguments.classifier)), None, CPU)
        corpus = open_corpus(tuple(map(str, arguments.corpus)))
        spec = input_spec_for(corpus, network.front_end)
        valid = load_split(corpus, "valid", spec, cache_directory(""), NullProgress())
        centres = valid.whole_excerpts()
        rows = np.random.default_rng(1).permutation(len(centres))[: arguments.inputs]
        x = torch.from_numpy(valid.gather(centres[rows]))
        generator = answer.generator
        reference = Reference(generator.mean[:, None], generator.deviation[:, None])
        segments = grid(x.shape[-2], x.shape[-1], ROWS, COLUMNS)
        return cls(x, reference, generator, Squares(segments, reference))

    def teacher(self, classifier: Path) -> Teacher:
        network = load_target(NetworkSource(classifier=str(classifier)), None, CPU)
        return Teacher(network, self.squares, "predicted")

    def lesson(self, teacher: Teacher, x: Tensor, fast: bool = True) -> Lesson:
        model = teacher.fast if fast else None
        return teacher.teach(x, FEW, np.random.default_rng(0), model)

    def start(self) -> SignalGenerator:
        """The generator as it was before the training."""
        shape, width = tuple(self.x.shape[1:]), self.generator.unet.tail.in_channels
        found = SignalGenerator(shape, width, self.generator.gradient)
        found.mean.copy_(self.generator.mean)
        found.deviation.copy_(self.generator.deviation)
        return found

    @torch.no_grad()
    def weights(self, generator: SignalGenerator, lesson: Lesson) -> Tensor:
        return self.squares.sums(generator(lesson.x, lesson.filled, lesson.signals))

    def maps(self, generator: SignalGenerator, lessons: list[Lesson]) -> Tensor:
        return torch.cat([self.weights(generator, each) for each in lessons])

    def scorer(self, teacher: Teacher, x: Tensor) -> Scorer:
        """A scorer of the probability of the predicted class of input x (F, T)."""
        network = teacher.network.network
        with torch.no_grad():
            return Scorer(network, int(network(x[None])[0, 0] > 0), fast=teacher.fast)

    def grad_cams(self, teacher: Teacher) -> Tensor:
        """Mean Grad-CAM maps (N, n) of the segments."""
        network, (height, width) = teacher.network.network, self.squares.labels.shape
        found = [grad_cam(network, self.scorer(teacher, x), x).detach() for x in self.x]
        return self.squares.sums(enlarged(torch.stack(found), height, width))


@dataclass(frozen=True)
class Truth:
    """Exact maps (N, n): by occlusion, and Shapley values by least squares of many coalitions."""

    occlusion: Tensor
    shapley: Tensor

    @classmethod
    def of(cls, teacher: Teacher, lessons: list[Lesson], coalitions: int) -> Truth:
        """Ask about each segment, and about so many coalitions; prints how sure the latter are."""
        occluded = torch.cat([teacher.exact(each) for each in lessons])
        halves = [kernel_shap(teacher, each, coalitions, 2) for each in lessons]
        first, second = (torch.cat(maps) for maps in zip(*halves, strict=True))
        agreement = float(map_correlations(first, second).mean())
        both = (first + second) / 2
        print(
            f"\nShapley values of {coalitions} coalitions: halves correlate by {agreement:.3f}; "
            f"with occlusion {float(map_correlations(both, occluded).mean()):.3f}"
        )
        return cls(occluded, both)


def error(maps: Tensor, exact: Tensor) -> float:
    """Mean absolute error of maps (N, n) scaled to their largest magnitude."""
    a, b = (to_signed_range(each[:, None]) for each in (maps, exact))
    return float((a - b).abs().mean())


def against(maps: Tensor, exact: Tensor) -> str:
    """Error and correlation as two cells of a table."""
    return f"{error(maps, exact):.3f} | {float(map_correlations(maps, exact).mean()):.3f}"


def against_mean(exact: Tensor) -> str:
    """As `against`, of the mean map of the others, whose scale is right as it is."""
    mean = mean_map(exact)
    scaled = to_signed_range(exact[:, None])[:, 0]
    off = float((scaled - (0.5 + mean / 2)).abs().mean())
    return f"{off:.3f} | {float(map_correlations(mean, exact).mean()):.3f}"


def held_out(
    material: Material, teacher: Teacher, arguments: argparse.Namespace, title: str
) -> dict[str, Tensor]:
    """Print errors and correlations; returns the maps that need no exact ones."""
    lessons = [material.lesson(teacher, x) for x in material.x.split(CHUNK)]
    truth = Truth.of(teacher, lessons, arguments.truth)
    start, few = material.start(), arguments.kernel
    maps = {
        "trained, 3 passes": material.maps(material.generator, lessons),
        "before the training, 3": material.maps(start, lessons),
        f"KernelSHAP, {few + 1}": torch.cat([kernel_shap(teacher, e, few)[0] for e in lessons]),
        "occlusion, 25": truth.occlusion,
        "grad-cam, 1": material.grad_cams(teacher),
    }
    print("\n| network | map | occlusion: error | correlation | Shapley: error | correlation |")
    print("|---|---|---|---|---|---|")
    exact = truth.occlusion, truth.shapley
    shown = torch.cat([features(material.squares, each) for each in lessons])
    rows = {name: [against(area, each) for each in exact] for name, area in maps.items()}
    rows["ridge, of others' exact maps"] = [against(ridge(shown, each), each) for each in exact]
    rows["trees, of others' exact maps"] = [
        against(boosted_trees(shown, each), each) for each in exact
    ]
    rows["mean map of the others"] = [against_mean(each) for each in exact]
    for name, cells in rows.items():
        print(f"| {title} | {name} | {' | '.join(cells)} |", flush=True)
    return maps | {f"Shapley, {arguments.truth + 1}": truth.shapley}


def faithfulness(material: Material, teacher: Teacher, maps: dict[str, Tensor]) -> None:
    """Deletion and insertion over the segments, in probability, paired with occlusion's."""
    labels, sizes = material.squares.labels, np.bincount(material.squares.labels.ravel())
    random = np.random.default_rng(0)
    ways = maps | {"random": torch.from_numpy(random.random((len(material.x), len(sizes))))}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number, x in enumerate(material.x):
        filled = fill("mean", x, labels, material.reference)
        score = subset_score(MaskedInput(x, labels, filled), material.scorer(teacher, x))
        for name, areas in ways.items():
            course = curves(score, areas[number].numpy(), sizes)
            found[name].append((course.deletion_area, course.insertion_area))
    print("\n| way, passes | deletion | insertion | worse than occlusion: p of both |")
    print("|---|---|---|---|")
    usual = np.array(found["occlusion, 25"])
    for name, rows in found.items():
        table = np.array(rows)
        worse = np.stack([table[:, 0] - usual[:, 0], usual[:, 1] - table[:, 1]], axis=1)
        p = [wilcoxon(w, alternative="greater").pvalue if w.any() else 1.0 for w in worse.T]
        print(f"| {name} | {table[:, 0].mean():.3f} | {table[:, 1].mean():.3f} | "
              f"{p[0]:.3f}, {p[1]:.3f} |", flush=True)  # fmt: skip


def kept_when_shuffled(material: Material, teacher: Teacher) -> None:
    """Correlations of maps with those of the same network, its weights shuffled."""
    x = material.x[:SHUFFLED]
    before = material.lesson(teacher, x)
    maps = [material.weights(material.generator, before), teacher.exact(before)]
    teacher.fast = teacher.network.network  # the optimised one may have copies of the weights
    with weights_shuffled(teacher.network.network, 0):
        after = material.lesson(teacher, x, fast=False)
        others = [material.weights(material.generator, after), teacher.exact(after)]
    pairs = zip(maps, others, strict=True)
    mine, theirs = (float(map_correlations(a, b).mean()) for a, b in pairs)
    print(f"\nof a map survives shuffled weights: {mine:.2f}; of the exact one {theirs:.2f}")


def run(words: Sequence[str]) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="learned.py coalitions", description=__doc__)
    parser.add_argument("explainer", type=Path)
    parser.add_argument("classifier", type=Path)
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("--unseen", type=Path, help="a classifier that had no part in the training")
    parser.add_argument("--inputs", type=int, default=40)
    parser.add_argument("--kernel", type=int, default=24, help="coalitions of KernelSHAP")
    parser.add_argument("--truth", type=int, default=1000, help="coalitions of the Shapley values")
    arguments = parser.parse_args(words)
    material = Material.read(arguments)
    teacher = material.teacher(arguments.classifier)
    maps = held_out(material, teacher, arguments, "its own")
    faithfulness(material, teacher, maps)
    kept_when_shuffled(material, teacher)
    if arguments.unseen:
        held_out(material, material.teacher(arguments.unseen), arguments, "unseen")
