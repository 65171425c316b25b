"""Activation maximisation with a GAN prior, selected automatically, for audio networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganexplain.version import __version__

if TYPE_CHECKING:
    from ganexplain.api import Explanation, explain, layers, rank, respond

__all__ = ["Explanation", "__version__", "explain", "layers", "rank", "respond"]


def __getattr__(name: str) -> Any:
    """The functions of ganexplain.api, which load torch, when they are first asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'ganexplain' has no attribute {name!r}")
    from ganexplain import api

    return getattr(api, name)
