"""Why a network gives no gradient, and in which layer: found by a pass that is watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from ganexplain.errors import UsageError, reason_of
from ganexplain.networks.adapter import OUTPUT, layer_type, named_layers
from ganexplain.networks.outputs import first_tensor

ADVICE = "choose a unit before that, or a method without gradients (occlusion, lime, elime)"
IN_PLACE = ("modified by an inplace operation", "in-place operation", "modified inplace")
NUMPY = "numpy() on Tensor that requires grad"
NO_DERIVATIVE = ("is not implemented", "implement either the backward")


@contextmanager
def gradient_errors_named(
    network: nn.Module, run: Callable[[Tensor], Tensor]
) -> Iterator[Callable[[Tensor], Tensor]]:
    """While open, `run`, which passes inputs through `network`.

    RuntimeErrors of autograd in the block, of `run` or of a gradient taken of its results,
    become a UsageError that names the layer and the cause.
    """
    last: list[Tensor] = []

    def watched(x: Tensor) -> Tensor:
        last[:] = [x.detach()]
        return run(x)

    try:
        yield watched
    except RuntimeError as error:
        known = (*IN_PLACE, *NO_DERIVATIVE, NUMPY)
        if not last or not any(text in str(error) for text in known):
            raise
        cause = find_gradient_fault(network, run, last[0]) or reason_of(error)
        raise UsageError(f"--model: no gradient can be taken: {cause}; {ADVICE}") from error


def find_gradient_fault(network: nn.Module, run: Callable[[Tensor], object], x: Tensor) -> str:
    """Why no gradient comes back through `run`, a pass of `network`, to inputs x (B, ...).

    Empty where no reason is found.
    """
    seen = _Watched()
    names = {network: OUTPUT} | {module: name for name, module in named_layers(network).items()}
    handles = []
    for module in network.modules():
        if not isinstance(module, torch.jit.ScriptModule):  # which takes no hooks
            handles.append(module.register_forward_pre_hook(seen.begins(names.get(module, ""))))
            handles.append(module.register_forward_hook(seen.ends))
    try:
        with torch.enable_grad(), saved_tensors_hooks(seen.saves, lambda saved: saved):
            run(x.detach().clone().requires_grad_(True))
    except RuntimeError as error:
        place = _place(network, seen.innermost)
        if NUMPY in str(error):
            return f"{place} computes with NumPy"
        return f"{place} writes into a tensor (in place) that the gradient needs"
    finally:
        for handle in handles:
            handle.remove()
    for name, tensor, version in seen.saved:
        if tensor._version != version:
            return (
                f"{_place(network, name)} needs a tensor for its gradient that the network "
                "overwrites later (in place)"
            )
    if seen.without:
        return f"{_place(network, seen.without)} runs under torch.no_grad() or inference_mode()"
    if unknown := seen.without_derivative():
        return f"{_place(network, unknown)} computes something that torch knows no derivative of"
    if quantised := quantised_layers(network):
        return f"{_place(network, quantised[0])} is quantised, which torch has no gradient of"
    if not seen.lost:
        return ""
    behind = f" behind {_place(network, seen.last)}" if seen.last else ""
    return (
        f"{_place(network, seen.lost)} detaches, rounds or compares values, leaves torch (NumPy) "
        f"or runs under torch.no_grad(){behind}"
    )


def quantised_layers(network: nn.Module) -> list[str]:
    """Names of the layers that compute with integers."""
    known = named_layers(network).items()
    return [name for name, module in known if "quantized" in type(module).__module__]


def _place(network: nn.Module, name: str) -> str:
    layer = named_layers(network).get(name)
    if layer is None or name == OUTPUT:
        return "the network's own code"
    return f"layer {name} ({layer_type(layer)})"


@dataclass
class _Watched:
    """What a pass with gradients shows.

    `running` has the names of the layers at work, `saved` what they keep for their gradients, with
    its version, `passed` what they took and gave, where both have gradients; `last` is the last
    layer that put out something with a gradient, `lost` the first that took such and put out
    something without, `without` the first at work in torch.no_grad.
    """

    running: list[str] = field(default_factory=list)
    saved: list[tuple[str, Tensor, int]] = field(default_factory=list)
    passed: list[tuple[str, Tensor, Tensor]] = field(default_factory=list)
    last: str = ""
    lost: str = ""
    without: str = ""

    @property
    def innermost(self) -> str:
        """The layer at work: of parts without a name the one around them."""
        return next((name for name in reversed(self.running) if name), OUTPUT)

    def saves(self, tensor: Tensor) -> Tensor:
        self.saved.append((self.innermost, tensor, tensor._version))
        return tensor

    def without_derivative(self) -> str:
        """The first layer by whose output no gradient can be taken; empty where there is none."""
        for name, source, result in self.passed:
            try:
                torch.autograd.grad(result.sum(), source, retain_graph=True, allow_unused=True)
            except NotImplementedError:
                return name
        return ""

    def begins(self, name: str) -> Callable[[nn.Module, object], None]:
        def begin(module: nn.Module, inputs: object) -> None:
            source = first_tensor(inputs)
            if source is not None and source.is_floating_point() and not source.requires_grad:
                self.lost = self.lost or self.innermost
            self.running.append(name)
            if not torch.is_grad_enabled():
                self.without = self.without or self.innermost

        return begin

    def ends(self, module: nn.Module, inputs: object, output: object) -> None:
        name = self.innermost
        self.running.pop()
        source, result = first_tensor(inputs), first_tensor(output)
        if result is None or not result.is_floating_point():
            return
        if result.requires_grad:
            self.last = self.last if self.lost else name
            if source is not None and source.requires_grad:
                self.passed.append((name, source, result))
        elif source is not None and source.requires_grad:
            self.lost = self.lost or name
