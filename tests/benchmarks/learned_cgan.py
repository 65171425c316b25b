"""The conditional GAN against trivial maps, other networks and other explanations.

python tests/benchmarks/learned.py cgan digits|sample [--out DIR]

`digits`: scikit-learn's, with two classifiers trained here; `sample`: sample_data/ with the
shipped detector. For each teacher an explainer is trained with the settings of `train-explainer`
as they stand; a run in --out that is done is taken up. All is measured on the validation split.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.stats import wilcoxon
from sklearn.datasets import load_digits

from ganexplain.attribution.fills import Reference, fill
from ganexplain.attribution.masking import MaskedInput
from ganexplain.attribution.measures import measure
from ganexplain.attribution.methods.base import Question
from ganexplain.attribution.methods.learned import Explainer
from ganexplain.attribution.methods.registry import attribute, method_for
from ganexplain.attribution.scorer import Scorer
from ganexplain.attribution.segments import grid
from ganexplain.config import AttributeConfig, TrainClassifierConfig, TrainExplainerConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import input_spec_for, load_split, open_corpus
from ganexplain.explainers.cgan.dataset import MapDataset
from ganexplain.explainers.cgan.evaluation import evaluate_generator, map_correlations
from ganexplain.explainers.cgan.inference import TEACHERS, CganAnswer
from ganexplain.explainers.cgan.maps import maps_and_gradient
from ganexplain.explainers.cgan.teachers import occlusion_maps, target_classes
from ganexplain.explainers.loading import load_explainer
from ganexplain.explainers.task import Task
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork, load_target
from ganexplain.networks.weight_shuffling import weights_shuffled
from ganexplain.report.pictures.attribution_picture import enlarged, luminance, overlaid
from ganexplain.report.pictures.png import png_bytes
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.train_classifier import train_classifier
from ganexplain.stages.train_explainer import train_explainer

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "sample_data"
CPU = torch.device("cpu")
VARIANTS = ((1, 1), (1, 0), (2, 1))  # classifiers to learn from, and shuffled ones beside each
SHOWN = 8  # of these in a picture
INPUTS = 40  # held-out inputs that attributions are measured on


@dataclass(frozen=True)
class Material:
    """A corpus, the classifiers to learn from, one not seen, and segments (rows, columns)."""

    corpus: Path
    classifiers: tuple[Path, ...]
    unseen: Path
    segments: tuple[int, int]


def digits(out: Path) -> Material:
    corpus = out / "pictures"
    found = load_digits()
    for number, (pixels, label) in enumerate(zip(found.images, found.target, strict=True)):
        path = corpus / str(label) / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.round(pixels * 255 / 16).astype(np.uint8)).save(path)
    paths = []
    for seed in (0, 1, 2):
        path = out / f"classifier-{seed}" / "classifier.pt"
        if not path.is_file():
            recipe: dict[str, Any] = {**TrainClassifierConfig.PRESETS["quick"], "seed": seed}
            quick = TrainClassifierConfig(corpus=(str(corpus),), **recipe)
            train_classifier(quick, path.parent, NullProgress(), resume=True)
        paths.append(path)
    return Material(corpus, tuple(paths[:2]), paths[2], (4, 4))


def sample(out: Path) -> Material:
    shipped = SAMPLE / "pretrained"
    both = (shipped / "classifier.pt", shipped / "judge.pt")
    return Material(SAMPLE, both, shipped / "referee.pt", (4, 6))


def trained(
    material: Material, teacher: str, count: int, shuffled: int, out: Path, set_: dict[str, Any]
) -> tuple[Path, Task]:
    """An explainer of the first `count` classifiers, and the task it was trained for."""
    names = tuple(map(str, material.classifiers[:count]))
    config = TrainExplainerConfig(
        corpus=(str(material.corpus),),
        classifier=names,
        teacher=teacher,
        shuffled=shuffled,
        **set_,
    )
    settings = [f"{name}-{value}" for name, value in set_.items()]
    folder = out / "-".join([teacher, str(count), str(shuffled), *settings])
    if not (folder / "explainer.pt").is_file():
        train_explainer(config, folder, NullProgress(), resume=True)
    return folder / "explainer.pt", task_of(config, names, folder)


def task_of(config: TrainExplainerConfig, names: tuple[str, ...], folder: Path) -> Task:
    networks = tuple(load_target(NetworkSource(classifier=name), None, CPU) for name in names)
    corpus = open_corpus(config.corpus)
    taken = input_spec_for(corpus, networks[0].front_end)
    train, valid = (
        load_split(corpus, name, taken, cache_directory(""), NullProgress())
        for name in ("train", "valid")
    )
    return Task(config, names, networks, train, valid, CPU, folder, NullProgress())


def errors(explainer: Explainer, task: Task, unseen: Path | None = None) -> dict[str, float]:
    """Figures on held-out maps of a task's networks, or of one that had no part in the training."""
    answer, config = explainer.answer, task.config
    assert isinstance(answer, CganAnswer)
    rows = answer.settings.conditions, config.examples, config.shuffled
    train = MapDataset(task, "train", task.train, *rows)
    name = "held-out"
    if unseen is not None:
        network, name = load_target(NetworkSource(classifier=str(unseen)), None, CPU), "unseen"
        task = replace(task, networks=(network,))
    held_out = MapDataset(task, name, task.held_out, answer.settings.conditions, config.held_out)
    for maps in (train, held_out):
        maps.create()
    return evaluate_generator(answer.generator, train, held_out)


