"""Gradients through code of a network that switches them off or stores nothing for them.

These are torch.no_grad, inference_mode and reentrant checkpoints.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils import checkpoint

from ganexplain.networks.calling.call import is_close


class _Watch(threading.local):
    """What happens in this thread: `switched` collects what switches gradients off."""

    switched: list[str] | None = None
    ignore = False

    def sees(self, name: str) -> bool:
        """Note that something switches gradients off, and return whether that is ignored."""
        if self.switched is None:
            return False
        self.switched.append(name)
        return self.ignore


_WATCH, _LOCK = _Watch(), threading.Lock()
_OPEN = [0]  # blocks, of all threads
_SET_GRAD_ENABLED, _INFERENCE_MODE = torch._C._set_grad_enabled, torch._C._InferenceMode


def _set_grad_enabled(mode: bool) -> None:
    if mode or not _WATCH.sees("no_grad"):
        _SET_GRAD_ENABLED(mode)


def _inference_mode(mode: bool) -> AbstractContextManager[Any]:
    ignored = mode and _WATCH.sees("inference_mode")
    return nullcontext() if ignored else _INFERENCE_MODE(mode)


@contextmanager
def watch_grad_mode(ignore: bool) -> Iterator[list[str]]:
    """While open, Python code that switches gradients off is noted in the list and, if wanted,
    ignored.

    All that torch offers for it calls one of two functions of its C++ part, which are replaced.
    """
    _replace(1)
    before = _WATCH.switched, _WATCH.ignore
    _WATCH.switched, _WATCH.ignore = [], ignore
    try:
        yield _WATCH.switched
    finally:
        _WATCH.switched, _WATCH.ignore = before
        _replace(-1)


def _replace(change: int) -> None:
    """Open or close a block: torch's own functions are back when the last one is closed."""
    with _LOCK:
        _OPEN[0] += change
        ours = (_set_grad_enabled, _inference_mode)
        functions: tuple[Any, Any] = ours if _OPEN[0] else (_SET_GRAD_ENABLED, _INFERENCE_MODE)
        torch._C._set_grad_enabled, torch._C._InferenceMode = functions  # type: ignore[misc]


class _Stored:
    """Runs what code puts behind a reentrant checkpoint as if it were not."""

    @staticmethod
    def apply(function: Callable[..., Any], preserve: bool, *arguments: Any) -> Any:
        """What the function returns."""
        return function(*arguments)


_REENTRANT, _STORING = checkpoint.CheckpointFunction, [0]  # and the blocks, of all threads


@contextmanager
def without_reentrant_checkpoints() -> Iterator[None]:
    """While open, a pass stores what its gradients need, also behind reentrant checkpoints.

    These allow gradients with respect to weights alone, and none of what layers return.
    """
    _store(1)
    try:
        yield
    finally:
        _store(-1)


def _store(change: int) -> None:
    with _LOCK:
        _STORING[0] += change
        function: Any = _Stored if _STORING[0] else _REENTRANT
        checkpoint.CheckpointFunction = function  # type: ignore[misc]


def needs_gradients_kept(run: Callable[[Tensor], Tensor], x: Tensor, output: Tensor) -> bool:
    """Whether `run` has a gradient with respect to x only if it cannot switch gradients off.

    False also if it then fails or returns something else than `output`.
    """
    if _with_gradient(run, x) is not None:
        return False
    with watch_grad_mode(ignore=True):
        kept = _with_gradient(run, x)
    return kept is not None and is_close(output, kept)


def _with_gradient(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor | None:
    """What `run` returns for x, or None if that has no gradient with respect to x."""
    leaf = x.detach().clone().requires_grad_(True)
    try:
        with torch.enable_grad():
            output = run(leaf)
            (gradient,) = torch.autograd.grad(output.sum(), leaf, allow_unused=True)
    except Exception:  # its code may raise anything, such as numpy() of a tensor with a gradient
        return None
    return None if gradient is None else output.detach()
