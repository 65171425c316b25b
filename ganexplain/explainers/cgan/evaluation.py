"""How good a conditional GAN's maps are on held-out inputs, and what each condition is worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganexplain.explainers.cgan.dataset import CHUNK, Maps
from ganexplain.explainers.cgan.maps import scaled
from ganexplain.explainers.cgan.networks import MapGenerator
from ganexplain.report.tables import aligned

GRADIENT = "the input times the gradient"
BASELINES = {
    "l1_grey": "the input itself, grey",
    "l1_mean": "the mean training map",
    "l1_deepest": "the deepest condition",
    "l1_gradient": GRADIENT,
}


def _batches(maps: Maps) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """What is of the networks themselves, in pieces."""
    rows = maps.own_rows()
    for start in range(0, len(rows), CHUNK):
        yield maps.batch(rows[start : start + CHUNK])


def mean_maps(maps: Maps) -> Tensor:
    """Mean (n + 1, h, w) of all that is shown and of the target, of the networks themselves."""
    sums = [torch.cat([c, target], dim=1).sum(dim=0) for _, c, target in _batches(maps)]
    return torch.stack(sums).sum(dim=0) / len(maps.own_rows())


def correlations(first: Tensor, second: Tensor) -> Tensor:
    """Pearson correlation (B,) of maps (B, ..., H, W); 0 where one is flat."""
    a, b = (each.flatten(1).double() for each in (first, second))
    a, b = a - a.mean(dim=1, keepdim=True), b - b.mean(dim=1, keepdim=True)
    scale = (a.square().sum(dim=1) * b.square().sum(dim=1)).sqrt()
    return torch.where(scale > 0, (a * b).sum(dim=1) / scale.clamp_min(1e-30), 0.0)


def grey(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Inputs (B, *S) as maps (B, 1, h, w) of a size, 0 to 1: the mean of their channels."""
    plane = x.mean(dim=1, keepdim=True) if x.ndim == 4 else x[:, None]
    return scaled(functional.adaptive_avg_pool2d(plane, size))


@torch.no_grad()
def figures_of(generator: MapGenerator, train: Maps, held_out: Maps) -> dict[str, float]:
    """Mean absolute errors `l1` on held-out inputs, of trivial maps too, and correlations."""
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
                found[f"correlation{name}"] = correlations(maps[name], target).sum()
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + float(value)
    return {name: value / len(held_out) for name, value in sums.items()}


@dataclass(frozen=True)
class Condition:
    """A condition: its number, the shallowest layer in it, and what it contributes."""

    condition: int
    layer: str
    relevance: float
    loss: float


@dataclass(frozen=True)
class Relevance:
    """What the conditions contribute, each and in groups: the content of `relevance.json`."""

    conditions: list[Condition]
    groups: dict[str, float]


@torch.no_grad()
def relevance_of(
    generator: MapGenerator, train: Maps, held_out: Maps, reach: list[str]
) -> Relevance:
    """What each condition contributes: how the map changes where its training mean stands for it.

    `relevance` is the mean absolute change of the map, `loss` what its error grows by; `layer`
    the shallowest layer of the condition. In three groups, as the paper asks: the deepest
    quarter of the conditions, the shallowest, and what lies between. The input times the
    gradient, where it is shown, is the last of the rows, and in no group.
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
    """Lines of text for stdout."""
    errors = f"held-out error {figures['l1']:.4f} (correlation {figures['correlation']:.3f}); "
    errors += ", ".join(f"{text} {figures[n]:.4f}" for n, text in BASELINES.items() if n in figures)
    rows = [
        [str(row.condition), row.layer, f"{row.relevance:.4f}", f"{row.loss:+.4f}"]
        for row in relevance.conditions
    ]
    titles = ["shown, down to", "map changes by", "error grows by"]
    groups = ", ".join(f"{name} {value:.4f}" for name, value in relevance.groups.items())
    return [errors, *aligned([["", *titles], *rows], left=1).splitlines(), f"mean change: {groups}"]
