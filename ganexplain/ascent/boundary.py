"""The decision boundary of a unit's response, which a counterfactual crosses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ganexplain.ascent.engine import start_latents
from ganexplain.ascent.gradients import check_gradient, refuse_unfollowed
from ganexplain.classifiers.base import ExcerptNet
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


@contextmanager
def decision_boundary(
    config: CounterfactualConfig, explained: TargetNetwork, generator: AnyGenerator
) -> Iterator[DecisionBoundary]:
    """The boundary of the requested unit, while open; UsageError if it has no gradient."""
    network, names = explained.network, explained.names
    example = generator(torch.zeros(1, LATENT_SIZE, device=explained.device))
    (named,) = explained.layers([config.layer])
    layer, colon, _ = named.partition(":")
    find_layer(network, layer)
    requested = named if colon else f"{layer}:{config.neuron}"
    unit = parse_unit(requested, network, example, names, "--neuron")
    samples = torch.from_numpy(start_latents(config.seed, BATCH, LATENT_SIZE)).to(example.device)
    unfollowed, _ = check_gradient(generator, network, unit, samples, BATCH)
    refuse_unfollowed([unfollowed] if unfollowed else [], 1)
    name, kind = explained.class_of(unit), _output_kind(config, explained, generator(samples))
    with layer_output(network, unit.layer) as compute:

        def response(mel: Tensor) -> Tensor:
            return unit.read(compute(mel))

        if name and unit.channel is not None and kind != "activations" and not config.level:
            others = [other for other in names.classes if other != name]
            threshold = probability_threshold(explained.threshold, kind)
            decide = partial(decision_margin, neuron=unit.channel, threshold=threshold)
            yield DecisionBoundary(
                unit,
                name,
                response,
                lambda mel: decide(output_logits(unit_values(compute(mel)), kind)),
                (others[0] if len(others) == 1 else f"not {name}", name),
                "the classifier's decision",
            )
        else:
            given = config.level
            level = parse_level(given) if given else _median(config, generator, response)
            sides = (f"below {level:.4g}", f"above {level:.4g}")
            meaning = f"level {level:.6g}"
            yield DecisionBoundary(
                unit, name, response, lambda mel: response(mel) - level, sides, meaning
            )


@torch.no_grad()
def _output_kind(config: CounterfactualConfig, explained: TargetNetwork, samples: Tensor) -> str:
    """The kind of the network's outputs, as asked for or as guessed from those for samples."""
    if isinstance(explained.network, ExcerptNet):
        return "logits"
    check_known("--outputs", config.outputs, (AUTO, *OUTPUTS))
    if config.outputs != AUTO:
        return config.outputs
    return guess_output_kind(unit_values(explained.network(samples)))


@torch.no_grad()
def _median(config: CounterfactualConfig, generator: AnyGenerator, response: Response) -> float:
    latents = torch.from_numpy(start_latents(config.seed, MEDIAN_SAMPLES, LATENT_SIZE))
    parts = latents.to(generator.mean.device).split(BATCH)
    return float(torch.cat([response(generator(part)) for part in parts]).median())


def parse_level(text: str) -> float:
    """The number in `--level`; UsageError for anything else."""
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not math.isfinite(level):
        raise UsageError(f"--level {text}: give a number, a response of the unit")
    return level
