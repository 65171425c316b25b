"""Networks from checkpoints, ready to be explained: frozen, in eval mode, on a device."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from ganexplain.artifacts import front_end_from_dict, read_checkpoint, write_checkpoint
from ganexplain.config import FrontEnd
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.inputs import Input, input_values
from ganexplain.models.architectures import ARCHITECTURES, architecture_of, build
from ganexplain.models.dcgan import CHANNELS
from ganexplain.models.excerptnet import ExcerptNet
from ganexplain.models.gan_networks import AnyEncoder, AnyGenerator, encoder_for, generator_for

CLASSIFIER_KEYS = ("outputs", "weights", "front_end", "classes", "threshold", "figures")
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Classifier:
    """A classifier and what must be known to use it; `threshold` is of the second class."""

    network: ExcerptNet
    front_end: Input
    classes: tuple[str, ...]
    threshold: float
    figures: dict[str, Any]

    @property
    def sound(self) -> FrontEnd:
        """Its front end; UsageError for a classifier of pictures."""
        if isinstance(self.front_end, FrontEnd):
            return self.front_end
        raise UsageError(f"the classifier takes {self.front_end.kind}s, not recordings")

    def unit_name(self, layer: str, neuron: int) -> str:
        """The class an output unit stands for, or an empty string."""
        if layer != "fc9":
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
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise GanexplainError(
            f"{path}: architecture {architecture!r} is unknown here (known: {known}); "
            "update ganexplain"
        )
    drawn = front_end_from_dict(path, content["front_end"])
    network = build(architecture, int(content["outputs"]), drawn)
    _fill(network, content["weights"], path)
    return Classifier(
        network=frozen(network, device),
        front_end=drawn,
        classes=tuple(content["classes"]),
        threshold=float(content["threshold"]),
        figures=content["figures"],
    )


def load_generator(path: Path, device: torch.device) -> tuple[AnyGenerator, Input]:
    """Read the averaged generator of `gan.pt`; errors as `read_checkpoint`."""
    content = read_checkpoint(path, "gan", ("generator", "front_end"))
    drawn = front_end_from_dict(path, content["front_end"])
    # Files written before the size was a setting hold the small generator.
    generator = generator_for(drawn, channels=int(content.get("channels", CHANNELS)))
    _fill(generator, content["generator"], path)
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
    encoder = encoder_for(front_end_from_dict(path, content["front_end"]))
    _fill(encoder, content["encoder"], path)
    return frozen(encoder, device)


def _fill(network: nn.Module, weights: dict[str, torch.Tensor], path: Path) -> None:
    try:
        network.load_state_dict(weights)
    except (RuntimeError, AttributeError, TypeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise GanexplainError(f"{path}: weights do not fit the network ({reason})") from error
    for name, value in network.state_dict().items():
        if not torch.isfinite(value).all():
            raise GanexplainError(f"{path}: weight {name} holds values that are not finite")


def frozen(network: Network, device: torch.device) -> Network:
    """The network on the device as ascent is fastest: eval mode, frozen weights, channels last."""
    network = network.to(device).eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