def inputs_of(task: Task, network: TargetNetwork) -> list[tuple[torch.Tensor, int]]:
    """Held-out inputs and what the network takes them for."""
    order = MapDataset(task, "held-out", task.held_out, 1, INPUTS)
    x = order.inputs(np.arange(min(INPUTS, len(order.centres))))
    return list(zip(x, target_classes(network, x, "predicted").tolist(), strict=True))


def kept_when_shuffled(explainer: Explainer, task: Task) -> np.ndarray:
    """Correlations (N, 2) of maps with those of the same network, its weights shuffled.

    Of the explainer's, and of those it was taught.
    """
    network, config = task.networks[0], task.config
    mean, deviation = task.statistics
    axes = (slice(None), *[None] * (len(network.front_end.shape) - 1))
    reference = Reference(mean[axes], deviation[axes])

    def maps(x: torch.Tensor, target: int) -> tuple[torch.Tensor, torch.Tensor]:
        scorer = Scorer(network.network, target)
        found = explainer.answer(network.network, scorer, x)
        if layer := found.details["layer"]:
            seen, _ = maps_and_gradient(network.network, scorer.differentiable, x[None])
            return found.area, seen[str(layer)][0]
        classes = torch.tensor([target])
        taught = occlusion_maps(network, x[None], classes, reference, config.occlusion_grid)
        return found.area, taught[0]

    found = []
    for number, (x, target) in enumerate(inputs_of(task, network)):
        before = maps(x, target)
        with weights_shuffled(network.network, number):
            after = maps(x, target)
        pairs = zip(before, after, strict=True)
        found.append([float(map_correlations(a[None], b[None])[0]) for a, b in pairs])
    return np.array(found)


