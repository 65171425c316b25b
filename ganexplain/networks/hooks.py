"""The outputs of layers and the responses of units, read while a network runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain.errors import UsageError, did_you_mean
from ganexplain.inputs.specification import UNIT_AXES
from ganexplain.networks.adapter import OUTPUT, NetworkAdapter, has_weights, named_layers
from ganexplain.networks.black_box import find_black_box
from ganexplain.networks.layer_outputs import LayerOutput
from ganexplain.networks.layer_passes import run_to_layer
from ganexplain.networks.layer_units import unit_values
from ganexplain.networks.outputs import tensor_at
from ganexplain.networks.taps import Batch, Tap, edges_of, joined
from ganexplain.networks.units import Unit

Response = Callable[[Tensor], Tensor]
Hook = Callable[[nn.Module, object, object], Any]


@contextmanager
def record_outputs(
    network: nn.Module, layers: Mapping[str, LayerOutput], copy: Response = Tensor.clone
) -> Iterator[dict[str, Tensor]]:
    """While open, each forward pass stores copies of the outputs of `layers` under their keys.

    The copies are (B, U, ...) and part of the graph, or what `copy` makes of such an output.
    """
    outputs: dict[str, Tensor] = {}
    batch = Batch[Tensor](network)

    def record(name: str, output: object) -> None:
        found = layers[name].read(output)
        if found is not None and (parts := batch.add(name, copy(batch.rows(found)))):
            outputs[name] = joined(parts)

    with _hooked(layers, record), _at_the_end(network, batch):
        yield outputs


@contextmanager
def tap_outputs(
    network: nn.Module, layers: Mapping[str, LayerOutput], apart: bool = False
) -> Iterator[dict[str, Tap]]:
    """While open, each forward pass stores a `Tap` of each of `layers` under its key.

    With `apart` the network continues with a copy of each layer's output. Only so is there a
    gradient with respect to a view that the network overwrites; but a network that reads the
    overwritten values elsewhere then computes something else.
    """
    taps: dict[str, Tap] = {}
    batch = Batch[Tap](network)

    def tap(name: str, output: object) -> Tensor | None:
        layer = layers[name]
        raw, found = tensor_at(output, layer.part), layer.read(output)
        if raw is None or found is None:
            return None
        one = Tap(batch.rows(found).detach().clone(), edges_of(raw), layer)
        if parts := batch.add(name, one):
            taps[name] = Tap.joined(parts)
        return output.clone() if apart and isinstance(output, Tensor) else None

    with _hooked(layers, tap), _at_the_end(network, batch):
        yield taps


@contextmanager
def _at_the_end(network: nn.Module, batch: Batch[Any]) -> Iterator[None]:
    """While open, the parts of a batch are checked at the end of each pass of the network."""
    if not (isinstance(network, NetworkAdapter) and network.calling.copies):
        yield
        return
    handle = network.register_forward_hook(batch.end)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _hooked(
    layers: Mapping[str, LayerOutput], store: Callable[[str, object], Any]
) -> Iterator[None]:
    """While open, `store(name, output)` runs after each call of a layer."""

    def hook(name: str) -> Hook:
        return lambda module, inputs, output: store(name, output)

    handles = [layer.module.register_forward_hook(hook(key)) for key, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def known_layer(network: nn.Module, layer: str) -> LayerOutput | None:
    """The layer of that name, or None.

    `@first` or `@last` behind the name puts its units on that axis of its output.
    """
    known = named_layers(network)
    name, _, where = layer.rpartition("@")
    if layer not in known and name in known and where in UNIT_AXES:
        return replace(known[name], units=where)
    return known.get(layer)


def find_layer(network: nn.Module, layer: str, option: str = "--layer") -> LayerOutput:
    """The layer that `known_layer` finds; UsageError with the closest match if there is none."""
    found = known_layer(network, layer)
    if found is None:
        known = named_layers(network)
        if black_box := find_black_box(network):
            raise UsageError(
                f"{option} {layer}: {black_box.name} is a black box, which is only called; it has "
                f"the layer {OUTPUT} alone"
            )
        raise UsageError(
            f"{option}: the network has no layer {layer!r}{did_you_mean(layer, known)}; "
            f"layers: {', '.join(known)}"
        )
    return found


def layer_shape(
    network: nn.Module, layer: str, example: Tensor, option: str = "--layer"
) -> tuple[int, ...]:
    """Shape (U, ...) of a layer's output for one input, found by a pass of `example` (1, ...).

    Raises UsageError if there is no such layer, or the pass does not reach it.
    """
    found = find_layer(network, layer, option)
    with record_outputs(network, {"layer": found}) as outputs, torch.no_grad():
        network(example)
    if "layer" not in outputs:
        raise UsageError(f"{option} {layer}: the network does not use it on this input")
    shape = tuple(outputs["layer"].shape)
    if not shape or shape[0] != len(example):
        raise UsageError(
            f"{option} {layer}: its output has shape {shape}; the first axis must be the batch's"
        )
    return shape[1:] or (1,)


@contextmanager
def layer_response(network: nn.Module, layer: str) -> Iterator[Response]:
    """A function from inputs (B, ...) to responses (B, U) of all units, while the block is open.

    A unit of a convolution is a channel; its response is the mean over places. Nothing behind the
    layer is computed.
    """
    with layer_output(network, layer) as compute:
        yield lambda x: unit_values(compute(x))


@contextmanager
def layers_responses(network: nn.Module, layers: Sequence[str]) -> Iterator[Response]:
    """A function from inputs (B, ...) to `layer_response` of several layers side by side (B, U).

    It passes inputs through the whole network.
    """
    wanted = {layer: find_layer(network, layer) for layer in layers}
    with record_outputs(network, wanted) as outputs:

        def respond(x: Tensor) -> Tensor:
            network(x)
            return torch.cat([unit_values(outputs[layer]) for layer in layers], dim=1)

        yield respond


@contextmanager
def layer_output(network: nn.Module, layer: str) -> Iterator[Response]:
    """A function from inputs (B, ...) to a layer's outputs, while the block is open.

    The outputs are float32, or float64 where the layer computes with that.
    """
    with run_to_layer(network, find_layer(network, layer)) as run:
        yield run


@contextmanager
def unit_response(network: nn.Module, unit: Unit) -> Iterator[Response]:
    """A function from inputs (B, ...) to responses (B,) of one unit, while the block is open."""
    with layer_output(network, unit.layer) as compute:
        yield lambda x: unit.read(compute(x))


def last_hidden_layer(network: nn.Module) -> str:
    """Name of the last but one layer with weights, whose features the output units read.

    Raises UsageError if the network has no hidden layer with weights.
    """
    weighted = [name for name, layer in named_layers(network).items() if is_weighted(layer)]
    if len(weighted) < 2 and isinstance(network, NetworkAdapter):
        return OUTPUT
    if len(weighted) < 2:
        raise UsageError("--features: the network has no hidden layer with weights; name a layer")
    return weighted[-2]


def is_weighted(layer: LayerOutput) -> bool:
    """Whether a layer multiplies by weights of its own, and is no part of another's output."""
    multiplies = layer.work is None or layer.work.multiplies
    return multiplies and not layer.part and has_weights(layer.module)


@torch.no_grad()
def responses_and_features(
    network: nn.Module, unit: Unit, features: str, x: Tensor
) -> tuple[Tensor, Tensor]:
    """Responses (B,) of a unit and features (B, D) of the layer `features` in one pass of x."""
    own, other = find_layer(network, unit.layer), find_layer(network, features, "--features")
    with record_outputs(network, {"layer": own, "features": other}) as outputs:
        network(x)
    return unit.read(outputs["layer"]), unit_values(outputs["features"])
