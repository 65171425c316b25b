"""Run a network only as far as the layer asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from ganexplain.models.foreign import first_tensor


class _Reached(BaseException):  # not an Exception: a network's own handlers must let it through
    """The layer has put out what was asked for."""


@contextmanager
def stopping_at(network: nn.Module, layer: nn.Module) -> Iterator[Callable[[Tensor], Tensor]]:
    """A function from inputs of `network` to outputs of its `layer`, while the block is open.

    What stands behind the layer is not computed. The first pass runs to the end and counts how
    often the layer is called; later ones stop at the last of these calls, whose output counts.
    Inside the function the network runs as usual, so gradients and other hooks are as ever;
    outside of it the network is not touched. Raises RuntimeError where a pass does not reach
    the layer.
    """
    outputs: list[Tensor] = []
    expected = 0
    running = False

    def hook(module: nn.Module, inputs: object, output: object) -> None:
        if running:
            outputs.append(first_tensor(output))
            if len(outputs) == expected:
                raise _Reached

    def run(x: Tensor) -> Tensor:
        nonlocal expected, running
        running = True
        try:
            network(x)
        except _Reached:
            pass
        finally:
            running = False
            found, outputs[:] = list(outputs), []
        if not found:
            raise RuntimeError("the pass did not reach the layer whose output was asked for")
        expected = len(found)
        return found[-1]

    handle = layer.register_forward_hook(hook)
    try:
        yield run
    finally:
        handle.remove()
