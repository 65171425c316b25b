"""What C libraries print to standard error by themselves, kept off the terminal.

libmpg123, inside libsndfile, tells of every oddity of an MP3 that it reads, and cannot be asked
through libsndfile not to.
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
_opened = 0  # contexts open at once, in several threads
_usual: int | None = None  # C's stream of errors meanwhile


@contextmanager
def c_errors_hidden() -> Iterator[None]:
    """While open, what C code prints by `fprintf(stderr, ...)` goes nowhere.

    C's stream alone is exchanged, not the file behind it: what Python and C++ print is seen, also
    from other threads. Nothing is hidden where the C library is another than glibc, whose stream
    cannot always be exchanged.
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
    """The variable that holds C's stream of errors, and a stream to nowhere; None without."""
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018  (raises where it is not glibc)
        stream = ctypes.c_void_p.in_dll(libc, "stderr")
    except (OSError, AttributeError, TypeError, ValueError):
        return None
    libc.fopen.restype = ctypes.c_void_p
    nowhere = libc.fopen(os.fsencode(os.devnull), b"w")
    return (stream, nowhere) if nowhere else None
