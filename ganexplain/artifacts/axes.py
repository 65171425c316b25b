"""Checks the shapes and values of arrays by the letters of their axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ganexplain.errors import GanexplainError, UsageError, short_repr
from ganexplain.inputs.base import Input

INTEGERS = ("iterations", "trajectory", "seed", "best_iteration")
LARGEST = 1e18  # of a value, whose square must be finite in float32


def check_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], axes: Mapping[str, str], sizes: Mapping[str, int]
) -> None:
    """Raise GanexplainError if an array is missing or has a wrong shape or wrong values."""
    for name in axes:
        if name not in arrays:
            raise GanexplainError(f"{path}: key {name!r} is missing; make it again")
    check_shapes(path, arrays, axes, sizes)
    check_values(path, arrays, [name for name in axes if not name.endswith("file")])


def axes_for(front_end: Input, axes: Mapping[str, str]) -> dict[str, str]:
    """The axes of arrays of inputs, from `axes` for log-mel.

    Other kinds of input have their own letters in place of FT; `audio` exists only for kinds that
    keep the recording.
    """
    own = {name: letters.replace("FT", front_end.array_axes) for name, letters in axes.items()}
    if not front_end.keeps_recording:
        own.pop("audio", None)
    return own


def check_same(path: Path, field: str, value: object, other: Path, wanted: object) -> None:
    """Raise UsageError if a field of one file differs from that of the other."""
    if value != wanted:
        raise UsageError(
            f"{path}: {field} is {short_repr(value)}, but {short_repr(wanted)} in {other}; they do "
            "not belong together"
        )


def check_shapes(
    path: Path, arrays: Mapping[str, np.ndarray], axes: Mapping[str, str], known: Mapping[str, int]
) -> dict[str, int]:
    """Check each array by its axis letters; returns the length of each letter."""
    sizes = dict(known)
    for name, letters in axes.items():
        shape = arrays[name].shape
        if len(shape) == len(letters):
            wanted = tuple(sizes.setdefault(k, n) for k, n in zip(letters, shape, strict=True))
        else:
            wanted = tuple(sizes.get(k, 0) for k in letters)
        if shape != wanted or 0 in shape:
            raise GanexplainError(
                f"{path}: {name} has shape {shape}, not ({', '.join(letters)}) = {wanted}; "
                "make it again"
            )
        kinds = "iu" if name in INTEGERS else "U" if name.endswith("file") else "iuf"
        if arrays[name].dtype.kind not in kinds:
            raise GanexplainError(f"{path}: {name} contains {arrays[name].dtype}; make it again")
    return sizes


def check_values(path: Path, arrays: Mapping[str, np.ndarray], names: Iterable[str]) -> None:
    """Raise GanexplainError if an array contains values that are not finite or are too large."""
    for name in names:
        if not np.isfinite(arrays[name]).all():
            raise GanexplainError(
                f"{path}: {name} contains values that are not finite; make it again"
            )
        if arrays[name].dtype.kind == "f" and np.abs(arrays[name]).max() > LARGEST:
            raise GanexplainError(
                f"{path}: {name} contains values above {LARGEST:g}; make it again"
            )


def check_range(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    name: str,
    least: float,
    most: float | np.ndarray = np.inf,
) -> None:
    """Raise GanexplainError if an array contains values below `least` or above `most`."""
    values = arrays[name]
    wrong = (values < least) | (values > most)
    if wrong.any():
        raise GanexplainError(
            f"{path}: {name} contains {short_repr(values[wrong][0].item())}, which is impossible; "
            "make it again"
        )
