"""Parts of sounds whose events are known: how pure, stable and complete filters are.

python tests/benchmarks/learned.py known FOLDER [--classifier FILE] [--seeds 0 1 2]
    [--ways WAY ...] [--every 20] [--updates 600] [--keep FOLDER] [--set NAME=VALUE ...]

FOLDER is what `python -m sample_data.known_parts TASK FOLDER` wrote. The classifier is FILE, of
`train-classifier FOLDER/manifest.csv`, or a small network of its own for each seed. Filters are
those of the network's own layer (`own`), of places drawn at random (`chance`), of parts without the
filter loss (`masks`), with it (`loss`), in the form with categories whose weight falls to zero
(`categories`), with up to three events a map and that form (`events`) or without it (`events
alone`), of a non-negative matrix factorisation of the layer (`nmf`) and of a top-k sparse
autoencoder of it (`sae`), of the same width. All are measured on test recordings, whose sounds had
no part in training. Features of the training excerpts, one of every 20 frames, are computed once.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.filter_loss_forms import Categories, SeveralMask, category_loss
from scipy.stats import ttest_rel
from sklearn.decomposition import MiniBatchNMF
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.audio.filterbank import mel_frequencies
from ganexplain.config import TrainExplainerConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import load_split, open_corpus
from ganexplain.corpora.splits import Split
from ganexplain.explainers.parts.filter_loss import sharpen_maps
from ganexplain.explainers.parts.known_events import KnownEvents, sound_places
from ganexplain.explainers.parts.network import Encoding, peaks
from ganexplain.explainers.parts.places import Geometry, distance_instability
from ganexplain.explainers.parts.training import PartsTraining
from ganexplain.explainers.task import Task
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.metrics.event_peaks import PURE, EventSpans, kind_shares, met_kinds
from ganexplain.networks.adapter import OutputNames
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork, load_target
from ganexplain.runs.progress import NullProgress

CPU = torch.device("cpu")
CHUNK = 32
MOST_EVENTS = 3
FILTER_WEIGHT = 0.03
WAYS = ("chance", "own", "masks", "loss", "categories", "events", "events alone", "nmf", "sae")
VECTORS = 40_000  # places that the rivals learn from
ACTIVE = 8  # features of the sparse autoencoder that are active at a place


@dataclass(frozen=True)
class Known:
    """Test inputs, their classes (N,), and events, with which peaks are compared."""

    inputs: np.ndarray
    classes: np.ndarray
    events: list[EventSpans]
    kinds: tuple[str, ...]
    front_end: FrontEnd

    @cached_property
    def landmarks(self) -> list[np.ndarray]:
        """Rows and columns (E, 2) of the middle of each event's band at its beginning."""
        return [
            np.stack([self.rows(each.hertz.mean(axis=1)), self.columns(each.seconds[:, 0])], axis=1)
            for each in self.events
        ]

    def rows(self, hertz: np.ndarray) -> np.ndarray:
        """Bands of the log-mel at frequencies."""
        middles = mel_frequencies(self.front_end)[1:-1]
        return np.interp(hertz, middles, np.arange(len(middles)))

    def columns(self, seconds: np.ndarray) -> np.ndarray:
        """Frames whose middle is at times."""
        end = self.front_end
        return (seconds * end.sample_rate - end.frame_length / 2) / end.hop_length


def known_inputs(folder: Path, split: Split, every: int) -> Known:
    """Excerpts of a split, one of `every` frames, with the events in them."""
    listed = KnownEvents.read(folder / "events.csv")
    centres = split.whole_excerpts(every)
    classes = np.array([split.labels[i][frame] for i, frame in centres])
    events = listed.of_excerpts(split, centres)
    return Known(split.gather(centres), classes, events, listed.kinds, split.front_end)


@dataclass(frozen=True)
class Found:
    """Peaks of D filters in the N test inputs, and the share of decisions that are right.

    `strength` (N, D), `places` (N, D, 2) of a layer with `geometry`; `p` is the share of the parts.
    """

    strength: np.ndarray
    places: np.ndarray
    geometry: Geometry
    right: float
    p: float = 1.0


def purity(shares: np.ndarray) -> np.ndarray:
    """The purity (D,) of filters from shares (D, K): the largest share of one kind."""
    return shares.max(axis=1)


def coverage(shares: np.ndarray) -> float:
    """The share of kinds of which a filter with a purity of at least 0.5 is the detector."""
    pure = shares[np.nan_to_num(purity(shares)) >= PURE]
    return len(np.unique(pure.argmax(axis=1))) / shares.shape[1]


