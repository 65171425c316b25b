"""The network to explain: a classifier trained here, or one of the user's."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ganexplain.classifiers.checkpoint import Classifier, load_classifier
from ganexplain.config import TrainExplainerConfig
from ganexplain.config.shared import BringsNetwork, NamesNetwork
from ganexplain.errors import UsageError, short_repr
from ganexplain.files.atomic import Document, file_hash
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import Call, read_input_file
from ganexplain.networks.adapter import OUTPUT, NetworkAdapter, OutputNames, network_device
from ganexplain.networks.black_box import CallFailed, find_black_box
from ganexplain.networks.bridges.bridge import bridge_between
from ganexplain.networks.bridges.features import load_features
from ganexplain.networks.loaders.exported import set_eval_mode
from ganexplain.networks.loaders.factories import code_of
from ganexplain.networks.loaders.formats import TORCH, load_network
from ganexplain.networks.loaders.names import is_factory, is_pretrained
from ganexplain.networks.loaders.pretrained import completed_specification, pretrained_files
from ganexplain.networks.loaders.weights import split_place
from ganexplain.networks.units import Unit

CODE = ("code", "features")  # of the files of a network, which may change without it
OUR_OUTPUT = "fc9"  # the layer of the logits in all networks trained here


@dataclass(frozen=True)
class NetworkSource:
    """Where a network comes from: `classifier`, a file of ours, or `model`, one of the user's.

    The fields are options of the same names (`config.NamesNetwork`).
    """

    classifier: str = ""
    model: str = ""
    weights: str = ""
    input: str = ""
    trust_pickle: bool = False
    trust_features: bool = False
    backend: str = TORCH

    @classmethod
    def from_settings(cls, settings: NamesNetwork) -> NetworkSource:
        """The source that a config names; UsageError if it names none or two."""
        return cls._named(settings, settings.classifier)

    @classmethod
    def all_from_settings(cls, settings: TrainExplainerConfig) -> tuple[NetworkSource, ...]:
        """The sources of a config whose `classifier` is a tuple; errors as `from_settings`."""
        named = settings.classifier or ("",)
        return tuple(cls._named(settings, path) for path in dict.fromkeys(named))

    @classmethod
    def _named(cls, settings: BringsNetwork, classifier: str) -> NetworkSource:
        source = cls(
            classifier, settings.model, settings.weights, settings.input, settings.trust_pickle,
            settings.trust_features, settings.backend,
        )  # fmt: skip
        if bool(source.classifier) == bool(source.model):
            raise UsageError("name the network to explain: --classifier, or --model for your own")
        for option in ("weights", "input", "trust_pickle", "trust_features"):
            if getattr(source, option) and not source.model:
                flag = option.replace("_", "-")
                raise UsageError(f"--{flag}: goes with --model; a classifier.pt has all it needs")
        return source

    @classmethod
    def from_meta(
        cls, meta: Document, moved_to: str = "", trust: tuple[bool, bool] = (False, False)
    ) -> NetworkSource:
        """The source in the meta of an artifact, whose main file may have been moved.

        `trust` is for `trust_pickle` and `trust_features`. Raises UsageError for a factory that is
        not named again as `moved_to`: a factory runs code, and a file alone must not decide to run
        it.
        """
        classifier, model, weights, described, backend = (
            _text(meta, name) for name in ("classifier", "model", "weights", "input", "backend")
        )
        if is_factory(model) and not moved_to:
            raise UsageError(
                f"the explained network is made by {model}, which runs code; if you trust it, add "
                f"--classifier {model}"
            )
        if model:  # `classifier` has the same value in a meta
            return cls("", moved_to or model, weights, described, *trust, backend or TORCH)
        return cls(moved_to or classifier, "", weights, described, *trust)

    @property
    def name(self) -> str:
        """The file or the factory."""
        return self.classifier or self.model

    def files(self) -> dict[str, Path]:
        """The files of the network, by option; `code` is that of a factory, `model/...` those of
        a folder, `features` that of the function which computes its input.
        """
        named = {"classifier": self.classifier, "input": self.input}
        named["weights"] = str(split_place(self.weights)[0]) if self.weights else ""
        named["model"] = self.model if Path(self.model).is_file() else ""
        named["code"] = code_of(self.model) if is_factory(self.model) else ""
        named["features"] = code_of(self.features)
        files = {name: Path(path) for name, path in named.items() if path}
        if is_pretrained(self.model):
            files |= {f"model/{path.name}": path for path in pretrained_files(Path(self.model))}
        return files

    @property
    def features(self) -> str:
        """The function that computes its input, in the file of `input`; empty if there is none."""
        path = Path(self.input)
        return read_input_file(path)[0].features if self.input and path.is_file() else ""

    def digest(self) -> str:
        """SHA-256 of its file or, for several files, of their hashes and a factory's name."""
        files = {name: path for name, path in self.files().items() if name not in CODE}
        hashes = [file_hash(path) for _, path in sorted(files.items())]
        if set(files) in ({"classifier"}, {"model"}):
            return hashes[0]
        model = Path(self.model).name if is_factory(self.model) else self.model
        model = "" if is_pretrained(self.model) else model
        place = split_place(self.weights)[1]
        text = "\n".join([model, *hashes, *([place] if place else [])])
        return hashlib.sha256(text.encode()).hexdigest()


