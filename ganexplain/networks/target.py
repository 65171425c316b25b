"""The network to explain: a classifier trained here, or one of the user's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ganexplain.classifiers.checkpoint import Classifier, load_classifier
from ganexplain.errors import UsageError
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import Call, read_input_file
from ganexplain.networks.adapter import OUTPUT, NetworkAdapter, OutputNames, network_device
from ganexplain.networks.black_box import CallFailed, find_black_box
from ganexplain.networks.bridges.bridge import bridge_between
from ganexplain.networks.bridges.features import load_features
from ganexplain.networks.loaders.exported import set_eval_mode
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.loaders.pretrained import completed_specification
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.units import Unit

OUR_OUTPUT = "fc9"  # the layer of the logits in all networks trained here


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
