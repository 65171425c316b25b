"""The network whose decisions `attribute` explains: its inputs, outputs and target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ganexplain.attribution.fills import Reference
from ganexplain.attribution.inputs.piece import Piece
from ganexplain.attribution.inputs.reading import read_pieces
from ganexplain.attribution.scorer import Model, Scorer, unit_model
from ganexplain.classifiers.checkpoint import Classifier, load_classifier
from ganexplain.classifiers.prediction import decision_margin
from ganexplain.config import AttributeConfig
from ganexplain.errors import GanexplainError
from ganexplain.inputs.base import Input
from ganexplain.networks.adapter import OUTPUT, OutputNames, network_device
from ganexplain.networks.decisions import AUTO, class_names, guess_output_kind
from ganexplain.networks.fast.optimize import optimize_frozen
from ganexplain.networks.layer_units import unit_values
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import OUR_OUTPUT, example_inputs, load_target
from ganexplain.networks.unit_syntax import parse_unit
from ganexplain.networks.units import Unit
from ganexplain.runs.progress import Progress

LOOKED_AT = 16  # inputs from whose outputs the kind is guessed


@dataclass(frozen=True)
class Target:
    """A class by its index `output` among the outputs, or a `unit` of a layer, and its `name`."""

    name: str
    output: int = 0
    unit: Unit | None = None


@dataclass(frozen=True)
class Subject:
    """A frozen network with inputs of type `front_end`.

    `outputs` is a kind of `scorer.OUTPUTS`. If there are two `classes`, the second is predicted
    where its probability exceeds `threshold`. `reference` is the scale of its inputs, `output` the
    layer of its outputs.
    """

    network: nn.Module
    front_end: Input
    classes: tuple[str, ...]
    outputs: str
    threshold: float
    reference: Reference
    output: str = OUTPUT

    @property
    def device(self) -> torch.device:
        """The network's device."""
        return network_device(self.network)

    @property
    def example(self) -> Tensor:
        """Random inputs (2, ...) of the network."""
        return example_inputs(self.front_end).to(self.device)

    def model_of(self, network: nn.Module, target: Target | None = None) -> Model:
        """Return a model of the outputs (B, K), or of a unit's response (B, 1).

        Its inputs are those of the network, but waveforms are (B, 1, W): segments need two axes.
        """
        inner: Model = lambda x: unit_values(network(x))  # noqa: E731
        if target and target.unit:
            inner = unit_model(network, target.unit)
        if not self.front_end.is_plane:
            return lambda x: inner(x[:, 0])
        return inner

    def optimized_model(self) -> Model:
        """Return a model of the same outputs, optimised for use without gradients."""
        return self.model_of(optimize_frozen(self.network, self.example))

    def example_outputs(self, inputs: Sequence[Piece]) -> Tensor:
        """Return outputs (2 + B, K): first for noise, then for B inputs."""
        values = [torch.as_tensor(piece.values, device=self.device) for piece in inputs]
        noise = self.example
        if not self.front_end.is_plane:
            noise = noise[:, None]
        with torch.no_grad():
            return self.model_of(self.network)(torch.cat([noise, torch.stack(values)]))

    def predicted(self, x: Tensor) -> Target:
        """Return the class that the network predicts for an input (*S)."""
        scorer = Scorer(self.model_of(self.network), 0, outputs=self.outputs)
        values = scorer.class_values(x[None])[0]
        output = int(values.argmax())
        if len(values) == 2 and self.outputs != "activations":
            output = int(decision_margin(torch.from_numpy(values)[None], 1, self.threshold) > 0)
        return Target(self.classes[output], output)

    def target(self, text: str) -> Target | None:
        """Return the target of `--target`; None for `predicted`, which depends on the input.

        The text is the name of a class, else a unit in the syntax of `parse_unit`.
        """
        if text == "predicted":
            return None
        if text in self.classes:
            return Target(text, self.classes.index(text))
        names = OutputNames(self.output, self.classes)
        unit = parse_unit(text, self.network, self.example[:1], names, "--target")
        return Target(text, unit=unit)


def load_subject(
    config: AttributeConfig, device: torch.device, progress: Progress
) -> tuple[Subject, list[Piece]]:
    """Load the network and the inputs that a config names.

    Raises as `load_classifier`, `load_target` and `read_pieces`.
    """
    source = NetworkSource.from_settings(config)
    if source.classifier:
        subject = _own_subject(load_classifier(Path(source.classifier), device))
        return subject, list(read_pieces(subject.front_end, config.inputs))
    theirs = load_target(source, None, device)
    asked = list(read_pieces(theirs.front_end, config.inputs))
    reference = _reference(theirs.front_end, device)
    subject = Subject(theirs.network, theirs.front_end, (), "logits", 0.5, reference)
    kind, found = config.outputs, subject.example_outputs(asked[:LOOKED_AT])
    for piece, values in zip(asked, found[len(subject.example) :], strict=False):
        if values.isnan().any():
            raise GanexplainError(
                f"--model {source.name}: puts out NaN for {piece.path}; describe what it takes "
                "with --input"
            )
    if kind == AUTO:
        kind = guess_output_kind(found)
        progress.note(f"what the network puts out is taken for {kind} (--outputs)")
    classes = class_names(theirs.names.classes, found.shape[1], kind)
    return replace(subject, classes=classes, outputs=kind), asked


def _own_subject(classifier: Classifier) -> Subject:
    network, front_end = classifier.network, classifier.front_end
    reference = Reference.of_bands(
        network.mean, network.deviation, len(front_end.shape), front_end.silence
    )
    return Subject(
        network, front_end, classifier.classes, "logits", classifier.threshold, reference,
        OUR_OUTPUT,
    )  # fmt: skip


def _reference(front_end: Input, device: torch.device) -> Reference:
    """Return the scale of the inputs of a user's network, for pictures from its specification."""
    network = front_end.standardisation
    if network is None:
        return Reference(silence=front_end.silence)
    span = network.high - network.low
    mean, deviation = (
        torch.tensor(values, device=device)[:, None, None]
        for values in (network.mean, network.deviation)
    )
    zero = (mean - network.low) / span
    return Reference(zero, deviation / span, zero=zero)
