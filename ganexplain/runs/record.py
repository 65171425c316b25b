"""The versions of libraries for `run.json`, and the writer of TensorBoard's files."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

LIBRARIES = ("torch", "numpy", "scipy", "librosa", "soundfile", "soxr")


def library_versions() -> dict[str, str]:
    """Versions by name of the library; `absent` if it is not installed."""
    return {name: _installed_version(name) for name in LIBRARIES}


@cache
def _installed_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def tensorboard_writer(folder: Path) -> Any:
    """A writer of TensorBoard's event files, or False if it is not installed."""
    if find_spec("tensorboard") is None:
        return False
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))
