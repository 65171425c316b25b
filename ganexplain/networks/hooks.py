"""What a layer puts out, and a unit's response, while a network runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from ganexplain.errors import UsageError, did_you_mean
from ganexplain.networks.adapter import OUTPUT, NetworkAdapter, has_weights, named_layers
from ganexplain.networks.gradient_faults import gradient_errors_named
from ganexplain.networks.outputs import first_tensor
from ganexplain.networks.readings import unit_values
from ganexplain.networks.units import Unit

Response = Callable[[Tensor], Tensor]

Hook = Callable[[nn.Module, object, object], Any]


class _Reached(BaseException):  # not an Exception: a network's own handlers must let it through
    """The layer has put out what was asked for."""


@contextmanager
def run_to_layer(network: nn.Module, layer: nn.Module) -> Iterator[Callable[[Tensor], Tensor]]:
    """A function from inputs of `network` to outputs of its `layer`, while the block is open.

    The first input is passed twice: once to the end, to count how often the layer is called, and
    then, as all later ones, up to the last of these calls, whose output counts. So nothing that
    is behind the layer is computed with gradients, or can write into what it put out. Inside the
    function the network runs as usual, so gradients and other hooks are as ever; outside of it
    the network is not touched. Raises RuntimeError where a pass does not reach the layer,
    UsageError naming the layer where the network's code allows no gradient.
    """
    found: list[Tensor] = []
    calls = expected = 0
    running = False

    def hook(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal calls
        if running:
            calls += 1
            if calls == expected:
                found.append(first_tensor(output))
                raise _Reached

    def passed(x: Tensor) -> None:
        nonlocal calls, running
        running, calls = True, 0
        try:
            network(x)
        except _Reached:
            pass
        finally:
            running = False

    def run(x: Tensor) -> Tensor:
        nonlocal expected
        if not expected:
            with torch.no_grad():
                passed(x.detach().clone())
            expected = calls
        while expected:
            passed(x)
            if found:
                return found.pop()
            expected = calls  # it was called less often than before
        raise RuntimeError("the pass did not reach the requested layer")

    handle = layer.register_forward_hook(hook)
    try:
        with gradient_errors_named(network, run) as watched:
            yield watched
    finally:
        handle.remove()


@dataclass(frozen=True)
class Tap:
    """What a layer put out, without its graph, and the place in the graph of the pass.

    `edge` is what gradients by the output are taken of; None where it has no gradient.
    """

    value: Tensor
    edge: GradientEdge | None


@contextmanager
def record_outputs(
    network: nn.Module, layers: Mapping[str, nn.Module]
) -> Iterator[dict[str, Tensor]]:
    """While open, every forward pass leaves copies of the outputs of `layers` under their keys.

    Gradients pass through the copies; quantised outputs are recorded as floating point.
    """
    outputs: dict[str, Tensor] = {}

    def keeper(name: str) -> Hook:
        def keep(module: nn.Module, inputs: object, output: object) -> None:
            found = first_tensor(output)
            if found is not None:
                outputs[name] = found.dequantize() if found.is_quantized else found.clone()

        return keep

    with _hooked(layers, keeper):
        yield outputs


@contextmanager
def tap_outputs(
    network: nn.Module, layers: Mapping[str, nn.Module], apart: bool = False
) -> Iterator[dict[str, Tap]]:
    """While open, every forward pass leaves a `Tap` of each of `layers` under its key.

    The network computes what it would without. With `apart` it goes on with a copy of a layer's
    output: the gradient by a view into which the network writes can be had in no other way, but a
    network that reads such a write elsewhere computes something else.
    """
    taps: dict[str, Tap] = {}

    def keeper(name: str) -> Hook:
        def keep(module: nn.Module, inputs: object, output: object) -> Tensor | None:
            found = first_tensor(output)
            if found is None:
                return None
            edge = get_gradient_edge(found) if found.requires_grad else None
            taps[name] = Tap(found.detach().clone(), edge)
            return output.clone() if apart and isinstance(output, Tensor) else None

        return keep

    with _hooked(layers, keeper):
        yield taps


@contextmanager
def _hooked(layers: Mapping[str, nn.Module], hook: Callable[[str], Hook]) -> Iterator[None]:
    handles = [module.register_forward_hook(hook(name)) for name, module in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def find_layer(network: nn.Module, layer: str, option: str = "--layer") -> nn.Module:
    """The layer of that name; UsageError with the closest match where there is none."""
    modules = named_layers(network)
    if not layer or layer not in modules:
        names = list(modules)
        raise UsageError(
            f"{option}: the network has no layer {layer!r}{did_you_mean(layer, names)}; "
            f"layers: {', '.join(names)}"
        )
    return modules[layer]


def layer_shape(
    network: nn.Module, layer: str, example: Tensor, option: str = "--layer"
) -> tuple[int, ...]:
    """Shape (U, ...) of what a layer puts out for one input, found by one pass of `example`.

    UsageError where there is no such layer, or the pass does not reach it.
    """
    module = find_layer(network, layer, option)
    with record_outputs(network, {"layer": module}) as outputs, torch.no_grad():
        network(example)
    if "layer" not in outputs:
        raise UsageError(f"{option} {layer}: the network does not use it on this input")
    shape = tuple(outputs["layer"].shape)
    if not shape or shape[0] != len(example):
        raise UsageError(
            f"{option} {layer}: puts out {shape}, whose first axis does not count the inputs"
        )
    return shape[1:] or (1,)


@contextmanager
def layer_response(network: nn.Module, layer: str) -> Iterator[Response]:
    """A function from inputs (B, F, T) to responses (B, U) of all units, while the block is open.

    A unit of a convolution is a channel, its response the mean over places. Nothing behind the
    layer is computed.
    """
    with layer_output(network, layer) as put_out:
        yield lambda mel: unit_values(put_out(mel))


@contextmanager
def layer_output(network: nn.Module, layer: str) -> Iterator[Response]:
    """A function from inputs (B, ...) to what a layer puts out, while the block is open."""
    with run_to_layer(network, find_layer(network, layer)) as run:
        yield lambda mel: _at_least_float32(run(mel))


def _at_least_float32(x: Tensor) -> Tensor:
    x = x.dequantize() if x.is_quantized else x
    return x.to(torch.promote_types(x.dtype, torch.float32))


@contextmanager
def unit_response(network: nn.Module, unit: Unit) -> Iterator[Response]:
    """A function from inputs (B, F, T) to responses (B,) of one unit, while the block is open."""
    with layer_output(network, unit.layer) as put_out:
        yield lambda mel: unit.read(put_out(mel))


def last_hidden_layer(network: nn.Module) -> str:
    """Name of the last but one layer with weights: the features an output unit reads."""
    weighted = [name for name, module in named_layers(network).items() if has_weights(module)]
    if len(weighted) < 2 and isinstance(network, NetworkAdapter):
        return OUTPUT
    if len(weighted) < 2:
        raise UsageError("--features: the network has no hidden layer with weights; name a layer")
    return weighted[-2]


@torch.no_grad()
def responses_and_features(
    network: nn.Module, unit: Unit, features: str, mel: Tensor
) -> tuple[Tensor, Tensor]:
    """Responses (B,) of a unit and features (B, D) of another layer in one pass of (B, F, T)."""
    wanted = {
        "layer": find_layer(network, unit.layer),
        "features": find_layer(network, features, "--features"),
    }
    with record_outputs(network, wanted) as outputs:
        network(mel)
    return unit.read(outputs["layer"]), unit_values(outputs["features"])
