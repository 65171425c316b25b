"""Part explainers: what is lost, how much passes through parts, how stable a part's place is.

python tests/benchmarks/learned.py parts [planted] [clean] [mixed] [digits] [sample]
    [--seeds 3] [--ways 4] [--set NAME=VALUE ...]

`planted`: events of a known place in noise; a small network of its own tells which. `clean`: the
same without stray parts. `mixed`: `planted`, the network made so that each filter of the layer
also fires where another does. `digits`: scikit-learn's, by a classifier of `train-classifier`.
`sample`: the shipped detector on the sample corpus. Each with the filter loss, without it, without
masks, and without either.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from ganexplain.artifacts.explainer import read_explainer
from ganexplain.config import TrainClassifierConfig, TrainExplainerConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.interfaces import AnySplit
from ganexplain.corpora.load import load_split, open_corpus
from ganexplain.corpora.picture_folders import ImageSplit, Picture
from ganexplain.corpora.splits import Split
from ganexplain.explainers.parts.filters import contributions, feature_gradient
from ganexplain.explainers.parts.network import peaks
from ganexplain.explainers.parts.places import location_instability
from ganexplain.explainers.parts.training import CHUNK, PartsTraining
from ganexplain.explainers.task import Task
from ganexplain.inputs.picture import ImageInput
from ganexplain.networks.adapter import OutputNames
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork, load_target
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.train_classifier import train_classifier

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"
CPU = torch.device("cpu")
FILTER_WEIGHT = 0.03
WAYS = ("filter loss", "no filter loss", "no masks", "neither")


@dataclass(frozen=True)
class Labelled:
    """Inputs (N, *S), their classes (N,), landmarks (N, K, 2) in cells."""

    inputs: np.ndarray
    classes: np.ndarray
    landmarks: np.ndarray


def trained(task: Task, way: str, made: str = "") -> PartsTraining:
    """The training at its end, in one of `WAYS`; or as the explainer.pt that was `made` has it."""
    if made:
        training = PartsTraining(task)
        training.explainer.load_state_dict(read_explainer(Path(made)).content["weights"])
        training.explainer.eval()
        return training
    if way in (WAYS[1], WAYS[3]):
        task = replace(task, config=replace(task.config, filter_weight=0.0))
    training = PartsTraining(task)
    if way in WAYS[2:]:
        training.explainer.register_module("mask", nn.Identity())
    for step in range(task.config.steps):
        training.step(step)
    training.explainer.eval()
    return training


@torch.no_grad()
def measured(training: PartsTraining, test: Labelled) -> dict[str, float]:
    """Accuracies, instabilities of the classifier's layer and of the interpretable filters, p.

    An instability is the mean of the filters; `weighed`, each counts by how much it gives the
    logit of what is decided, on average over the inputs.
    """
    correct: list[torch.Tensor] = []
    correct_made: list[torch.Tensor] = []
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"own": [], "parts": []}
    given: dict[str, list[np.ndarray]] = {"own": [], "parts": []}
    errors, squares = 0.0, 0.0

    def logit(last: torch.Tensor) -> torch.Tensor:
        return training.logits(last).amax(dim=1)

    for first in range(0, len(test.inputs), CHUNK):
        rows = slice(first, first + CHUNK)
        features, targets = training.features(torch.from_numpy(test.inputs[rows]))
        by_own = feature_gradient(features, lambda leaf: logit(training.own(leaf)[-1])) * features
        given["own"].append(by_own.sum(dim=(2, 3)).numpy())
        encoding = training.explainer.encode(features)
        made = training.explainer.decode(encoding.features)
        by_parts = contributions(
            training.explainer, encoding, lambda leaf: logit(training.explainer.decode(leaf)[-1])
        )
        given["parts"].append(by_parts.numpy())
        classes = torch.from_numpy(test.classes[rows])
        correct.append(training.decided(targets[-1]) == classes)
        correct_made.append(training.decided(made[-1]) == classes)
        errors += float((made[-1] - targets[-1]).square().sum())
        squares += float(targets[-1].square().sum())
        for name, maps in (("own", features), ("parts", encoding.maps)):
            found[name].append((maps.amax(dim=(2, 3)).numpy(), peaks(maps).numpy()))
    result = {
        "accuracy": float(torch.cat(correct).double().mean()),
        "through parts": float(torch.cat(correct_made).double().mean()),
        "relative error": errors / squares,
        "p": float(training.explainer.share),
    }
    if test.landmarks.shape[1]:
        for name, values in found.items():
            strength, places = (np.concatenate(each) for each in zip(*values, strict=True))
            unstable = instability(test, strength, training.geometry.cells(places))
            result[f"instability {name}"] = float(np.nanmean(unstable))
            weight = np.abs(np.concatenate(given[name])).mean(axis=0)
            known = ~np.isnan(unstable)
            result[f"weighed {name}"] = float(np.average(unstable[known], weights=weight[known]))
    return result


def instability(test: Labelled, strength: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Location instability (M,) of maps whose peaks (N, M) are at cells (N, M, 2)."""
    marks, cells = test.landmarks.copy(), cells.copy()
    if np.isnan(marks[..., 0]).all():  # moments: only the distance in time counts
        cells[..., 0] = marks[..., 0] = 0.0
    diagonal = float(np.hypot(*test.inputs.shape[-2:]))
    return location_instability(strength, cells, marks, diagonal)