def _text(meta: Document, name: str) -> str:
    value = meta.get(name, "")
    if not isinstance(value, str):
        raise UsageError(f"{name} is {short_repr(value)}, not a text")
    return value


@dataclass(frozen=True)
class TargetNetwork:
    """A frozen network from a generator's output, which `front_end` describes, to its output."""

    network: nn.Module
    front_end: Input
    names: OutputNames
    outputs: int
    threshold: float = 0.0  # of the second of two classes, as in `Call`
    corpora: tuple[str, ...] = ()  # of its training, if its file names them

    @property
    def device(self) -> torch.device:
        """The device on which it computes."""
        return network_device(self.network)

    def layers(self, requested: Sequence[str]) -> list[str]:
        """Names of layers in options, as `OutputNames.placed`; `output` if none is requested."""
        return self.names.placed(requested or (OUTPUT,), self.network)

    def class_of(self, unit: Unit) -> str:
        """The class of an output unit, or an empty string for other units."""
        return self.names.class_of(unit, self.outputs)


def named_source(text: str) -> NetworkSource:
    """The source that a text names: `classifier.pt` or MODEL@INPUT.toml."""
    model, _, described = text.rpartition("@")
    if model and described.endswith(".toml"):
        return NetworkSource(model=model, input=described)
    return NetworkSource(text)


def load_target(
    source: NetworkSource, generator_output: Input | None, device: torch.device
) -> TargetNetwork:
    """The network of a source, behind a conversion from the generator's output.

    Without `generator_output` (no GAN) the network gets inputs of its own kind. A classifier of
    ours gets no conversion: the caller checks that it accepts the generator's output. Raises
    UsageError if there is no conversion; other errors as `load_classifier` and `load_network`.
    """
    if source.classifier:
        return classifier_target(load_classifier(Path(source.classifier), device))
    network = load_network(source.model, source.weights, source.trust_pickle, source.backend)
    given = read_input_file(Path(source.input)) if source.input else (None, Call())
    seconds = (generator_output or FrontEnd()).seconds
    network_input, call = completed_specification(source.model, given, seconds)
    return adapt_network(
        network,
        generator_output or (network_input or FrontEnd()).generator_output,
        network_input,
        call,
        device,
        source.trust_features,
    )


def classifier_target(ours: Classifier) -> TargetNetwork:
    """A classifier of ours as the network to explain."""
    names = OutputNames(OUR_OUTPUT, ours.classes)
    threshold = math.log(ours.threshold / (1 - ours.threshold))
    network, spec = ours.network, ours.front_end
    return TargetNetwork(network, spec, names, network.outputs, threshold, ours.corpora)


