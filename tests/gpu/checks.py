"""Whether the device computes what a CPU computes, and resumes trainings exactly."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gpu.bench import OUTPUT, Bench, Report, classifier_training, gan_training
from torch import Tensor

from ganexplain.ascent.engine import ascend, start_latents
from ganexplain.ascent.settings import Starts
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.training import GanTraining
from ganexplain.networks.hooks import unit_response
from ganexplain.networks.units import Unit
from ganexplain.runs.precision import in_precision

UNITS = (OUTPUT, "fc8:17", "conv5:3")
LIMIT = 1e-3  # between devices, relative to the spread of the values


def check_responses(bench: Bench, report: Report) -> None:
    """Responses of three units to real excerpts, on the device and on the CPU."""
    for name in UNITS:
        found = []
        for device in (bench.cpu, bench.device):
            network = bench.networks(device)[1]
            with (
                torch.no_grad(),
                in_precision("float32", device),
                unit_response(network, Unit.parse(name)) as respond,
            ):
                found.append(respond(bench.excerpts.to(device)).cpu().numpy())
        report.check(f"responses of {name}", relative(found[1], found[0]), LIMIT)


def check_trajectories(bench: Bench, report: Report) -> None:
    """The first steps of a search; later ones of a chaotic map may differ."""
    starts = Starts(start_latents(0, 4, LATENT_SIZE), 0.01, 0.01)
    found = []
    for device in (bench.cpu, bench.device):
        with (
            bench.objective(device, OUTPUT) as objective,
            in_precision("float32", device),
        ):
            found.append(ascend(objective, starts, (10,), bench.settings(device)))
    for name in ("response_trace", "latent"):
        wanted, other = (getattr(result, name) for result in found)
        report.check(f"trajectories, {name}", relative(other, wanted), LIMIT)


def check_resume(bench: Bench, report: Report) -> None:
    """Trainings of four steps, and of two that another two resume: bit for bit."""

    def whole_and_resumed(make: Callable[[], Any], step: Callable[[Any, int], object]) -> float:
        training = make()
        for k in range(4):
            if k == 2:
                kept = copy.deepcopy(training.state())
            step(training, k)
        resumed = make()
        resumed.restore(kept)
        for k in (2, 3):
            step(resumed, k)
        return largest_difference(training.state(), resumed.state())

    def gan() -> GanTraining:
        return gan_training(bench, bench.sizes.channels[0])

    report.check("resumed GAN", whole_and_resumed(gan, lambda t, k: t.step(k)), 0.0)
    batches = classifier_training(bench)[1]
    difference = whole_and_resumed(
        lambda: classifier_training(bench)[0], lambda t, k: t.step(k, batches.make(k))
    )
    report.check("resumed classifier", difference, 0.0)


def relative(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference in units of the wanted values' deviation."""
    return float(np.abs(found - wanted).max() / max(float(wanted.std()), 1e-12))


def largest_difference(first: Any, second: Any) -> float:
    """The largest absolute difference of the tensors and numbers of two states."""
    if isinstance(first, Tensor):
        return float((first.double() - second.double()).abs().max()) if first.numel() else 0.0
    if isinstance(first, dict):
        return max((largest_difference(first[k], second[k]) for k in first), default=0.0)
    if isinstance(first, list | tuple):
        pairs = zip(first, second, strict=True)
        return max((largest_difference(*pair) for pair in pairs), default=0.0)
    return abs(first - second) if isinstance(first, float | int) else 0.0