def faithfulness(
    explainers: dict[str, Explainer], task: Task, segments: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Deletion, insertion, seconds (N, 3) of each way on held-out inputs."""
    network = task.networks[0]
    height, width = network.front_end.shape[-2:]
    labels = grid(height, width, *segments)
    mean, deviation = task.statistics
    axes = (slice(None), *[None] * (len(network.front_end.shape) - 1))
    reference = Reference(mean[axes], deviation[axes])
    usual = AttributeConfig(inputs=(), classifier="")
    ways = {f"cgan, {name}": ("cgan", {"cgan": each}) for name, each in explainers.items()}
    ways |= {name: (name, {}) for name in ("grad-cam", "occlusion", "random")}
    found: dict[str, list[list[float]]] = {name: [] for name in ways}
    for number, (x, target) in enumerate(inputs_of(task, network)):
        filled = fill("mean", x, labels, reference)
        parts = MaskedInput(x, labels, filled)
        question = Question(
            x, filled, labels, parts, Scorer(network.network, target), network.network
        )
        for name, (method, given) in ways.items():
            said = attribute(question, method_for(method, usual, given), number)
            held = measure(question, said).measures
            figures = (held[key] for key in ("deletion", "insertion", "seconds"))
            found[name].append([np.nan if value is None else value for value in figures])
    return {name: np.array(rows) for name, rows in found.items()}


def picture(explainer: Explainer, task: Task, path: Path) -> None:
    """Held-out pictures, the maps their explainer was to learn, and those it draws."""
    assert isinstance(explainer.answer, CganAnswer)
    held_out = MapDataset(
        task, "held-out", task.held_out, explainer.answer.settings.conditions, INPUTS
    )
    held_out.create()
    x, _, taught = held_out.batch(np.arange(SHOWN))
    if task.config.teacher == "occlusion":
        taught = 2 * taught - 1  # `signed`: 0.5 stands for 0
    network, cells = task.networks[0], []
    for one, map_, target in zip(
        x, taught[:, 0].numpy(), target_classes(network, x, "predicted").tolist(), strict=True
    ):
        said = explainer.answer(network.network, Scorer(network.network, target), one).area.numpy()
        grey = luminance(one.numpy())
        column = [overlaid(grey, each) for each in (np.zeros_like(grey), map_, said)]
        cells.append(np.concatenate([np.pad(c, ((1, 1), (1, 1), (0, 0)), constant_values=255)
                                     for c in column]))  # fmt: skip
    path.write_bytes(png_bytes(enlarged(np.concatenate(cells, axis=1), 8)))


def run(words: Sequence[str]) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="learned.py cgan", description=__doc__.splitlines()[0])
    parser.add_argument("material", choices=("digits", "sample"))
    parser.add_argument("--set", nargs="*", default=[], help="settings, as in examples=1200")
    parser.add_argument("--variants", type=int, default=3, choices=(1, 2, 3))
    parser.add_argument("--picture", type=Path, help="PNG of pictures and maps of them")
    parser.add_argument("--out", type=Path, default=Path("runs/learned"))
    arguments = parser.parse_args(words)
    out = arguments.out / arguments.material
    material = {"digits": digits, "sample": sample}[arguments.material](out)
    explainers = {}
    set_ = {name: json.loads(value) for name, value in (w.split("=") for w in arguments.set)}
    columns = ("l1", "l1_grey", "l1_mean", "l1_deepest", "correlation", "correlation_deepest")
    titles = ("learnt of", "teacher", "measured on", *columns, "factor", "shuffled", "teacher's")
    print(f"| {' | '.join(titles)} |")
    print("|---" * len(titles) + "|")
    for teacher in TEACHERS:
        for count, shuffled in VARIANTS[: arguments.variants]:
            path, task = trained(material, teacher, count, shuffled, out, set_)
            explainer = load_explainer(path, CPU)
            seen = errors(explainer, task)
            other = errors(explainer, task, material.unseen)
            kept = kept_when_shuffled(explainer, task).mean(axis=0)
            for name, found in (("the same", seen), ("unseen", other)):
                cells = [f"{found[key]:.3f}" for key in columns]
                last = [f"{each:.2f}" for each in kept] if found is seen else ["", ""]
                factor = f"{found['l1'] / seen['l1']:.2f}"
                told = f"{count}{' and shuffled' if shuffled else ''}"
                print(f"| {' | '.join([told, teacher, name, *cells, factor, *last])} |", flush=True)
            if (count, shuffled) == (1, 1):
                explainers[teacher], first = explainer, task
    if arguments.picture:
        picture(explainers["occlusion"], first, arguments.picture)
    print("\n| way | deletion | insertion | better than random | p | seconds |")
    print("|---|---|---|---|---|---|")
    measured = faithfulness(explainers, first, material.segments)
    floor = measured["random"][:, 1] - measured["random"][:, 0]
    for name, rows in measured.items():
        gain = rows[:, 1] - rows[:, 0] - floor
        better = f"{int((gain > 0).sum())} of {len(gain)}" if name != "random" else ""
        p = f"{wilcoxon(gain, alternative='greater').pvalue:.1e}" if gain.any() else ""
        print(
            f"| {name} | {rows[:, 0].mean():.3f} | {rows[:, 1].mean():.3f} | {better} | {p} "
            f"| {rows[:, 2].mean():.4f} |",
            flush=True,
        )
