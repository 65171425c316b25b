"""`responses.npz`: the real excerpts that drive a unit most and least."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.artifacts.axes import axes_for, check_range, check_same, check_shapes, check_values
from ganexplain.artifacts.plan import SearchTarget
from ganexplain.audio.log_mel import read_front_end
from ganexplain.errors import GanexplainError
from ganexplain.files.arrays import read_arrays, read_meta

REAL_AXES = {
    "mel": "RFT", "response": "R", "features": "RD", "file": "R", "start_s": "R", "audio": "RW",
}  # fmt: skip
HELD_OUT = "held_out_"  # what keys of excerpts of the valid and test splits begin with
LONGEST = 1e9  # seconds of a recording
SAME_UNIT = ("layer", "neuron", "features_layer", "classifier_hash", "front_end")

RealResponses = tuple[dict[str, np.ndarray], dict[str, Any]]  # arrays and meta of responses.npz


def given_path(path: Path, target: SearchTarget) -> Path:
    """The `responses.npz` of a unit: the file named, or that for the unit in the folder named."""
    if not path.is_dir():
        return path
    folders = (path / target.name, path / target.unit.file_name, path)
    return next((f for f in folders if f.is_dir()), path) / "responses.npz"


def read_responses(
    path: Path, other: Path, wanted: Mapping[str, Any], sizes: dict[str, int]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read `responses.npz`; UsageError where it belongs to another classifier or unit.

    That of `other` is what `wanted`, its meta, says; `sizes` has its lengths of axis letters.
    """
    real_axes = axes_for(read_front_end(other, wanted["front_end"]), REAL_AXES)
    needed = tuple(prefix + name for prefix in ("", "bottom_") for name in real_axes)
    found = read_meta(path, "responses")
    for field in SAME_UNIT:
        check_same(path, field, found.get(field), other, wanted[field])
    arrays, meta = read_arrays(path, "responses", needed)
    groups = ["", "bottom_"]
    if f"{HELD_OUT}response" in arrays:
        groups += [HELD_OUT, f"{HELD_OUT}bottom_"]
    for prefix in groups:
        mine = {prefix + name: letters for name, letters in real_axes.items()}
        for name in mine:
            if name not in arrays:
                raise GanexplainError(f"{path}: key {name!r} is missing; make it again")
        check_shapes(path, arrays, mine, sizes)
        _check_real(path, arrays, prefix, real_axes)
    return arrays, meta


def _check_real(
    path: Path, arrays: Mapping[str, np.ndarray], prefix: str, axes: Mapping[str, str]
) -> None:
    """GanexplainError where real excerpts hold what none can."""
    check_values(path, arrays, [prefix + name for name in axes if name != "file"])
    check_range(path, arrays, f"{prefix}start_s", 0, LONGEST)
    if (np.char.str_len(arrays[f"{prefix}file"]) == 0).any():
        raise GanexplainError(f"{path}: {prefix}file holds a name without a letter; make it again")
