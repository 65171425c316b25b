"""What the generator trained by coalitions is worth: held-out errors, faithfulness, controls.

python tests/benchmarks/learned.py coalitions EXPLAINER CLASSIFIER CORPUS... [--unseen FILE]

EXPLAINER is an explainer.pt of `train-explainer --teacher shapley`. All is measured on excerpts of
the validation splits. Exact maps are occlusion of 4 x 6 segments in log-odds; errors are mean
absolute ones of maps scaled to their largest magnitude, with zero at 0.5, as of `--teacher
occlusion`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import wilcoxon
from torch import Tensor

from ganexplain.attribution.fills import Reference, fill
from ganexplain.attribution.masking import MaskedInput, subset_score
from ganexplain.attribution.measures import curves
from ganexplain.attribution.methods.grad_cam import enlarged, grad_cam
from ganexplain.attribution.methods.occlusion import occlusion
from ganexplain.attribution.scorer import Scorer
from ganexplain.attribution.segments import grid, segment_means
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
FOLDS = 8
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
        shape = tuple(self.x.shape[1:])
        return SignalGenerator(shape, self.generator.unet.tail.in_channels, self.generator.gradient)

    @torch.no_grad()
    def weights(self, generator: SignalGenerator, lesson: Lesson) -> Tensor:
        return self.squares.sums(generator(lesson.x, lesson.filled, lesson.signals))


def ridge(material: Material, lessons: list[Lesson], exact: Tensor) -> Tensor:
    """Maps (N, n) of a ridge regression on the same contributions, each fold by the others."""
    planes = torch.cat([each.signals.contributions for each in lessons])
    features = torch.stack([material.squares.sums(p) for p in planes.unbind(1)], dim=2)
    features = features - features.mean(dim=1, keepdim=True)
    features = features / features.square().mean(dim=1, keepdim=True).sqrt().clamp_min(1e-12)
    wanted = exact - exact.mean(dim=1, keepdim=True)
    wanted = wanted / wanted.square().mean(dim=1, keepdim=True).sqrt().clamp_min(1e-12)
    found = torch.zeros_like(exact)
    for fold in range(FOLDS):
        out = torch.arange(len(exact)) % FOLDS == fold
        a, b = features[~out].flatten(0, 1), wanted[~out].flatten()
        weights = torch.linalg.solve(a.T @ a + 20 * torch.eye(a.shape[1]), a.T @ b)
        found[out] = features[out] @ weights
    return found


def kernel_shap(teacher: Teacher, squares: Squares, lesson: Lesson, passes: int) -> Tensor:
    """Maps (B, n) by weighted least squares of so many coalitions, summing to the difference."""
    random = np.random.default_rng(0)
    found = []
    for number in range(len(lesson.x)):
        one = lesson.x[number : number + 1]
        told = teacher.teach(one, passes, random, teacher.fast)
        z, lost = told.removed[0].double(), told.lost[0].double()
        inverse = torch.linalg.inv(z.T @ z + 0.5 * torch.eye(squares.count))
        free, ones = inverse @ z.T @ lost, torch.ones(squares.count, dtype=torch.double)
        over = (free.sum() - told.signals.difference[0]) / (ones @ inverse @ ones)
        found.append((free - inverse @ ones * over).float())
    return torch.stack(found)


def error(maps: Tensor, exact: Tensor) -> float:
    """Mean absolute error of maps (N, n) scaled to their largest magnitude."""
    scaled = (to_signed_range(each[:, None]) for each in (maps, exact))
    a, b = scaled
    return float((a - b).abs().mean())


def held_out(material: Material, classifier: Path, passes: int, title: str) -> None:
    teacher = material.teacher(classifier)
    lessons = [material.lesson(teacher, x) for x in material.x.split(CHUNK)]
    exact = torch.cat([teacher.exact(each) for each in lessons])
    start = material.start()
    start.mean.copy_(material.generator.mean)
    start.deviation.copy_(material.generator.deviation)
    scaled = exact / exact.abs().amax(dim=1, keepdim=True).clamp_min(1e-12)
    mean = (scaled.sum(dim=0, keepdim=True) - scaled) / (len(scaled) - 1)
    ways = {
        "trained": torch.cat([material.weights(material.generator, each) for each in lessons]),
        "before the training": torch.cat([material.weights(start, each) for each in lessons]),
        "ridge, of the others' exact maps": ridge(material, lessons, exact),
    }
    if passes:
        maps = [kernel_shap(teacher, material.squares, each, passes) for each in lessons]
        ways[f"KernelSHAP, {passes + 2} passes"] = torch.cat(maps)
    fair = float((to_signed_range(scaled[:, None])[:, 0] - (0.5 + mean / 2)).abs().mean())
    print(f"| {title} | mean map of the others | {fair:.4f} | "
          f"{float(map_correlations(mean, exact).mean()):.3f} |")  # fmt: skip
    for name, areas in ways.items():
        line = f"{error(areas, exact):.4f} | {float(map_correlations(areas, exact).mean()):.3f}"
        print(f"| {title} | {name} | {line} |", flush=True)


def faithfulness(material: Material, classifier: Path) -> None:
    """Deletion and insertion over 4 x 6 segments, in probability, paired with occlusion's."""
    teacher = material.teacher(classifier)
    labels = material.squares.labels
    height, width = labels.shape
    sizes = np.bincount(labels.ravel())
    found: dict[str, list[tuple[float, float]]] = {}
    for number, x in enumerate(material.x):
        lesson = material.lesson(teacher, x[None])
        with torch.no_grad():
            area = material.generator(lesson.x, lesson.filled, lesson.signals)[0]
            target = int(teacher.network.network(x[None])[0, 0] > 0)
        network = teacher.network.network
        scorer = Scorer(network, target, fast=teacher.fast)
        filled = fill("mean", x, labels, material.reference)
        score = subset_score(MaskedInput(x, labels, filled), scorer)
        cam = enlarged(grad_cam(network, scorer, x).detach(), height, width).numpy()
        maps = {
            "trained, 2 passes": segment_means(labels, area.numpy()),
            "grad-cam, 1": segment_means(labels, cam),
            "occlusion, 25": occlusion(score, len(sizes)),
            "random": np.random.default_rng(number).random(len(sizes)),
        }
        for name, weights in maps.items():
            course = curves(score, weights, sizes)
            pair = course.deletion_area, course.insertion_area
            found.setdefault(name, []).append(pair)
    print("\n| way | deletion | insertion | worse than occlusion: p of deletion, insertion |")
    print("|---|---|---|---|")
    usual = np.array(found["occlusion, 25"])
    for name, rows in found.items():
        table = np.array(rows)
        worse = np.stack([table[:, 0] - usual[:, 0], usual[:, 1] - table[:, 1]], axis=1)
        p = [wilcoxon(w, alternative="greater").pvalue if w.any() else 1.0 for w in worse.T]
        print(f"| {name} | {table[:, 0].mean():.3f} | {table[:, 1].mean():.3f} | "
              f"{p[0]:.3f}, {p[1]:.3f} |", flush=True)  # fmt: skip


def kept_when_shuffled(material: Material, classifier: Path) -> None:
    """Correlations of maps with those of the same network, its weights shuffled."""
    teacher, x = material.teacher(classifier), material.x[:SHUFFLED]
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
    parser.add_argument("--kernel", type=int, default=24, help="coalitions of KernelSHAP; 0: none")
    arguments = parser.parse_args(words)
    material = Material.read(arguments)
    print("| network | map | error | correlation |\n|---|---|---|---|")
    held_out(material, arguments.classifier, arguments.kernel, "its own")
    if arguments.unseen:
        held_out(material, arguments.unseen, 0, "unseen")
    kept_when_shuffled(material, arguments.classifier)
    faithfulness(material, arguments.classifier)
