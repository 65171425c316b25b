"""The two sides of a unit's responses, between which a counterfactual crosses."""

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
from ganexplain.classifiers.checkpoint import Classifier
from ganexplain.classifiers.prediction import decision_margin
from ganexplain.config import CounterfactualConfig
from ganexplain.errors import UsageError
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.networks import AnyGenerator
from ganexplain.networks.adapted import Names
from ganexplain.networks.hooks import Response, find_layer, layer_output
from ganexplain.networks.readings import Neuron, reading, units
from ganexplain.networks.units import chosen_neuron

OUTPUT_LAYER = "fc9"
SAMPLES_BEHIND_MEDIAN = 256
BATCH = 32


@dataclass(frozen=True)
class Divided:
    """A unit of a layer, its responses, and on which side of a divide they are."""

    layer: str
    neuron: Neuron
    response: Response
    margin: Response  # above zero on the upper side
    sides: tuple[str, str]  # names of the lower and the upper
    meaning: str


@contextmanager
def divided_by_side(
    config: CounterfactualConfig, classifier: Classifier, generator: AnyGenerator
) -> Iterator[Divided]:
    """The unit asked for, while the block is open; UsageError where there is none to follow."""
    network = classifier.network
    example = generator(torch.zeros(1, LATENT_SIZE, device=network.mean.device))
    asked = config.layer if ":" in config.layer else f"{config.layer}:{config.neuron}"
    names = Names(OUTPUT_LAYER, classifier.classes)
    find_layer(network, config.layer.partition(":")[0])
    layer, neuron = chosen_neuron(asked, network, example, names, "--neuron")
    samples = torch.from_numpy(start_latents(config.seed, BATCH, LATENT_SIZE)).to(example.device)
    unfollowed, _ = check_gradient(generator, network, layer, neuron, samples, BATCH)
    refuse_unfollowed([unfollowed] if unfollowed else [], 1)
    with layer_output(network, layer) as put_out:
        read = reading(neuron)

        def response(mel: Tensor) -> Tensor:
            return read(put_out(mel))

        if layer == OUTPUT_LAYER and isinstance(neuron, int) and not config.level:
            decide = partial(decision_margin, neuron=neuron, threshold=classifier.threshold)
            yield Divided(
                layer,
                neuron,
                response,
                lambda mel: decide(units(put_out(mel))),
                _class_sides(classifier, neuron),
                "the classifier's decision",
            )
        else:
            given = config.level
            level = given_level(given) if given else _median(config, generator, response)
            sides = (f"below {level:.4g}", f"above {level:.4g}")
            meaning = f"level {level:.6g}"
            yield Divided(
                layer, neuron, response, lambda mel: response(mel) - level, sides, meaning
            )


def _class_sides(classifier: Classifier, neuron: int) -> tuple[str, str]:
    """What is decided where the unit's class is not, and where it is."""
    name = classifier.unit_name(OUTPUT_LAYER, neuron)
    others = [other for other in classifier.classes if other != name]
    return (others[0] if len(others) == 1 else f"not {name}"), name


@torch.no_grad()
def _median(config: CounterfactualConfig, generator: AnyGenerator, response: Response) -> float:
    latents = torch.from_numpy(start_latents(config.seed, SAMPLES_BEHIND_MEDIAN, LATENT_SIZE))
    parts = latents.to(generator.mean.device).split(BATCH)
    return float(torch.cat([response(generator(part)) for part in parts]).median())


def given_level(text: str) -> float:
    """The number that `--level` gives; UsageError for anything else."""
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not math.isfinite(level):
        raise UsageError(f"--level {text}: give a number, a response of the unit")
    return level
