"""Black boxes: networks that are only called, without layers and without gradients."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.errors import GanexplainError, UsageError, reason_of


class CallFailed(GanexplainError):
    """The function of a black box raised an error or returned no numbers."""


class _Expired(BaseException):  # not an Exception: a function's own handlers must not catch it
    """A call has taken too long."""


class BlackBox(nn.Module):
    """A network of which only a function from arrays to arrays is known.

    `function` gets the input (B, ...) as a NumPy array, and other arguments as `--input` names
    them. It returns an array whose first axis has the B inputs, or several in a tuple or mapping.
    `name` is that of errors. A call ends after `timeout` seconds (0: never).

    Raises UsageError for a class in place of a function, and for a call that takes too long;
    CallFailed for an error of the function and for results that are not numbers.
    """

    traced_as_one = True  # torch.fx calls it as a whole

    def __init__(self, name: str, function: Callable[..., Any], timeout: float = 0.0) -> None:
        super().__init__()
        if isinstance(function, type):
            raise UsageError(
                f"{name}: a class, {function.__name__}, not a network or a function; give an "
                f"instance of it, {function.__name__}(...)"
            )
        self.name, self.function, self.timeout = name, function, timeout

    def forward(self, *given: object, **named: object) -> Any:
        """What the function returns, as tensors; several in a tuple or mapping."""
        arguments = [_as_array(value) for value in given]
        others = {name: _as_array(value) for name, value in named.items()}
        try:
            found = _call_in_time(partial(self.function, *arguments, **others), self.timeout)
        except _Expired:
            raise UsageError(
                f"--model {self.name}: a call took longer than {self.timeout:g} s; give timeout = "
                "more seconds (0: no limit), or batch = 1, under [network] in the file of --input"
            ) from None
        except (GanexplainError, MemoryError):
            raise
        except (Exception, SystemExit) as error:  # its code may raise anything
            raise CallFailed(f"{self.name} fails: {reason_of(error)}") from error
        return self._as_tensors(found)

    def check(self, output: Tensor, usual: tuple[int, ...]) -> None:
        """Raise CallFailed for NaN or another shape than `usual` in an output (B, U, ...)."""
        if tuple(output.shape) != usual:
            raise CallFailed(
                f"{self.name} returns {tuple(output.shape)} after {usual} for as many inputs; its "
                "output must always have the same shape"
            )
        if output.isnan().any():
            raise CallFailed(f"{self.name} returns NaN; check that --input describes its input")

    def _as_tensors(self, found: object) -> Any:
        if isinstance(found, Mapping):
            return {str(name): self._as_tensors(part) for name, part in found.items()}
        if isinstance(found, tuple):
            return tuple(self._as_tensors(part) for part in found)
        if isinstance(found, Tensor):
            found = found.detach().cpu().numpy()
        try:
            array = np.array(found)  # a copy: the function may write into its array again
        except ValueError:  # rows of several lengths
            array = np.array(None)
        if array.dtype.kind not in "fiub":
            advice = "; a function that makes a network takes no argument"
            raise CallFailed(
                f"{self.name} returns {type(found).__name__}, not an array of numbers"
                + advice * isinstance(found, nn.Module)
            )
        return torch.from_numpy(array.astype(np.float32) if array.dtype.kind == "f" else array)


def _as_array(value: object) -> object:
    """A tensor as an array of its own, tensors in a mapping too; others unchanged."""
    if isinstance(value, Mapping):
        return {name: _as_array(inner) for name, inner in value.items()}
    return value.detach().cpu().numpy().copy() if isinstance(value, Tensor) else value


def find_black_box(network: nn.Module) -> BlackBox | None:
    """The black box in a network, or None."""
    return next((part for part in network.modules() if isinstance(part, BlackBox)), None)


def _call_in_time(call: Callable[[], Any], seconds: float) -> Any:
    """What a call returns; raises _Expired after so many seconds (0: never).

    Only the main thread can be interrupted. For other threads a thread of its own does the call,
    and is left alone after that time.
    """
    if not seconds:
        return call()
    if threading.current_thread() is threading.main_thread():
        with _alarm(seconds):
            return call()
    found: Future[Any] = Future()

    def do_call() -> None:
        try:
            found.set_result(call())
        except BaseException as error:  # raised again where the result is taken
            found.set_exception(error)

    threading.Thread(target=do_call, daemon=True).start()
    if not wait([found], seconds).done:
        raise _Expired
    return found.result()


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """While open, _Expired is raised in the main thread after so many seconds."""

    def expire(number: int, frame: FrameType | None) -> None:
        raise _Expired

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
