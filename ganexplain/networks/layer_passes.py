"""Passes of a network that end at a layer, so that nothing behind it is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganexplain.networks.adapter import NetworkAdapter
from ganexplain.networks.gradient_faults import gradient_errors_named
from ganexplain.networks.layer_outputs import LayerOutput
from ganexplain.networks.taps import check_alike


class _Reached(BaseException):  # not an Exception: a network's own handlers must not catch it
    """The layer has returned the wanted output."""


class _PassToLayer:
    """Passes of `network` that end at the last call of `layer`.

    `hook` belongs to the layer's module. It counts the calls of a pass, and ends it at the call
    that is `expected` to be the last; 0 before the first pass has counted them.
    """

    def __init__(self, network: nn.Module, layer: LayerOutput) -> None:
        self.network, self.layer = network, layer
        self.calls = self.expected = 0
        self.running = False
        self.found: list[Tensor] = []

    def hook(self, module: nn.Module, inputs: object, output: object) -> None:
        """Count a call of the layer; take its output if it is the expected one."""
        if not self.running:
            return
        self.calls += 1
        if self.calls == self.expected:
            if (value := self.layer.read(output)) is not None:
                self.found.append(value)
            raise _Reached

    def __call__(self, x: Tensor) -> Tensor:
        """The layer's output for x (B, ...); RuntimeError if the pass does not reach it."""
        if not self.expected:
            with torch.no_grad():
                self._run(x.detach().clone())
            self.expected = self.calls
        while self.expected:
            self._run(x)
            if self.found:
                return self.found.pop()
            # It may be called less often than before.
            self.expected = self.calls if self.calls < self.expected else 0
        raise RuntimeError("the pass did not reach the requested layer")

    def _run(self, x: Tensor) -> None:
        self.running, self.calls = True, 0
        try:
            self.network(x)
        except _Reached:
            pass
        finally:
            self.running = False


@contextmanager
def run_to_layer(network: nn.Module, layer: LayerOutput) -> Iterator[Callable[[Tensor], Tensor]]:
    """A function from inputs of `network` to outputs of its `layer`, while the block is open.

    A pass ends at the last call of the layer and returns the output of that call. The first input
    is passed once more, to the end of the network, to count the calls. So nothing behind the
    layer is computed with gradients or can overwrite the layer's output. Gradients and other
    hooks work as usual.

    Raises RuntimeError if a pass does not reach the layer, and UsageError with the name of the
    layer at fault if the network's code allows no gradient.
    """
    to_layer = _PassToLayer(network, layer)
    copies = isinstance(network, NetworkAdapter) and network.calling.copies > 0
    run = _one_by_one(to_layer, layer) if copies and layer.module is not network else to_layer
    handle = layer.module.register_forward_hook(to_layer.hook)
    try:
        with gradient_errors_named(network, run) as watched:
            yield watched
    finally:
        handle.remove()


def _one_by_one(run: Callable[[Tensor], Tensor], layer: LayerOutput) -> Callable[[Tensor], Tensor]:
    """A pass for each input, for a network whose passes take copies of one."""

    def run_all(x: Tensor) -> Tensor:
        found = [run(one)[:1] for one in x.split(1)]
        check_alike(layer.name, [each.shape for each in found])
        return torch.cat(found)

    return run_all
