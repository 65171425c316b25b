"""Errors of a conditional GAN's maps on held-out inputs, and the relevance of its conditions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganexplain.explainers.cgan.dataset import CHUNK, MapDataset
from ganexplain.explainers.cgan.maps import to_unit_range
from ganexplain.explainers.cgan.networks import MapGenerator
from ganexplain.report.tables import aligned

GRADIENT = "the input times the gradient"
BASELINES = {
    "l1_grey": "the input itself, grey",
    "l1_mean": "the mean training map",
    "l1_deepest": "the deepest condition",
    "l1_gradient": GRADIENT,
}


def _batches(maps: MapDataset) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield batches of the rows of the trained networks."""
    rows = maps.trained_rows()
    for start in range(0, len(rows), CHUNK):
        yield maps.batch(rows[start : start + CHUNK])


def mean_maps(maps: MapDataset) -> Tensor:
    """Return the mean (n + 1, h, w) of shown maps and target over rows of the trained networks."""
    sums = [torch.cat([c, target], dim=1).sum(dim=0) for _, c, target in _batches(maps)]
    return torch.stack(sums).sum(dim=0) / len(maps.trained_rows())


def map_correlations(first: Tensor, second: Tensor) -> Tensor:
    """Return the Pearson correlation (B,) of maps (B, ..., H, W); 0 where one is constant."""
    a, b = (each.flatten(1).double() for each in (first, second))
    a, b = a - a.mean(dim=1, keepdim=True), b - b.mean(dim=1, keepdim=True)
    scale = (a.square().sum(dim=1) * b.square().sum(dim=1)).sqrt()
    return torch.where(scale > 0, (a * b).sum(dim=1) / scale.clamp_min(1e-30), 0.0)


def grey(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Return inputs (B, *S) as maps (B, 1, h, w), 0 to 1: the mean of their channels."""
    plane = x.mean(dim=1, keepdim=True) if x.ndim == 4 else x[:, None]
    return to_unit_range(functional.adaptive_avg_pool2d(plane, size))


@torch.no_grad()
def evaluate_generator(
    generator: MapGenerator, train: MapDataset, held_out: MapDataset
) -> dict[str, float]:
    """Return mean absolute errors on held-out inputs and correlations, for baselines too."""
    mean = mean_maps(train)[-1:]
    sums: dict[str, float] = {}
    for x, shown, target in _batches(held_out):
        generated = generator(x, shown)
        maps = {"": generated, "_mean": mean, "_deepest": shown[:, :1]}
        if generator.gradient:
            maps["_gradient"] = shown[:, -1:]
        maps["_grey"] = grey(x, (target.shape[-2], target.shape[-1]))
        found = {f"l1{k}": (v - target).abs().mean(dim=(1, 2, 3)).sum() for k, v in maps.items()}
        for name in ("", "_deepest", "_gradient"):
            if name in maps:
                found[f"correlation{name}"] = map_correlations(maps[name], target).sum()
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + float(value)
    return {name: value / len(held_out) for name, value in sums.items()}


@dataclass(frozen=True)
class Condition:
    """A condition: its number, its shallowest layer and its contribution."""

    condition: int
    layer: str
    relevance: float
    loss: float


@dataclass(frozen=True)
class Relevance:
    """Contributions of single conditions and of groups: the content of `relevance.json`."""

    conditions: list[Condition]
    groups: dict[str, float]


@torch.no_grad()
def condition_relevance(
    generator: MapGenerator, train: MapDataset, held_out: MapDataset, reach: list[str]
) -> Relevance:
    """Measure how the map changes when a condition is replaced by its training mean.

    `relevance` is the mean absolute change of the map, `loss` the increase of its error. The three
    groups are those of the paper: the deepest quarter of the conditions, the shallowest quarter
    and those between. The input times the gradient, if shown, is the last row and in no group.

    Args:
        generator: the trained generator.
        train: training data, for the means.
        held_out: data to measure on.
        reach: name of the shallowest layer of each condition.
    """
    names = [*reach, GRADIENT] if generator.gradient else reach
    means = mean_maps(train)
    change, loss = np.zeros(len(names)), np.zeros(len(names))
    for x, shown, target in _batches(held_out):
        generated = generator(x, shown)
        error = (generated - target).abs().sum(dim=0).mean()
        for number in range(len(names)):
            without = shown.clone()
            without[:, number] = means[number]
            other = generator(x, without)
            change[number] += float((other - generated).abs().sum(dim=0).mean())
            loss[number] += float((other - target).abs().sum(dim=0).mean() - error)
    change, loss = change / len(held_out), loss / len(held_out)
    rows = [
        Condition(number, name, float(r), float(g))
        for number, (name, r, g) in enumerate(zip(names, change, loss, strict=True))
    ]
    return Relevance(rows, _groups(change[: len(reach)]))


def _groups(change: np.ndarray) -> dict[str, float]:
    edge = max(1, len(change) // 4)
    parts = {"deepest": change[:edge], "shallowest": change[-edge:], "between": change[edge:-edge]}
    return {name: float(part.mean()) for name, part in parts.items() if part.size}


def relevance_table(figures: dict[str, float], relevance: Relevance) -> list[str]:
    """Return the figures and the relevance as lines of text."""
    errors = f"held-out error {figures['l1']:.4f} (correlation {figures['correlation']:.3f}); "
    errors += ", ".join(f"{text} {figures[n]:.4f}" for n, text in BASELINES.items() if n in figures)
    rows = [
        [str(row.condition), row.layer, f"{row.relevance:.4f}", f"{row.loss:+.4f}"]
        for row in relevance.conditions
    ]
    titles = ["shown, down to", "map changes by", "error grows by"]
    groups = ", ".join(f"{name} {value:.4f}" for name, value in relevance.groups.items())
    return [errors, *aligned([["", *titles], *rows], left=1).splitlines(), f"mean change: {groups}"]