def figures(found: Found, known: Known) -> dict[str, float]:
    """Purity, coverage and instability; filters that fire in fewer than two inputs do not count."""
    count, diagonal = len(known.kinds), float(np.hypot(*known.inputs.shape[-2:]))
    seconds, hertz = sound_places(found.places, found.geometry, known.front_end)
    cells = found.geometry.cells(found.places)
    shares = kind_shares(found.strength, met_kinds(seconds, hertz, known.events, count))
    unstable = distance_instability(found.strength, nearest(cells, known), diagonal)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all-NaN rows
        each = np.nanmean(unstable, axis=1)
        closest = np.nanmin(unstable, axis=1)
    return {
        "right": found.right,
        "p": found.p,
        "purity": float(np.nanmean(purity(shares))),
        "coverage": coverage(shares),
        "instability": float(np.nanmean(each)),
        "to the own kind": float(np.nanmean(closest)),
        "filters": float(np.isfinite(purity(shares)).sum()),
    }


def nearest(cells: np.ndarray, known: Known) -> np.ndarray:
    """Distance (N, D, K) of peaks to the nearest event of each kind; NaN where there is none."""
    away = np.full((*cells.shape[:2], len(known.kinds)), np.nan)
    for n, (events, marks) in enumerate(zip(known.events, known.landmarks, strict=True)):
        for kind in np.unique(events.kinds):
            apart = cells[n][:, None] - marks[events.kinds == kind]
            away[n, :, kind] = np.linalg.norm(apart, axis=2).min(axis=1)
    return away


# --- a small classifier ------------------------------------------------------------------------


