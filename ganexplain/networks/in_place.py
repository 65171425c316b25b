"""Makes layers that work in place safe for code that keeps the tensors of a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def activations_out_of_place(
    network: nn.Module, run: Callable[[Tensor], Tensor], x: Tensor, layer: nn.Module | None
) -> Iterator[None]:
    """While open, activations write into new tensors, and so does what follows `layer`.

    Hooks of other libraries then find the output of a layer, which a layer that works in place
    would overwrite. Activations stay in place where `run`, a pass of x (B, ...), would otherwise
    return something else.
    """
    inplace = [module for module in network.modules() if getattr(module, "inplace", False)]
    with torch.no_grad():
        before = run(x)
        _set_inplace(inplace, False)
        if not torch.equal(before, run(x)):
            _set_inplace(inplace, True)
    handles: list[Any] = []

    def put_last(module: nn.Module, inputs: object) -> None:
        """Register the copying hook again, so that it runs after hooks registered since."""
        while len(handles) > 1:
            handles.pop().remove()
        handles.append(module.register_forward_hook(copy))

    def copy(module: nn.Module, inputs: object, output: object) -> Tensor | None:
        return output.clone() if isinstance(output, Tensor) else None

    if layer is not None:
        handles.append(layer.register_forward_pre_hook(put_last))
    try:
        yield
    finally:
        _set_inplace(inplace, True)
        for handle in handles:
            handle.remove()


def _set_inplace(modules: Iterable[nn.Module], value: bool) -> None:
    for module in modules:
        setattr(module, "inplace", value)  # noqa: B010 - a plain attribute of some layers
