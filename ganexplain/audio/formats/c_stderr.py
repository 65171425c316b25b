"""Hides what C libraries print to standard error.

libmpg123, inside libsndfile, prints a line for each oddity of an MP3, and libsndfile has no option
against it.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

_lock = threading.Lock()
_opened = 0  # number of open contexts, in all threads
_usual: int | None = None  # C's stderr while it is replaced


@contextmanager
def hide_c_errors() -> Iterator[None]:
    """While open, the output of C code to `stderr` is discarded.

    Only C's stream is replaced, not the file behind it, so the output of Python and C++ is still
    printed, also from other threads. Without glibc nothing is hidden: other C libraries do not
    always allow to replace the stream.
    """
    global _opened, _usual
    streams = _streams()
    if streams is None:
        yield
        return
    stream, nowhere = streams
    with _lock:
        if not _opened:
            _usual, stream.value = stream.value, nowhere
        _opened += 1
    try:
        yield
    finally:
        with _lock:
            _opened -= 1
            if not _opened:
                stream.value = _usual


@lru_cache
def _streams() -> tuple[Any, int] | None:
    """The variable with C's stderr, and a stream to /dev/null; None without glibc."""
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018  (raises AttributeError without glibc)
        stream = ctypes.c_void_p.in_dll(libc, "stderr")
    except (OSError, AttributeError, TypeError, ValueError):
        return None
    libc.fopen.restype = ctypes.c_void_p
    nowhere = libc.fopen(os.fsencode(os.devnull), b"w")
    return (stream, nowhere) if nowhere else None
