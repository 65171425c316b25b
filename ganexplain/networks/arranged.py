"""Outputs of layers as (B, U, ...) for other packages, which read units on the first axis only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ganexplain.networks.layer_outputs import LayerOutput
from ganexplain.networks.outputs import tensor_at


@contextmanager
def arranged_output(layer: LayerOutput) -> Iterator[nn.Module]:
    """A module that returns a layer's output as (B, U, ...) in each pass, while the block is open.

    The network continues with what this module returns, so that hooks on it see and change the
    output as hooks on the layer would. It is the layer itself if that returns (B, U, ...).

    A pass raises TypeError where the layer returns an object that cannot be made again.
    """
    if layer.is_plain:
        yield layer.module
        return
    arranged = nn.Identity()

    def hook(module: nn.Module, inputs: object, output: object) -> Any:
        found = tensor_at(output, layer.part)
        if found is None:
            return None
        value = layer.axes_of(found).restore(arranged(layer.arrange(found)))
        return _with_tensor(output, found, value)

    handle = layer.module.register_forward_hook(hook)
    try:
        yield arranged
    finally:
        handle.remove()


def _with_tensor(output: Any, before: Tensor, after: Tensor) -> Any:
    """What a layer returned, with another tensor in the place of one."""
    if output is before:
        return after
    if isinstance(output, Mapping):
        return type(output)(**{k: _with_tensor(part, before, after) for k, part in output.items()})
    if isinstance(output, tuple | list):
        parts = [_with_tensor(part, before, after) for part in output]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    if isinstance(output, Tensor) or output is None:
        return output
    raise TypeError(f"the layer returns {type(output).__name__}; name a layer in it")
