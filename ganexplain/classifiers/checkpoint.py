"""Writes and reads `classifier.pt`; a network that is read is frozen and in eval mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import torch

from ganexplain import classifiers
from ganexplain.audio.log_mel import read_front_end
from ganexplain.classifiers.base import ARCHITECTURES, ExcerptNet, sound_architectures
from ganexplain.config import TrainClassifierConfig
from ganexplain.errors import GanexplainError, short_repr
from ganexplain.files.checkpoints import (
    build_network_from,
    freeze_network,
    plain_value,
    read_checkpoint,
    training_corpora,
    write_checkpoint,
)
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd, require_log_mel
from ganexplain.inputs.specification import input_values

for _each in iter_modules(classifiers.__path__):
    if _each.name.endswith("net"):  # the module of an architecture registers its class
        import_module(f"{classifiers.__name__}.{_each.name}")
LOG_MEL_ARCHITECTURES = tuple(sound_architectures())  # the choices of `--architecture`

CLASSIFIER_KEYS = ("outputs", "weights", "front_end", "classes", "threshold", "figures")


@dataclass(frozen=True)
class Classifier:
    """A classifier and its input, classes, threshold (of the second of two classes) and figures.

    `figures` are those of the validation and the test split, and the best `epoch`; `corpora` are
    the training corpora as named in the command.
    """

    network: ExcerptNet
    front_end: Input
    classes: tuple[str, ...]
    threshold: float
    figures: Mapping[str, float | Mapping[str, float]]
    corpora: tuple[str, ...] = ()

    @property
    def sound(self) -> FrontEnd:
        """Its front end; UsageError for a classifier of pictures."""
        otherwise = f"the classifier takes {self.front_end.kind}s, not recordings"
        return require_log_mel(self.front_end, otherwise)


def write_classifier(path: Path, classifier: Classifier, config: TrainClassifierConfig) -> None:
    """Write `classifier.pt` with the settings of its training."""
    content = {
        "architecture": architecture_name(classifier.network),
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
            f"{path}: architecture {short_repr(architecture)} is unknown here (known: {known}); "
            "update ganexplain"
        )
    input_spec = read_front_end(path, content["front_end"])
    if misfit := ARCHITECTURES[architecture].misfit(input_spec):
        raise GanexplainError(f"{path}: {misfit}; make it again")
    outputs, classes = (
        plain_value(path, content, "outputs", int),
        plain_value(path, content, "classes", list),
    )
    if not all(isinstance(name, str) for name in classes) or len(classes) != max(outputs, 2):
        raise GanexplainError(
            f"{path}: classes are {short_repr(classes)}, with {outputs} outputs; make it again"
        )
    threshold = plain_value(path, content, "threshold", float)
    if not 0 < threshold < 1:
        raise GanexplainError(f"{path}: threshold is {threshold:g}, not within 0..1; make it again")
    network = build_network_from(
        path, content["weights"], lambda: build_classifier(architecture, outputs, input_spec)
    )
    return Classifier(
        network=freeze_network(network, device),
        front_end=input_spec,
        classes=tuple(classes),
        threshold=threshold,
        figures=plain_value(path, content, "figures", dict),
        corpora=training_corpora(content),
    )


def build_classifier(architecture: str, outputs: int, input_spec: Input) -> ExcerptNet:
    """A network of the named architecture for inputs of `input_spec`."""
    return ARCHITECTURES[architecture].for_inputs(outputs, input_spec)


def architecture_name(network: ExcerptNet) -> str:
    """The name of the architecture of a network."""
    return next(name for name, kind in ARCHITECTURES.items() if isinstance(network, kind))