# --- planted events ---------------------------------------------------------------------------

BANDS, FRAMES = 24, 40
KINDS = 4


def planted(count: int, seed: int, strays: int = 2) -> Labelled:
    """Events of three parts, a click, a tone and a glide, anywhere in noise among stray ones.

    Whether the tone is there and whether the glide rises makes four classes. How loud each part
    is differs from event to event. The landmark is the click.
    """
    random = np.random.default_rng(seed)
    inputs = random.normal(0.2, 0.1, (count, 1, BANDS, FRAMES))
    classes, marks = random.integers(0, KINDS, count), np.empty((count, 1, 2))
    for x, kind, mark in zip(inputs[:, 0], classes, marks[:, 0], strict=True):
        for _ in range(strays):
            row, column = random.integers(0, BANDS), random.integers(0, FRAMES - 6)
            x[row, column : column + 6] += random.uniform(0.3, 0.6)
            row, column = random.integers(0, BANDS - 5), random.integers(0, FRAMES)
            x[row : row + 5, column] += random.uniform(0.3, 0.6)
        row, column = random.integers(9, BANDS - 9), random.integers(1, FRAMES - 23)
        loud = random.uniform(0.4, 1.0, 3)
        x[row - 3 : row + 4, column] += loud[0]
        if kind % 2:
            x[row + 6, column + 7 : column + 13] += loud[1]
        for k in range(6):
            x[row - 3 + (k if kind // 2 else -k), column + 15 + k] += loud[2]
        mark[:] = row, column
    return Labelled(inputs.astype(np.float32), classes, marks)


class Listener(nn.Module):
    """Three convolutions and two layers that tell the kinds of event."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)
        self.pool, self.fc4 = nn.MaxPool2d(2), nn.Linear(32 * 6 * 10, 64)
        self.fc5 = nn.Linear(64, KINDS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(functional.relu(self.conv1(x)))
        x = functional.relu(self.conv3(functional.relu(self.conv2(x))))
        return self.fc5(functional.relu(self.fc4(self.pool(x).flatten(1))))


def listener(seed: int, strays: int, steps: int = 500) -> Listener:
    torch.manual_seed(seed)
    network, data = Listener(), planted(64 * steps, 1000 + seed, strays)
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    for first in range(0, len(data.inputs), 64):
        rows = slice(first, first + 64)
        logits = network(torch.from_numpy(data.inputs[rows]))
        loss = functional.cross_entropy(logits, torch.from_numpy(data.classes[rows]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval().requires_grad_(False)


def pictures_of(data: Labelled) -> ImageSplit:
    known = tuple(Picture(Path(f"{k}.png"), "train", int(c)) for k, c in enumerate(data.classes))
    taken = ImageInput(channels=1, height=BANDS, width=FRAMES)
    return ImageSplit(known, data.inputs, data.classes, taken)


class Mixed(nn.Module):
    """A listener that decides as ever, though each filter also fires where another one does.

    Behind its last convolution (`mix`) every filter that fires is 0.9 times another one added, all
    of them brought to a mean peak of 1 before; `unmix` takes it back.
    """

    def __init__(self, own: Listener, inputs: torch.Tensor, seed: int) -> None:
        super().__init__()
        self.own, self.channels = own, own.conv3.out_channels
        peak = self.features(inputs).amax(dim=(2, 3)).mean(dim=0)
        fires = torch.nonzero(peak > 1e-3).flatten()
        order = fires[torch.randperm(len(fires), generator=torch.Generator().manual_seed(seed))]
        scale = torch.where(peak > 1e-3, 1 / peak.clamp_min(1e-3), 1.0)
        weights = torch.diag(scale)
        weights[order, order.roll(1)] = 0.9 * scale[order.roll(1)]
        self.mix = self._of(weights)
        self.unmix = self._of(torch.linalg.inv(weights.double()).float())

    def _of(self, weights: torch.Tensor) -> nn.Conv2d:
        layer = nn.Conv2d(self.channels, self.channels, 1, bias=False)
        layer.weight.data.copy_(weights[:, :, None, None])
        return layer

    def features(self, x: torch.Tensor) -> torch.Tensor:
        own = self.own
        x = own.pool(functional.relu(own.conv1(x)))
        return functional.relu(own.conv3(functional.relu(own.conv2(x))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        own, x = self.own, self.unmix(functional.relu(self.mix(self.features(x))))
        return own.fc5(functional.relu(own.fc4(own.pool(x).flatten(1))))


def of_planted(
    config: TrainExplainerConfig, strays: int = 2, mixed: bool = False
) -> tuple[Task, Labelled]:
    own = listener(config.seed, strays)
    network: nn.Module = own
    if mixed:
        seen = torch.from_numpy(planted(500, 5000 + config.seed, strays).inputs)
        network = Mixed(own, seen, config.seed).eval().requires_grad_(False)
        config = replace(config, layer="mix", targets=("own.fc4",))
    taken = ImageInput(channels=1, height=BANDS, width=FRAMES)
    explained = TargetNetwork(network, taken, OutputNames("fc5"), KINDS)
    splits = [pictures_of(planted(count, 2000 + config.seed, strays)) for count in (8000, 64)]
    return task_of(config, explained, *splits), planted(1000, 3000 + config.seed, strays)


# --- digits and the sample corpus ---------------------------------------------------------------


def of_digits(config: TrainExplainerConfig, folder: Path) -> tuple[Task, Labelled]:
    """scikit-learn's digits; no landmark is known in them."""
    for number, (pixels, label) in enumerate(zip(*load_digits(return_X_y=True), strict=True)):
        path = folder / "digits" / str(label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = (pixels.reshape(8, 8) * 255 / 16).round().astype("uint8")
        Image.fromarray(grey).save(path)
    corpus = (str(folder / "digits"),)
    recipe: dict[str, Any] = {
        "corpus": corpus,
        **TrainClassifierConfig.PRESETS["quick"],
        "seed": config.seed,
    }
    train_classifier(TrainClassifierConfig(**recipe), folder / "run", NullProgress())
    network = load_target(NetworkSource(str(folder / "run" / "classifier.pt")), None, CPU)
    material = open_corpus(corpus)
    train, valid, test = (
        load_split(material, name, network.front_end, folder, NullProgress())
        for name in ("train", "valid", "test")
    )
    assert isinstance(test, ImageSplit)
    config = replace(config, layer="blocks.2")  # 8 x 8 places; behind the pooling are 4 x 4
    held_out = Labelled(test.pictures, test.classes, np.empty((len(test.pictures), 0, 2)))
    return task_of(config, network, train, valid), held_out


def of_sample(config: TrainExplainerConfig) -> tuple[Task, Labelled]:
    """The shipped detector; a landmark is where a voice begins, in time alone.

    Of the test recordings three excerpts around each such moment, at random places, and as many
    others.
    """
    network = load_target(NetworkSource(str(SAMPLE / "pretrained" / "classifier.pt")), None, CPU)
    material = open_corpus([str(SAMPLE)])
    train, valid, test = (
        load_split(material, name, network.front_end, cache_directory(""), NullProgress())
        for name in ("train", "valid", "test")
    )
    assert isinstance(test, Split)
    random, near, marks = np.random.default_rng(0), [], []
    for number, labels in enumerate(test.labels):
        for onset in np.flatnonzero((labels[1:] == 1) & (labels[:-1] == 0)) + 1:
            for away in random.integers(-40, 41, 3):
                if 57 <= onset + away < len(labels) - 57:
                    near.append((number, onset + away, labels[onset + away]))
                    marks.append(((np.nan, 57.0 - away),))
    frames = test.labelled_frames()
    others = frames[random.choice(len(frames), 2000, replace=False)]
    marks += [((np.nan, np.nan),)] * len(others)
    rows = np.concatenate([np.array(near), others])
    return task_of(config, network, train, valid), Labelled(
        test.gather(rows), rows[:, 2], np.array(marks)
    )


def task_of(
    config: TrainExplainerConfig, network: TargetNetwork, train: AnySplit, valid: AnySplit
) -> Task:
    return Task(config, ("classifier",), (network,), train, valid, CPU, Path(), NullProgress())


def run(words: Sequence[str]) -> None:
    """Print a line for each data set, seed and way."""
    parser = argparse.ArgumentParser(prog="learned.py parts", description=__doc__)
    parser.add_argument("data", nargs="*", default=["planted", "digits", "sample"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", type=int, default=len(WAYS), help="how many of the ways")
    parser.add_argument("--set", nargs="*", default=[], help="settings, as in steps=400")
    parser.add_argument("--made", default="", help="explainer.pt of train-explainer, for sample")
    given = parser.parse_args(words)
    changed: dict[str, Any] = {
        name: float(value) for name, value in (each.split("=") for each in given.set)
    }
    changed = {"filter_weight": FILTER_WEIGHT} | changed
    if "steps" in changed:
        changed["steps"] = int(changed["steps"])
    for data in given.data:
        for seed in range(given.seeds):
            config = TrainExplainerConfig(corpus=("",), method="parts", seed=seed, **changed)
            with tempfile.TemporaryDirectory() as folder:
                made = {
                    "planted": of_planted,
                    "mixed": lambda config: of_planted(config, mixed=True),
                    "clean": lambda config: of_planted(config, strays=0),
                    "digits": lambda config: of_digits(config, Path(folder)),
                    "sample": of_sample,
                }[data](config.of_method())
                for way in WAYS[: given.ways]:
                    started = time.process_time()
                    figures = measured(trained(made[0], way, given.made), made[1])
                    spent = time.process_time() - started
                    text = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
                    print(f"{data}, seed {seed}, {way}: {text}; {spent:.0f} s", flush=True)
