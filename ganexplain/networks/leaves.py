"""Tracing by torch.fx that leaves the layers one asks for whole."""

from __future__ import annotations

from collections.abc import Collection

from torch import fx, nn


class KeepingTracer(fx.Tracer):
    """Leaves the modules of these names whole, so that they can be found and hooked."""

    def __init__(self, keep: Collection[str]) -> None:
        super().__init__()
        self.keep = set(keep)

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        """Whether calls of a module are not traced into."""
        return name in self.keep or super().is_leaf_module(module, name)
