"""Ctrl-C and SIGTERM: as exceptions, or noted until a step is done."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from ganexplain.errors import Terminated

_unanswered: list[KeyboardInterrupt] = []  # what came, until it is told


@contextmanager
def raise_interrupts() -> Iterator[list[KeyboardInterrupt]]:
    """While open, Ctrl-C raises KeyboardInterrupt and SIGTERM Terminated; the list has what came.

    What came may surface as another error, of an import it broke into, say; or, in a callback of
    C code, not at all, and is raised again as soon as progress is told.
    """
    _unanswered.clear()

    def answer(number: int, frame: FrameType | None) -> None:
        _unanswered.append(_interrupt(number))
        raise _unanswered[-1]

    def tell_others(lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            before(lost)

    before, sys.unraisablehook = sys.unraisablehook, tell_others
    try:
        with _answering(answer):
            yield _unanswered
    finally:
        sys.unraisablehook = before


def raise_swallowed_interrupt() -> None:
    """Raise what came and was swallowed, if anything."""
    if _unanswered:
        raise _unanswered[-1]


@contextmanager
def collect_interrupts() -> Iterator[list[KeyboardInterrupt]]:
    """While open, the first Ctrl-C or SIGTERM is put into the list; a second one is raised."""
    came: list[KeyboardInterrupt] = []

    def answer(number: int, frame: FrameType | None) -> None:
        came.append(_interrupt(number))
        if len(came) > 1:
            raise came[-1]

    with _answering(answer):
        yield came


def end_process(status: int) -> NoReturn:
    """End the process: what is registered for its end is done, but threads are not waited for.

    Nor are the libraries' modules taken apart, which takes seconds where the machine is busy.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends this, too
    atexit._run_exitfuncs()
    os._exit(status)


def _interrupt(number: int) -> KeyboardInterrupt:
    return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()


@contextmanager
def _answering(answer: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """While open, `answer` hears of Ctrl-C and SIGTERM, but where they are to be ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, answer)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])
