"""Finds why a network has no gradient, and in which layer, by a pass with hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from ganexplain.errors import UsageError, reason_of
from ganexplain.networks.adapter import OUTPUT, layer_type, named_layers
from ganexplain.networks.black_box import find_black_box
from ganexplain.networks.outputs import first_tensor

ADVICE = (
    "choose a unit before it, a method without gradients (occlusion, lime, elime), "
    "or explain --search evolution"
)
IN_PLACE = ("modified by an inplace operation", "in-place operation", "modified inplace")
NUMPY = "numpy() on Tensor that requires grad"
NO_DERIVATIVE = ("is not implemented", "implement either the backward")


@contextmanager
def gradient_errors_named(
    network: nn.Module, run: Callable[[Tensor], Tensor]
) -> Iterator[Callable[[Tensor], Tensor]]:
    """A function that computes `run`, a pass of `network`, while the block is open.

    A RuntimeError of autograd inside the block, in `run` or in a gradient of its results, becomes
    a UsageError that names the layer and the cause.
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
        raise UsageError(f"--model: no gradient can be computed: {cause}; {ADVICE}") from error


def find_gradient_fault(network: nn.Module, run: Callable[[Tensor], object], x: Tensor) -> str:
    """Why `run`, a pass of `network`, has no gradient with respect to inputs x (B, ...).

    Returns an empty string if no reason is found.
    """
    if black_box := find_black_box(network):
        return f"{black_box.name} is a black box, which is only called"
    seen = _Trace()
    try:
        with seen.watching(network), torch.enable_grad():
            run(x.detach().clone().requires_grad_(True))
    except RuntimeError as error:
        place = _place(network, seen.innermost)
        if NUMPY in str(error):
            return f"{place} computes with NumPy"
        return f"{place} writes into a tensor (in place) that the gradient needs"
    return seen.fault(network)


def quantised_layers(network: nn.Module) -> list[str]:
    """Names of the layers that compute with integers."""
    known = named_layers(network).items()
    return [name for name, layer in known if "quantized" in type(layer.module).__module__]


def _place(network: nn.Module, name: str) -> str:
    layer = named_layers(network).get(name)
    if layer is None or name == OUTPUT:
        return "the network's own code"
    return f"layer {name} ({layer_type(layer.module)})"


@dataclass
class _Trace:
    """Names of layers, and tensors, observed in one pass with gradients."""

    running: list[str] = field(default_factory=list)  # the outermost first
    saved: list[tuple[str, Tensor, int]] = field(default_factory=list)  # and the tensor's version
    passed: list[tuple[str, Tensor, Tensor]] = field(default_factory=list)  # input and output
    last: str = ""  # whose output has a gradient
    lost: str = ""  # the first whose input has a gradient and whose output has none
    without: str = ""  # the first that runs under torch.no_grad

    @property
    def innermost(self) -> str:
        """The innermost running layer that has a name."""
        return next((name for name in reversed(self.running) if name), OUTPUT)

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        """While open, passes of the network are observed."""
        layers = named_layers(network).values()
        names = {network: OUTPUT} | {layer.module: layer.name for layer in layers}
        handles = []
        for module in network.modules():
            if not isinstance(module, torch.jit.ScriptModule):  # it accepts no hooks
                handles.append(module.register_forward_pre_hook(self.begin(names.get(module, ""))))
                handles.append(module.register_forward_hook(self.end))
        try:
            with saved_tensors_hooks(self.save, lambda saved: saved):
                yield
        finally:
            for handle in handles:
                handle.remove()

    def fault(self, network: nn.Module) -> str:
        """Why a pass that has ended without an error has no gradient, or an empty string."""
        for name, tensor, version in self.saved:
            if tensor._version != version:
                return (
                    f"{_place(network, name)} needs a tensor for its gradient that the network "
                    "overwrites later (in place)"
                )
        if self.without:
            return f"{_place(network, self.without)} runs under torch.no_grad() or inference_mode()"
        if unknown := self.without_derivative():
            return f"{_place(network, unknown)} computes something without a derivative in torch"
        if quantised := quantised_layers(network):
            return f"{_place(network, quantised[0])} is quantised and has no gradient in torch"
        if not self.lost:
            return ""
        behind = f" behind {_place(network, self.last)}" if self.last else ""
        return (
            f"{_place(network, self.lost)} detaches, rounds or compares values, leaves torch "
            f"(NumPy) or runs under torch.no_grad(){behind}"
        )

    def save(self, tensor: Tensor) -> Tensor:
        self.saved.append((self.innermost, tensor, tensor._version))
        return tensor

    def without_derivative(self) -> str:
        """The first layer whose output has no derivative, or an empty string."""
        for name, source, result in self.passed:
            try:
                torch.autograd.grad(result.sum(), source, retain_graph=True, allow_unused=True)
            except NotImplementedError:
                return name
        return ""

    def begin(self, name: str) -> Callable[[nn.Module, object], None]:
        def hook(module: nn.Module, inputs: object) -> None:
            source = first_tensor(inputs)
            if source is not None and source.is_floating_point() and not source.requires_grad:
                self.lost = self.lost or self.innermost
            self.running.append(name)
            if not torch.is_grad_enabled():
                self.without = self.without or self.innermost

        return hook

    def end(self, module: nn.Module, inputs: object, output: object) -> None:
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
