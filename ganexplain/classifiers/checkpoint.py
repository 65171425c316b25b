"""Networks from checkpoints, ready to be explained: frozen, in eval mode, on a device."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from ganexplain.audio.log_mel import usable_front_end
from ganexplain.classifiers.architectures import ARCHITECTURES, OF_SOUND, architecture_of, build
from ganexplain.classifiers.base import BANDS, FRAMES, ExcerptNet
from ganexplain.errors import GanexplainError, UsageError, reason_of, shown
from ganexplain.files.checkpoints import read_checkpoint, write_checkpoint
from ganexplain.gans.dcgan import CHANNELS
from ganexplain.gans.networks import AnyEncoder, AnyGenerator, encoder_for, generator_for
from ganexplain.inputs.kinds import FrontEnd, ImageInput, Input
from ganexplain.inputs.specification import input_values

CLASSIFIER_KEYS = ("outputs", "weights", "front_end", "classes", "threshold", "figures")
Network = TypeVar("Network", bound=nn.Module)
Plain = TypeVar("Plain", int, float, list[Any], dict[str, Any])


@dataclass(frozen=True)
class Classifier:
    """A classifier and what must be known to use it; `threshold` is of the second class.

    `corpora` are those that it was trained on, as the command named them.
    """

    network: ExcerptNet
    front_end: Input
    classes: tuple[str, ...]
    threshold: float
    figures: dict[str, Any]
    corpora: tuple[str, ...] = ()

    @property
    def sound(self) -> FrontEnd:
        """Its front end; UsageError for a classifier of pictures."""
        if isinstance(self.front_end, FrontEnd):
            return self.front_end
        raise UsageError(f"the classifier takes {self.front_end.kind}s, not recordings")

    def unit_name(self, layer: str, neuron: int | str) -> str:
        """The class an output unit stands for, or an empty string."""
        if layer != "fc9" or not isinstance(neuron, int):
            return ""
        return self.classes[-1] if self.network.outputs == 1 else self.classes[neuron]


def write_classifier(path: Path, classifier: Classifier, config: Any) -> None:
    """Write `classifier.pt`."""
    content = {
        "architecture": architecture_of(classifier.network),
        "outputs": classifier.network.outputs,
        "weights": classifier.network.state_dict(),
        "front_end": input_values(classifier.front_end),
        "classes": list(classifier.classes),
        "threshold": classifier.threshold,
        "figures": classifier.figures,
        "config": asdict(config),
    }
    write_checkpoint(path, "classifier", content)


def load_classifier(path: Path, device: torch.device) -> Classifier:
    """Read `classifier.pt`; errors as `read_checkpoint`."""
    content = read_checkpoint(path, "classifier", CLASSIFIER_KEYS)
    architecture = content.get("architecture", "svdnet")
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise GanexplainError(
            f"{path}: architecture {shown(architecture)} is unknown here (known: {known}); "
            "update ganexplain"
        )
    drawn = usable_front_end(path, content["front_end"])
    if architecture in OF_SOUND and drawn.shape != (BANDS, FRAMES):
        raise GanexplainError(
            f"{path}: front_end has excerpts of {drawn.shape}, a {architecture} takes mel_bands = "
            f"{BANDS} and excerpt_frames = {FRAMES}; make it again"
        )
    if architecture not in OF_SOUND and not isinstance(drawn, ImageInput):
        raise GanexplainError(
            f"{path}: front_end is of sound, a {architecture} takes pictures; make it again"
        )
    outputs, classes = _plain(path, content, "outputs", int), _plain(path, content, "classes", list)
    if not all(isinstance(name, str) for name in classes) or len(classes) != max(outputs, 2):
        raise GanexplainError(
            f"{path}: classes are {shown(classes)}, with {outputs} outputs; make it again"
        )
    threshold = _plain(path, content, "threshold", float)
    if not 0 < threshold < 1:
        raise GanexplainError(f"{path}: threshold is {threshold:g}, not within 0..1; make it again")
    network = _filled(path, content["weights"], lambda: build(architecture, outputs, drawn))
    return Classifier(
        network=frozen(network, device),
        front_end=drawn,
        classes=tuple(classes),
        threshold=threshold,
        figures=_plain(path, content, "figures", dict),
        corpora=_corpora(content.get("config")),
    )


def load_generator(path: Path, device: torch.device) -> tuple[AnyGenerator, Input]:
    """Read the averaged generator of `gan.pt`; errors as `read_checkpoint`."""
    content = read_checkpoint(path, "gan", ("generator", "front_end"))
    drawn = usable_front_end(path, content["front_end"])
    # Files written before the size was a setting hold the small generator.
    channels = _plain(path, {"channels": CHANNELS} | content, "channels", int)
    generator = _filled(path, content["generator"], lambda: generator_for(drawn, channels=channels))
    return frozen(generator, device), drawn


def load_encoder(path: Path, device: torch.device) -> AnyEncoder:
    """Read the encoder that belongs to the generator of `gan.pt`; errors as `read_checkpoint`.

    GanexplainError where there is none, as in what is left of a training that diverged.
    """
    content = read_checkpoint(path, "gan", ("front_end",))
    if "encoder" not in content:
        raise GanexplainError(
            f"{path}: holds no encoder, which finds the latents of real excerpts; "
            "name the gan.pt of a training that came to its end"
        )
    drawn = usable_front_end(path, content["front_end"])
    encoder = _filled(path, content["encoder"], lambda: encoder_for(drawn))
    return frozen(encoder, device)


def _corpora(config: object) -> tuple[str, ...]:
    """The corpora that a checkpoint's settings name, as they were typed."""
    named = config.get("corpus") if isinstance(config, Mapping) else None
    return tuple(map(str, named)) if isinstance(named, list | tuple) else ()


def _plain(path: Path, content: Mapping[str, Any], name: str, kind: type[Plain]) -> Plain:
    """A value of a checkpoint; GanexplainError where it is of another kind."""
    value = content[name]
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise GanexplainError(
            f"{path}: {name} is {shown(value)}, not {kind.__name__}; make it again"
        )
    return value


def _filled(path: Path, weights: Any, make: Callable[[], Network]) -> Network:
    """As `filled`; GanexplainError that names the file."""
    try:
        return filled(weights, make)
    except ValueError as error:
        raise GanexplainError(f"{path}: {error}") from error


def filled(weights: Any, make: Callable[[], Network]) -> Network:
    """The network that `make` makes, with weights; ValueError where they do not fit it.

    Memory for it is taken once their shapes are known to fit, and all of it to be there.
    """
    try:
        if not isinstance(weights, Mapping):
            raise TypeError(f"they are {shown(weights)}")
        with torch.device("meta"):
            make().load_state_dict(weights, assign=True)
        storages = [value.untyped_storage() for value in weights.values()]
        kept = {storage.data_ptr(): storage.nbytes() for storage in storages}
        if sum(value.nbytes for value in weights.values()) > sum(kept.values()):
            raise ValueError("they claim to be larger than they are")
        network = make()
        network.load_state_dict(weights)
    except UsageError:
        raise
    except Exception as error:  # torch raises many kinds for numbers that it cannot make layers of
        raise ValueError(f"weights do not fit the network ({reason_of(error)})") from error
    for name, value in network.state_dict().items():
        if not torch.isfinite(value).all():
            raise ValueError(f"weight {name} holds values that are not finite")
    return network


def frozen(network: Network, device: torch.device) -> Network:
    """The network on the device as ascent is fastest: eval mode, frozen weights, channels last."""
    network = network.to(device).eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
