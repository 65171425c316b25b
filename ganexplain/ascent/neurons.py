"""Address any unit of any layer of a network, by the layer's name and the unit's number."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganexplain.ascent.early_stop import stopping_at
from ganexplain.errors import UsageError, did_you_mean

Response = Callable[[Tensor], Tensor]


def layer_names(network: nn.Module) -> list[str]:
    """Names of all layers that can be addressed, in the order of the network."""
    return [name for name, _ in network.named_modules() if name]


def find_layer(network: nn.Module, layer: str, option: str = "--layer") -> nn.Module:
    """The layer of that name; UsageError with the closest match where there is none."""
    modules = dict(network.named_modules())
    if not layer or layer not in modules:
        names = layer_names(network)
        raise UsageError(
            f"{option}: the network has no layer {layer!r}{did_you_mean(layer, names)}; "
            f"layers: {', '.join(names)}"
        )
    return modules[layer]


@contextmanager
def recording(network: nn.Module, layers: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """While open, every forward pass leaves the outputs of `layers` under their keys."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
            outputs[name] = output

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in layers.items()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def units(activation: Tensor) -> Tensor:
    """Activations (B, U) of a layer's units: (B, U) as it is, (B, U, ...) averaged over places."""
    return activation if activation.ndim == 2 else activation.flatten(2).mean(2)


def output_units(network: nn.Module, layer: str, example: Tensor) -> int:
    """How many units the layer has, found by one pass of `example` (1, F, T)."""
    with recording(network, {"layer": find_layer(network, layer)}) as outputs, torch.no_grad():
        network(example)
    return units(outputs["layer"]).shape[1]


def chosen_neurons(
    layers: Sequence[str], neurons: str, network: nn.Module, example: Tensor
) -> list[tuple[str, int]]:
    """Layer and number of each unit asked for; UsageError where there is no such one.

    `neurons` as `neuron_numbers` takes them; `example` (1, F, T) is an input of the network.
    """
    if not layers:
        raise UsageError("--layer: give at least one")
    return [
        (layer, neuron)
        for layer in dict.fromkeys(layers)
        for neuron in neuron_numbers(neurons, layer, output_units(network, layer, example))
    ]


def neuron_numbers(text: str, layer: str, count: int) -> list[int]:
    """Numbers of units: `all`, or numbers and spans as in `0,3,8-11`, of a layer of `count`."""
    if text.strip() == "all":
        return list(range(count))
    chosen: list[int] = []
    for item in text.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", item)
        if found is None:
            raise UsageError(f"--neuron {text}: give numbers and spans as in 0,3,8-11, or all")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise UsageError(f"--neuron {text}: {item.strip()} ends before it begins")
        if last >= count:
            raise UsageError(f"--neuron {text}: layer {layer} has units 0 to {count - 1}")
        chosen += range(first, last + 1)
    return list(dict.fromkeys(chosen))


@contextmanager
def layer_response(network: nn.Module, layer: str) -> Iterator[Response]:
    """A function from inputs (B, F, T) to responses (B, U) of all units, while the block is open.

    A unit of a convolution is a channel, its response the mean over places. Nothing behind the
    layer is computed.
    """
    with stopping_at(network, find_layer(network, layer)) as run:
        yield lambda mel: units(_at_least_float32(run(mel)))


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


@contextmanager
def neuron_response(network: nn.Module, layer: str, neuron: int) -> Iterator[Response]:
    """A function from inputs (B, F, T) to responses (B,) of one unit, while the block is open."""
    with layer_response(network, layer) as respond:
        yield lambda mel: respond(mel)[:, neuron]


def last_hidden_layer(network: nn.Module) -> str:
    """Name of the last but one layer with weights: the features an output unit reads."""
    weighted = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d)
    ]
    if len(weighted) < 2:
        raise UsageError("--features: the network has no hidden layer with weights; name a layer")
    return weighted[-2]


@torch.no_grad()
def responses_and_features(
    network: nn.Module, layer: str, neuron: int, features: str, mel: Tensor
) -> tuple[Tensor, Tensor]:
    """Responses (B,) of a unit and features (B, D) of another layer in one pass of (B, F, T)."""
    wanted = {
        "layer": find_layer(network, layer),
        "features": find_layer(network, features, "--features"),
    }
    with recording(network, wanted) as outputs:
        network(mel)
    return units(outputs["layer"])[:, neuron], units(outputs["features"])
