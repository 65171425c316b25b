"""What layers put out in a pass, as it is at that moment: layers behind may write into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from ganexplain.networks.outputs import first_tensor

Hook = Callable[[nn.Module, object, object], Any]


@dataclass(frozen=True)
class Tap:
    """What a layer put out, without its graph, and the place in the graph of the pass.

    `edge` is what gradients by the output are taken of; None where it has no gradient.
    """

    value: Tensor
    edge: GradientEdge | None


@contextmanager
def recording(network: nn.Module, layers: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
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
def tapping(
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
