"""Run a network only as far as the layer asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganexplain.networks.gradient_faults import named_faults
from ganexplain.networks.outputs import first_tensor


class _Reached(BaseException):  # not an Exception: a network's own handlers must let it through
    """The layer has put out what was asked for."""


@contextmanager
def stopping_at(network: nn.Module, layer: nn.Module) -> Iterator[Callable[[Tensor], Tensor]]:
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
        raise RuntimeError("the pass did not reach the layer whose output was asked for")

    handle = layer.register_forward_hook(hook)
    try:
        with named_faults(network, run) as watched:
            yield watched
    finally:
        handle.remove()
