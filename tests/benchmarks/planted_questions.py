"""What each method that is shipped says of networks whose truth is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from benchmarks.planted_causes import FRAME_RATE, FRONT_END, Cause, PlantedSound, bands
from torch import Tensor, nn

from ganexplain.artifacts.grid import Grid
from ganexplain.ascent.engine import ascend, start_latents
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.attribution.fills import Reference, fill
from ganexplain.attribution.masking import MaskedInput
from ganexplain.attribution.measures import check, measure
from ganexplain.attribution.methods.base import Question
from ganexplain.attribution.methods.registry import attribute, method_for
from ganexplain.attribution.scorer import Scorer
from ganexplain.attribution.segments import grid
from ganexplain.config import AttributeConfig, CounterfactualConfig
from ganexplain.counterfactuals.crossing import cross_boundary, refine_latent
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.networks import AnyEncoder, AnyGenerator
from ganexplain.metrics.detection import auroc
from ganexplain.metrics.path_similarity import path_similarity
from ganexplain.metrics.scores import Comparison, Examples, composite
from ganexplain.networks.adapter import named_layers
from ganexplain.networks.fast.optimize import optimize_frozen
from ganexplain.networks.hooks import record_outputs
from ganexplain.selection.paths import pooled

CPU = torch.device("cpu")
EXAMPLES, CHUNK = 12, 48
WHOLE_GRID = Grid((0.03, 0.1, 0.3), (0.0, 0.01), (8, 24), EXAMPLES, 0)
SMALL_GRID = Grid((0.03, 0.1), (0.01,), (8, 24), EXAMPLES, 0)
METHODS = (
    "occlusion", "lime", "lime-forest", "elime", "grad-cam", "captum:Saliency",
    "captum:IntegratedGradients", "captum:DeepLift", "captum:KernelShap", "random",
)  # fmt: skip
SEGMENTS = 10, 8  # spans of time, bands
SHELL = "shell"  # the prior with which `counterfactual` refines a latent
LAYERS = ("conv1", "pool3", "act4", "pool6", "act7", "act8")
EXPLAINED, CHECKED = 3, 1  # excerpts of each cause


# --- explain --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    """Log-mel (C, N, F, T) of C settings, and of the `start` (N, F, T) of their searches.

    `scores` are those of `select` against the real excerpts (M, F, T) that go furthest, `real`;
    `chosen` is the setting that the default rule of `select` ranks first.
    """

    settings: Sequence[tuple[float, float, int]]
    mel: np.ndarray
    start: np.ndarray
    real: np.ndarray
    scores: Mapping[str, Sequence[float]]

    @property
    def chosen(self) -> np.ndarray:
        """The examples (N, F, T) of the setting that is chosen."""
        table = {key: np.array(values) for key, values in self.scores.items()}
        mel: np.ndarray = self.mel[int(np.argmin(composite(table)))]
        return mel


def draw(
    network: nn.Module,
    generator: AnyGenerator,
    pool: np.ndarray,
    direction: str,
    seed: int,
    asked: Grid,
) -> Drawn:
    """Search what drives the output, and rank the settings by real excerpts of a pool (P, F, T)."""
    starts = start_latents(seed, EXAMPLES, LATENT_SIZE)

    def objective(latent: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            found: Tensor = network(generator(latent))[:, 0]
        return found.float()

    rows = np.arange(asked.rows)
    begun = Starts(np.tile(starts, (len(asked.pairs), 1)), *asked.of_rows(rows))
    settings = AscentSettings(direction, CHUNK)
    latent = asked.by_setting(ascend(objective, begun, asked.iterations, settings).latent)
    mel = generated(generator, latent.reshape(-1, LATENT_SIZE))
    mel = mel.reshape(*latent.shape[:2], *mel.shape[1:])
    arrays = asked.arrays()
    columns = [arrays[key].tolist() for key in ("learning_rate", "prior_weight", "iterations")]
    order = np.argsort(-settings.sign * outputs(network, pool), kind="stable")
    real = pool[order[: 2 * EXAMPLES]]
    return Drawn(
        list(zip(*columns, strict=True)),
        mel,
        generated(generator, starts),
        real,
        _scores(network, mel, latent, real),
    )


def _scores(
    network: nn.Module, mel: np.ndarray, latent: np.ndarray, real: np.ndarray
) -> dict[str, list[float]]:
    """Each score of `select` of C settings (C, N, F, T), against real excerpts (M, F, T)."""
    table: dict[str, list[float]] = {}
    beside = Examples(real, outputs(network, real), layer_features(network, real)["act8"])
    for excerpts, z in zip(mel, latent, strict=True):
        features = layer_features(network, excerpts)["act8"]
        mine = Examples(excerpts, outputs(network, excerpts), features, z)
        for key, value in Comparison(mine, beside).scores().items():
            table.setdefault(key, []).append(value)
    return table


@torch.no_grad()
def generated(generator: AnyGenerator, latent: np.ndarray) -> np.ndarray:
    """What the generator makes of latents (N, Z)."""
    parts = torch.from_numpy(np.ascontiguousarray(latent)).split(CHUNK)
    return np.concatenate([generator(part).numpy() for part in parts])


@torch.no_grad()
def outputs(network: nn.Module, mel: np.ndarray) -> np.ndarray:
    """The logits (N,) of log-mel (N, F, T)."""
    parts = torch.from_numpy(mel).split(CHUNK)
    return np.concatenate([network(part)[:, 0].numpy() for part in parts])


@torch.no_grad()
def layer_features(network: nn.Module, mel: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and maximum over places of the units of layers, (N, 2 U) each."""
    found: dict[str, list[Tensor]] = {name: [] for name in LAYERS}
    with record_outputs(network, {name: named_layers(network)[name] for name in LAYERS}) as values:
        for part in torch.from_numpy(mel).split(CHUNK):
            network(part)
            for name in LAYERS:
                units = (
                    values[name].flatten(2) if values[name].ndim > 2 else values[name][..., None]
                )
                # Both the mean and the maximum of one place, too, which `pooled` leaves out.
                places = units.expand(-1, -1, 2) if units.shape[2] == 1 else units
                found[name].append(pooled(places))
    return {name: torch.cat(parts).numpy() for name, parts in found.items()}


