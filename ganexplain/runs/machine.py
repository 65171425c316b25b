"""How a run computes: device, memory, threads, random streams."""

from __future__ import annotations

import ctypes
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ganexplain.errors import UsageError, reason_of

if TYPE_CHECKING:
    import numpy as np
    import torch


def pick_device(name: str) -> torch.device:
    """The torch device for `auto`, `cpu`, `cuda` or `cuda:1`; UsageError if it is not available."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"--device {name}: not usable here ({reason_of(error)}); try cpu"
        ) from error
    return device


def resolve_device_name(name: str | None) -> str | None:
    """The device that `auto` means, once torch is loaded; other names unchanged."""
    if name != "auto" or "torch" not in sys.modules:
        return name
    return "cuda" if sys.modules["torch"].cuda.is_available() else "cpu"


def keep_freed_memory() -> None:
    """Let glibc keep freed memory instead of mapping it again at each step.

    Ascent is 1.3x faster. The setting is for the whole process, so only our own command line calls
    this function. Without glibc nothing happens.
    """
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 64 * 2**20)


def hide_library_warnings() -> None:
    """Hide warnings of libraries for developers, unless Python's option -W is set.

    What a user should know is a note of ours. It is for the whole process, as `keep_freed_memory`.
    """
    if not sys.warnoptions:
        for category in (UserWarning, DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)


def thread_count() -> int | None:
    """The number of torch's threads, on which rounding depends; None if torch is not loaded."""
    return sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None


@contextmanager
def reserve_cores(workers: int) -> Iterator[None]:
    """While open, torch uses `workers` threads fewer, but at least one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(before - workers, 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def random_stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """The random generator for one purpose (for example "batch noise") at one step.

    Each purpose and step has its own stream, so a resumed run draws the same values as an
    uninterrupted one, and a draw added in one place changes no other.
    """
    import numpy as np

    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), index])