def adapt_network(
    network: nn.Module,
    generator_output: Input,
    network_input: Input | None,
    call: Call,
    device: torch.device,
    trust_features: bool = False,
) -> TargetNetwork:
    """A network of any origin behind the conversion from `generator_output` to `network_input`.

    Without `network_input` the network gets the generator's output unchanged. The network is
    frozen and in eval mode. Raises UsageError for `features` that are not trusted.
    """
    set_eval_mode(network)
    if black_box := find_black_box(network):
        black_box.timeout = call.timeout
    examples = example_inputs(generator_output)
    features = load_features(network_input, trust_features)
    taken = network_input or generator_output
    if features:
        bridge = nn.Sequential(bridge_between(generator_output, taken, "", call.fit), features)
        whole = NetworkAdapter(network, bridge, call, examples)
    else:
        whole = _fitted(network, generator_output, taken, call, examples)
    with torch.no_grad():
        output = whole(examples)
    whole.keep_gradients(examples)
    whole.requires_grad_(False)  # after a pass, which creates the parameters of lazy layers
    outputs = output.shape[1] if output.ndim > 1 else 1
    _check_output(output, call, outputs)
    names = OutputNames(OUTPUT, call.classes)
    return TargetNetwork(whole.to(device).eval(), generator_output, names, outputs, call.threshold)


def _fitted(
    network: nn.Module, generator_output: Input, network_input: Input, call: Call, examples: Tensor
) -> NetworkAdapter:
    """The network behind its bridge; a UsageError also names other layouts with which it runs.

    A network that accepts its input only one by one, but with another layout in batches, is
    refused too: without a layout of its own it reads the batch axis as another.
    """

    def adapt(layout: str) -> NetworkAdapter:
        bridge = bridge_between(generator_output, network_input, layout, call.fit)
        counted = [network_input.axis_words.get(letter, "") for letter in layout]
        return NetworkAdapter(network, bridge, replace(call, layout=layout), examples, counted)

    own = call.layout or network_input.axes
    others = [layout for layout in network_input.layouts if layout != own]
    layouts = []
    try:
        fitted = adapt(own)
    except UsageError as error:
        for layout in others:
            with suppress(UsageError, CallFailed):
                adapt(layout)
                layouts.append(layout)
        if not layouts:
            raise
        raise UsageError(f"{error}; {_layout_advice(layouts)}") from error
    if fitted.calling.copies and not (call.layout or call.batch):
        for layout in others:
            with suppress(UsageError, CallFailed):
                layouts += [] if adapt(layout).calling.copies else [layout]
    if layouts:
        shape = tuple(fitted.bridge(examples).shape)
        raise UsageError(
            f"--model: the network does not take {shape}, only one input of it at a time; "
            f'{_layout_advice(layouts)} (or, for one at a time, "{own}")'
        )
    return fitted


def _layout_advice(layouts: Sequence[str]) -> str:
    named = " or ".join(f'"{layout}"' for layout in layouts)
    return f"it runs with layout = {named} under [network] in the file of --input"


def _check_output(output: Tensor, call: Call, outputs: int) -> None:
    if not output.is_floating_point():
        scores = "let the network return the scores from which it is computed"
        advice = "choose another part with output = in --input" if call.output else scores
        raise UsageError(f"--model: the output is {output.dtype}, not floating point; {advice}")
    if call.classes and len(call.classes) not in {outputs, 2 if outputs == 1 else outputs}:
        raise UsageError(
            f"classes: {len(call.classes)} names for {outputs} output units; give one each"
        )


def example_inputs(generator_output: Input) -> Tensor:
    """Inputs (2, ...) with which a network is tried: noise of a usual level, always the same."""
    noise = torch.rand(2, *generator_output.shape, generator=torch.Generator().manual_seed(0))
    low, high = generator_output.noise_range
    return noise * (high - low) + low