def similarity(network: nn.Module, drawn: Drawn, other: np.ndarray) -> dict[str, dict[str, float]]:
    """Path similarity of the chosen examples: its mean, its least and that of each layer.

    `from_samples`: the same where features of generated examples are deviations from those of the
    samples before the search, which the network may treat in another way than real excerpts.
    """
    mine, strong, others, start = (
        layer_features(network, each) for each in (drawn.chosen, drawn.real, other, drawn.start)
    )
    moved = {
        name: mine[name] - start[name].mean(axis=0) + others[name].mean(axis=0) for name in mine
    }
    found = {}
    for key, features in (("plain", mine), ("from_samples", moved)):
        each = path_similarity(features, strong, others)
        found[key] = {"mean": each.mean, "least": each.least, **each.layers}
    return found


# --- attribute ------------------------------------------------------------------------------


def question(network: nn.Module, fast: nn.Module, mel: np.ndarray) -> Question:
    """Why label 1? The parts are rectangles, and what is removed is the excerpt's mean."""
    x = torch.from_numpy(mel)
    height, width = mel.shape
    labels = grid(height, width, SEGMENTS[1], SEGMENTS[0])
    mean, deviation = (network.get_buffer(name)[:, None] for name in ("mean", "deviation"))
    reference = Reference(mean, deviation, FRONT_END.silence)
    filled = fill("mean", x, labels, reference)
    scorer = Scorer(network, 1, fast=fast)
    return Question(x, filled, labels, MaskedInput(x, labels, filled), scorer, network)


def attributions(
    network: nn.Module, mel: np.ndarray, planted: Sequence[PlantedSound], seed: int
) -> list[dict[str, dict[str, float]]]:
    """Of each excerpt, by method, agreement with the truth in time and frequency, and measures."""
    fast = optimize_frozen(network, torch.from_numpy(mel[:2]))
    settings = AttributeConfig(inputs=(), classifier="", samples=400)
    rows = []
    for number, (excerpt, sound) in enumerate(zip(mel, planted, strict=True)):
        asked, row = question(network, fast, excerpt), {}
        for name in METHODS:
            method = method_for(name, settings)
            found = attribute(asked, method, seed)
            measures = dict(measure(asked, found).measures)
            if number < CHECKED:
                measures |= check(asked, method, found, seed)
            kept = {key: value for key, value in measures.items() if value is not None}
            row[name] = truth(found.map, sound) | kept
        rows.append(row)
    return rows


def truth(area: np.ndarray, sound: PlantedSound) -> dict[str, float]:
    """AUROC in time and in frequency of a map (F, T), where the cause is at one place."""
    found = {}
    if sound.seconds:
        times = (np.arange(area.shape[1]) + 1.6) / FRAME_RATE  # the middle of a frame
        there = (sound.seconds[0] <= times) & (times <= sound.seconds[1])
        found["time_truth"] = auroc(area.mean(axis=0), there)
    if sound.hz:
        there = np.isin(np.arange(area.shape[0]), bands(*sound.hz))
        found["band_truth"] = auroc(area.mean(axis=1), there)
    return found


# --- counterfactual -------------------------------------------------------------------------


def counterfactual_shares(
    network: nn.Module,
    generator: AnyGenerator,
    encoder: AnyEncoder,
    cause: Cause,
    mel: Iterable[np.ndarray],
) -> list[float | None]:
    """What goes of the cause when the decision is changed, of each excerpt; None if it stays.

    It is relative to the reconstruction, which may have less of the cause than the excerpt; where
    the network calls it of the other class already, there is nothing to change.
    """
    settings = CounterfactualConfig(gan="", start_from=())
    shares: list[float | None] = []
    for each in mel:
        x = torch.from_numpy(each)
        with torch.no_grad():
            encoded = encoder(x[None])[0].numpy()[0]
        start = refine_latent(
            encoded, x, generator, generator.deviation, lambda m: network(m)[:, 0],
            SHELL, settings.refine_steps,
        )  # fmt: skip
        changed = cross_boundary(start, lambda z: network(generator(z))[:, 0], False, settings, CPU)
        before, after = cause.measure(generated(generator, np.stack([start, changed.latent])))
        shares.append(float(before - after) if changed.iterations > 0 else None)
    return shares
