"""The decision boundary of a unit's response, which a counterfactual crosses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ganexplain.ascent.engine import start_latents
from ganexplain.ascent.gradients import check_gradient, refuse_unfollowed
from ganexplain.classifiers.prediction import decision_margin
from ganexplain.config import CounterfactualConfig
from ganexplain.errors import UsageError, check_known
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.networks import AnyGenerator
from ganexplain.networks.decisions import (
    AUTO,
    OUTPUTS,
    guess_output_kind,
    output_logits,
    probability_threshold,
)
from ganexplain.networks.hooks import Response, find_layer, layer_output
from ganexplain.networks.layer_units import unit_values
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.unit_syntax import parse_unit
from ganexplain.networks.units import Unit

MEDIAN_SAMPLES = 256  # samples of the prior for the median response
BATCH = 32


@dataclass(frozen=True)
class DecisionBoundary:
    """A unit, its response, and the boundary between two sides of the response."""

    unit: Unit
    name: str  # of the unit's class, or empty
    response: Response
    margin: Response  # above zero on the upper side
    sides: tuple[str, str]  # names of the lower and the upper side
    meaning: str
    level: float | None  # of the response, where that alone decides


@dataclass(frozen=True)
class Trials:
    """Inputs with which a unit is tried: `make` turns starts (N, ...) into the network's inputs.

    `starts` show whether the response has a gradient, `many` returns about so many others.
    """

    make: nn.Module
    starts: Tensor
    many: Callable[[int], Tensor]

    @classmethod
    def of_generator(cls, generator: AnyGenerator, seed: int) -> Trials:
        """Samples of a GAN."""
        device = generator.mean.device

        def latents(count: int) -> Tensor:
            return torch.from_numpy(start_latents(seed, count, LATENT_SIZE)).to(device)

        return cls(generator, latents(BATCH), latents)

    @torch.no_grad()
    def median(self, response: Response) -> float:
        """The median response to many inputs."""
        parts = self.many(MEDIAN_SAMPLES).split(BATCH)
        return float(torch.cat([response(self.make(part)) for part in parts]).median())


@contextmanager
def decision_boundary(
    config: CounterfactualConfig, explained: TargetNetwork, trials: Trials
) -> Iterator[DecisionBoundary]:
    """The boundary of the requested unit, while open; UsageError if it has no gradient."""
    network, names = explained.network, explained.names
    with torch.no_grad():
        example = trials.make(trials.starts[:1])
    (named,) = explained.layers([config.layer])
    layer, colon, _ = named.partition(":")
    find_layer(network, layer)
    requested = named if colon else f"{layer}:{config.neuron}"
    unit = parse_unit(requested, network, example, names, "--neuron")
    unfollowed, _ = check_gradient(trials.make, network, unit, trials.starts, BATCH)
    refuse_unfollowed([unfollowed] if unfollowed else [], 1)
    name, kind = explained.class_of(unit), _output_kind(config, explained, trials)
    with layer_output(network, unit.layer) as compute:

        def response(inputs: Tensor) -> Tensor:
            return unit.read(compute(inputs))

        if name and unit.channel is not None and kind != "activations" and not config.level:
            others = [other for other in names.classes if other != name]
            decide = class_margin(explained, unit.channel, kind)
            yield DecisionBoundary(
                unit,
                name,
                response,
                lambda inputs: decide(unit_values(compute(inputs))),
                (others[0] if len(others) == 1 else f"not {name}", name),
                "the classifier's decision",
                output_level(explained, kind) if explained.outputs == 1 else None,
            )
        else:
            given = config.level
            level = parse_level(given) if given else trials.median(response)
            sides = (f"below {level:.4g}", f"above {level:.4g}")
            meaning = f"level {level:.6g}"
            yield DecisionBoundary(
                unit, name, response, lambda inputs: response(inputs) - level, sides, meaning, level
            )


def output_level(explained: TargetNetwork, kind: str) -> float:
    """The value of a network's only output, of a kind, at which its decision changes."""
    threshold = explained.threshold
    return probability_threshold(threshold, kind) if kind == "probabilities" else threshold


def class_margin(explained: TargetNetwork, unit: int, kind: str) -> Response:
    """The margin (B,) of the class of an output unit, from outputs (B, K) of a kind."""
    threshold = probability_threshold(explained.threshold, kind)
    decide = partial(decision_margin, neuron=unit, threshold=threshold)
    return lambda outputs: decide(output_logits(outputs, kind))


@torch.no_grad()
def _output_kind(config: CounterfactualConfig, explained: TargetNetwork, trials: Trials) -> str:
    """The kind of the network's outputs, as asked for or as guessed from those for trials."""
    if config.classifier:
        return "logits"
    check_known("--outputs", config.outputs, (AUTO, *OUTPUTS))
    if config.outputs != AUTO:
        return config.outputs
    return guess_output_kind(unit_values(explained.network(trials.make(trials.starts))))


def parse_level(text: str) -> float:
    """The number in `--level`; UsageError for anything else."""
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not math.isfinite(level):
        raise UsageError(f"--level {text}: give a number, a response of the unit")
    return level