class Listener(nn.Module):
    """Log-mel (B, 80, 115) -> logits: three convolutions, the third of 20 x 28 places, two layers.

    It has a twelfth of the work of SVDNet, so that each seed can have its own.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, classes: int, mean: np.ndarray, deviation: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean).float()[:, None])
        self.register_buffer("deviation", torch.from_numpy(deviation).float()[:, None])
        self.conv1 = nn.Conv2d(1, 16, 5, stride=2, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 48, 3, padding=1)
        self.pool, self.drop = nn.MaxPool2d(2, ceil_mode=False), nn.Dropout(0.3)
        self.fc4, self.fc5 = nn.Linear(48 * 10 * 14, 64), nn.Linear(64, classes)

    def forward(self, mel: Tensor) -> Tensor:
        x = ((mel - self.mean) / self.deviation)[:, None]
        x = functional.relu(self.conv1(x))
        x = functional.relu(self.pool(self.conv2(x)))
        x = functional.relu(self.pool(self.conv3(x))).flatten(1)
        return self.fc5(self.drop(functional.relu(self.fc4(self.drop(x)))))


def listener(train: Split, classes: int, seed: int, updates: int) -> Listener:
    """A network trained on excerpts from anywhere, 32 in an update, their level changed by 6 dB."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network, centres = Listener(classes, *train.band_statistics()), train.whole_excerpts()
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=updates)
    for _ in range(updates):
        rows = centres[random.choice(len(centres), 32, replace=False)]
        gains = random.uniform(-0.7, 0.7, (32, 1, 1)).astype(np.float32)  # nat
        wanted = torch.tensor([int(train.labels[i][frame]) for i, frame in rows])
        logits = network(torch.from_numpy(train.gather(rows) + gains))
        loss = functional.cross_entropy(logits, wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval().requires_grad_(False)


def kept_listener(
    train: Split, classes: int, seed: int, updates: int, folder: Path | None
) -> Listener:
    """As `listener`; its weights are kept in a folder, and read from there."""
    if folder is None:
        return listener(train, classes, seed, updates)
    path = folder / f"listener-{seed}-{updates}.pt"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(listener(train, classes, seed, updates).state_dict(), path)
    network = Listener(classes, *train.band_statistics())
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval().requires_grad_(False)


# --- the explainer ------------------------------------------------------------------------------


class KnownTraining(PartsTraining):
    """A training on features that are computed once, with a form of the filter loss."""

    stored: Tensor

    def prepare(self, every: int) -> None:
        """Compute the features of the training excerpts, one of `every` frames."""
        self.centres = self.task.train.whole_excerpts(every)
        parts = [
            self.features(self.inputs(self.centres[first : first + CHUNK]))[0].half()
            for first in range(0, len(self.centres), CHUNK)
        ]
        self.stored = torch.cat(parts)

    def training_features(self, rows: np.ndarray) -> tuple[Tensor, tuple[Tensor, ...]]:
        features = self.stored[torch.from_numpy(rows)].float()
        with torch.no_grad():
            return features, self.own(features)


class CategoryTraining(KnownTraining):
    """With the loss of categories, whose weight falls to zero at the last update."""

    events = 1

    @cached_property
    def categories(self) -> Categories:
        return Categories(len(self.explainer.scale), self.task.networks[0].outputs)

    def step(self, step: int) -> dict[str, float]:
        self.left = 1 - step / self.task.config.steps
        return super().step(step)

    def training_features(self, rows: np.ndarray) -> tuple[Tensor, tuple[Tensor, ...]]:
        features, targets = super().training_features(rows)
        with torch.no_grad():
            self.network_decides = self.decided(targets[-1])
        return features, targets

    def filter_loss(self, encoding: Encoding) -> Tensor:
        own = self.categories.own(encoding.maps, self.network_decides)
        return self.left * category_loss(sharpen_maps(encoding.maps), own, self.events).mean()


class EventTraining(CategoryTraining):
    events = MOST_EVENTS


def trained(task: Task, way: str, stored: Tensor | None, every: int) -> KnownTraining:
    """The training at its end."""
    kind = {"categories": CategoryTraining, "events": EventTraining}.get(way, KnownTraining)
    if way in ("masks", "events alone"):
        task = replace(task, config=replace(task.config, filter_weight=0.0))
    training = kind(task)
    if stored is None:
        training.prepare(every)
    else:
        training.centres, training.stored = training.task.train.whole_excerpts(every), stored
    if way.startswith("events"):
        training.explainer.mask = SeveralMask(MOST_EVENTS)  # type: ignore[assignment]
    if way not in FILTERS:
        for step in range(task.config.steps):
            training.step(step)
    training.explainer.eval()
    return training


Maps = Callable[[Tensor], Tensor]


@torch.no_grad()
def read_peaks(training: KnownTraining, known: Known, maps: Maps, made: Maps) -> Found:
    """Peaks of `maps`, and decisions from what `made` makes of the layer's features."""
    strength, places, right = [], [], []
    for first in range(0, len(known.inputs), CHUNK):
        features = training.features(torch.from_numpy(known.inputs[first : first + CHUNK]))[0]
        found = maps(features)
        strength.append(found.amax(dim=(2, 3)).numpy())
        places.append(peaks(found).numpy())
        decided = training.decided(made(features)).numpy()
        right.append(decided == known.classes[first : first + CHUNK])
    share = float(np.concatenate(right).mean())
    return Found(np.concatenate(strength), np.concatenate(places), training.geometry, share)


def of_chance(training: KnownTraining, known: Known, seed: int) -> Found:
    random = np.random.default_rng(seed)
    shape = len(known.inputs), len(training.explainer.scale)
    places = np.stack([random.integers(size, size=shape) for size in training.stored.shape[2:]], 2)
    return Found(random.random(shape), places, training.geometry, float("nan"))


def of_own(training: KnownTraining, known: Known, seed: int) -> Found:
    return read_peaks(training, known, lambda x: x, lambda x: training.own(x)[-1])


def of_parts(training: KnownTraining, known: Known, seed: int) -> Found:
    explainer = training.explainer
    found = read_peaks(
        training, known, lambda x: explainer.encode(x).maps,
        lambda x: explainer.decode(explainer.encode(x).features)[-1],
    )  # fmt: skip
    return replace(found, p=explainer.share.item())


# --- rivals -------------------------------------------------------------------------------------


def vectors(training: KnownTraining, seed: int) -> np.ndarray:
    """Features (M, D) at random places of the training excerpts."""
    random = np.random.default_rng(seed)
    count, _, height, width = training.stored.shape
    rows = random.integers(count, size=VECTORS), random.integers(height * width, size=VECTORS)
    return training.stored.flatten(2)[rows[0], :, rows[1]].float().numpy()


def by_place(features: Tensor, of_vectors: Maps) -> Tensor:
    """Maps of what a function of vectors (M, D) returns at each place."""
    count, channels, height, width = features.shape
    flat = features.permute(0, 2, 3, 1).reshape(-1, channels)
    return of_vectors(flat).reshape(count, height, width, -1).permute(0, 3, 1, 2)


def of_nmf(training: KnownTraining, known: Known, seed: int) -> Found:
    seen = vectors(training, seed)
    scale = seen.mean(axis=0).clip(1e-6)
    model = MiniBatchNMF(seen.shape[1], batch_size=4096, max_iter=30, random_state=seed)
    model.fit(seen / scale)
    basis = torch.from_numpy(model.components_ * scale).float()

    def activity(flat: Tensor) -> Tensor:
        """Multiplicative updates for fixed components."""
        found = torch.full((len(flat), len(basis)), float(flat.mean()) + 1e-6)
        fixed, gram = flat / torch.from_numpy(scale).float(), basis / torch.from_numpy(scale)
        upper, inner = fixed @ gram.T, gram @ gram.T
        for _ in range(30):
            found = found * upper / (found @ inner + 1e-9)
        return found

    return read_peaks(
        training, known, lambda x: by_place(x, activity),
        lambda x: training.own(by_place(x, lambda flat: activity(flat) @ basis))[-1],
    )  # fmt: skip


def of_sae(training: KnownTraining, known: Known, seed: int, steps: int = 1500) -> Found:
    """A sparse autoencoder (Gao et al., arXiv 2406.04093): the `ACTIVE` largest features."""
    seen = torch.from_numpy(vectors(training, seed))
    torch.manual_seed(seed)
    middle, size = seen.mean(dim=0), float(seen.std())
    width = seen.shape[1]
    down = nn.Parameter(functional.normalize(torch.randn(width, width), dim=1))
    up = nn.Parameter(down.detach().clone().T)
    optimiser = torch.optim.Adam([down, up], 1e-3)

    def activity(flat: Tensor) -> Tensor:
        before = torch.relu((flat - middle) / size @ up)
        best = before.topk(ACTIVE, dim=1)
        return torch.zeros_like(before).scatter(1, best.indices, best.values)

    def made(flat: Tensor) -> Tensor:
        return activity(flat) @ down * size + middle

    for _ in range(steps):
        batch = seen[torch.randint(len(seen), (512,))]
        loss = (made(batch) - batch).square().mean() / size**2
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return read_peaks(
        training, known, lambda x: by_place(x, activity),
        lambda x: training.own(by_place(x, made).relu())[-1],
    )  # fmt: skip


FILTERS = {"chance": of_chance, "own": of_own, "nmf": of_nmf, "sae": of_sae}


def print_means(measured: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Print the means of each way over its seeds, and by how much they differ from the own layer's.

    Differences are of the same seed and network, with 95 % intervals by Student's t.
    """
    own = measured.get("own", ())
    for way, seeds in measured.items():
        for name in seeds[0]:
            values = [each[name] for each in seeds]
            text = f"mean of {len(seeds)} seeds, {way}: {name} {np.mean(values):.4f}"
            if way != "own" and len(own) == len(seeds) > 1:
                tested = ttest_rel(values, [each[name] for each in own])
                low, high = tested.confidence_interval()
                text += f", minus that of own {(low + high) / 2:+.4f} ({low:+.4f} to {high:+.4f})"
            print(text)


def run(words: Sequence[str]) -> None:
    """Print the figures of each way and seed, and the means of the seeds."""
    parser = argparse.ArgumentParser(prog="learned.py known", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--classifier", default="")
    parser.add_argument("--updates", type=int, default=600, help="of a network of its own")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=list(WAYS))
    parser.add_argument("--keep", type=Path, help="folder for the networks of its own")
    parser.add_argument("--every", type=int, default=20, help="frames between excerpts")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    given = parser.parse_args(words)
    changed: dict[str, Any] = {
        name: float(value) for name, value in (each.split("=") for each in given.set)
    }
    changed = {"filter_weight": FILTER_WEIGHT} | changed
    changed |= {n: int(changed[n]) for n in ("steps", "batch_size") if n in changed}
    material = open_corpus([str(given.folder / "manifest.csv")])
    train, valid, test = (
        load_split(material, name, FrontEnd(), cache_directory(""), NullProgress())
        for name in ("train", "valid", "test")
    )
    assert isinstance(train, Split) and isinstance(test, Split)
    known = known_inputs(given.folder, test, 2 * given.every)
    measured: dict[str, list[dict[str, float]]] = {way: [] for way in given.ways}
    for seed in given.seeds:
        stored = None
        if given.classifier:
            network = load_target(NetworkSource(given.classifier), None, CPU)
        else:
            own = kept_listener(train, len(material.classes), seed, given.updates, given.keep)
            network = TargetNetwork(own, FrontEnd(), OutputNames("fc5"), len(material.classes))
        config = TrainExplainerConfig(corpus=("",), method="parts", seed=seed, **changed)
        task = Task(
            config.of_method(), ("classifier",), (network,), train, valid, CPU, Path(),
            NullProgress(),
        )  # fmt: skip
        for way in given.ways:
            started = time.process_time()
            training = trained(task, way, stored, given.every)
            stored = training.stored
            found = FILTERS.get(way, of_parts)(training, known, seed)
            spent = time.process_time() - started
            measured[way].append(figures(found, known))
            text = ", ".join(f"{k} {v:.4f}" for k, v in measured[way][-1].items())
            print(f"seed {seed}, {way}: {text}; {spent:.0f} s", flush=True)
    print_means(measured)
