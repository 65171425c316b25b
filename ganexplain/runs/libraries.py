"""Versions of the libraries on which figures depend."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("torch", "numpy", "scipy", "librosa", "soundfile", "soxr")


def library_versions() -> dict[str, str]:
    """Versions by name; `absent` for what is not installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found
