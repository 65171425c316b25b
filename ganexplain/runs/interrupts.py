"""Ctrl-C and SIGTERM: raised as exceptions, or collected until a step is done."""

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

_received: list[KeyboardInterrupt] = []  # since the handler was installed


@contextmanager
def raise_interrupts() -> Iterator[list[KeyboardInterrupt]]:
    """While open, Ctrl-C raises KeyboardInterrupt and SIGTERM Terminated; both are listed.

    An interrupt may appear as another error, for example of an interrupted import. C code may also
    swallow it in a callback; it is then raised again at the next report of progress.
    """
    _received.clear()

    def handle(number: int, frame: FrameType | None) -> None:
        _received.append(_interrupt(number))
        raise _received[-1]

    def report_others(lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            before(lost)

    before, sys.unraisablehook = sys.unraisablehook, report_others
    try:
        with _handling(handle):
            yield _received
    finally:
        sys.unraisablehook = before


def raise_swallowed_interrupt() -> None:
    """Raise an interrupt that was swallowed, if there is one."""
    if _received:
        raise _received[-1]


@contextmanager
def collect_interrupts() -> Iterator[list[KeyboardInterrupt]]:
    """While open, the first Ctrl-C or SIGTERM is appended to the list; a second one is raised."""
    received: list[KeyboardInterrupt] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(_interrupt(number))
        if len(received) > 1:
            raise received[-1]

    with _handling(handle):
        yield received


def end_process(status: int) -> NoReturn:
    """End the process: exit functions run, but threads are not joined.

    Modules are not deallocated either, which takes seconds on a busy machine.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends the process
    atexit._run_exitfuncs()
    os._exit(status)


def _interrupt(number: int) -> KeyboardInterrupt:
    return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()


@contextmanager
def _handling(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """While open, `handle` is called for Ctrl-C and SIGTERM, unless they are ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    active = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in active:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in active:
            signal.signal(number, before[number])
