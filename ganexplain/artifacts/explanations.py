"""What stands in `explanations.npz` and `responses.npz`, checked where they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.audio.log_mel import usable_front_end
from ganexplain.config import LAST_SEED
from ganexplain.errors import GanexplainError, UsageError, shown
from ganexplain.files.arrays import read_arrays, read_meta
from ganexplain.inputs.kinds import FrontEnd, ImageInput, Input

# Axis letters as in the README: a letter stands for one length throughout a run.
EXPLANATION_AXES = {
    "learning_rate": "C", "prior_weight": "C", "iterations": "C", "trajectory": "C",
    "seed": "N", "latent": "CNZ", "mel": "CNFT", "response": "CN", "features": "CND",
    "best_iteration": "CN", "start_mel": "NFT", "start_response": "N",
    "response_trace": "LNS", "latent_norm_trace": "LNS",
}  # fmt: skip
REAL_AXES = {
    "mel": "RFT", "response": "R", "features": "RD", "file": "R", "start_s": "R", "audio": "RW",
}  # fmt: skip
HELD_OUT = "held_out_"  # what keys of excerpts of the valid and test splits begin with
TRACES = ("response_trace", "latent_norm_trace")  # NaN behind the iterations of their settings
INTEGERS = ("iterations", "trajectory", "seed", "best_iteration")
META_FIELDS: dict[str, type | tuple[type, ...]] = {
    "layer": str, "neuron": (int, str), "unit": str, "direction": str, "features_layer": str,
    "front_end": dict, "classifier": str, "classifier_hash": str, "seed": int,
}  # fmt: skip
META_OPTIONAL = {
    "gan": str, "gan_hash": str, "classes": list, "version": str, "prior": str, "examples": int,
    "searches": int, "searches_without_gradient": int, "starts_without_gradient": int,
}  # fmt: skip
LARGEST = 1e18  # of a value: its square is one of float32
LONGEST = 1e9  # seconds of a recording
SAME_UNIT = ("layer", "neuron", "features_layer", "classifier_hash", "front_end")


@dataclass(frozen=True)
class Explanations:
    """Arrays and meta of `explanations.npz`; `sizes` gives the length of each axis letter."""

    path: Path
    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]
    front_end: Input
    sizes: dict[str, int]

    @property
    def prefix(self) -> str:
        """What the keys of the real excerpts to compare with begin with."""
        return "" if self.meta["direction"] == "max" else "bottom_"


def read_explanations(path: Path, exploded: bool = False) -> Explanations:
    """Read `explanations.npz`; errors as `read_arrays`, or naming the array that does not fit.

    With `exploded` its excerpts may hold values that are not finite, which a page says of them.
    """
    arrays, meta = read_arrays(path, "explanations", tuple(EXPLANATION_AXES))
    _check_meta(path, meta)
    front_end = usable_front_end(path, meta["front_end"])
    sizes = _check_shapes(path, arrays, axes_for(front_end, EXPLANATION_AXES), {})
    unchecked = (*TRACES, "mel") if exploded else TRACES
    _check_values(path, arrays, [name for name in EXPLANATION_AXES if name not in unchecked])
    if meta["direction"] not in ("max", "min"):
        raise GanexplainError(f"{path}: direction is {meta['direction']!r}, not max or min")
    if set(arrays["trajectory"].tolist()) != set(range(sizes["L"])):
        raise GanexplainError(f"{path}: trajectory does not name all of 0 to {sizes['L'] - 1}")
    counts = arrays["iterations"]
    _check_range(path, arrays, "iterations", 1)
    _check_range(path, arrays, "learning_rate", 0)
    _check_range(path, arrays, "prior_weight", 0)
    if (arrays["seed"] != meta["seed"] + np.arange(sizes["N"])).any():
        raise GanexplainError(f"{path}: seed does not count up from that of the run; make it again")
    _check_range(path, arrays, "best_iteration", 0, counts[:, None])
    if sizes["S"] != counts.max() + 1:
        raise GanexplainError(
            f"{path}: the traces hold {sizes['S']} values, not one for each of 0 to "
            f"{counts.max()} iterations; make it again"
        )
    for name in TRACES:
        for line, count in zip(arrays["trajectory"], counts, strict=True):
            _check_values(path, {name: arrays[name][line, :, : count + 1]}, [name])
    _check_settings(path, arrays)
    return Explanations(path, arrays, meta, front_end, sizes)


def _check_meta(path: Path, meta: Mapping[str, Any]) -> None:
    for field, kind in (META_FIELDS | META_OPTIONAL).items():
        if field in META_FIELDS and field not in meta:
            raise GanexplainError(f"{path}: meta field {field!r} is missing; make it again")
        value = meta.get(field)
        if value is None and field not in META_FIELDS:
            continue
        if not isinstance(value, kind) or isinstance(value, bool):
            raise GanexplainError(f"{path}: meta field {field!r} is {shown(value)}; make it again")
    if not 0 <= meta["seed"] <= LAST_SEED:
        raise GanexplainError(f"{path}: seed is {shown(meta['seed'])}; make it again")
    if not all(isinstance(name, str) for name in meta.get("classes") or ()):
        raise GanexplainError(f"{path}: classes are {shown(meta['classes'])}; make it again")


def _check_settings(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """GanexplainError where a setting stands twice, or one trajectory is of several searches."""
    names = ("learning_rate", "prior_weight", "trajectory", "iterations")
    rows = list(zip(*(arrays[name].tolist() for name in names), strict=True))
    pairs = {row[2]: row[:2] for row in rows}
    if len({(*row[:2], row[3]) for row in rows}) < len(rows):
        raise GanexplainError(f"{path}: a setting stands twice; make it again")
    if any(pairs[row[2]] != row[:2] for row in rows):
        raise GanexplainError(f"{path}: trajectory is of several searches; make it again")


def read_responses(
    path: Path, other: Path, wanted: Mapping[str, Any], sizes: dict[str, int]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read `responses.npz`; UsageError where it belongs to another classifier or unit.

    That of `other` is what `wanted`, its meta, says; `sizes` has its lengths of axis letters.
    """
    real_axes = axes_for(usable_front_end(other, wanted["front_end"]), REAL_AXES)
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
        _check_shapes(path, arrays, mine, sizes)
        _check_real(path, arrays, prefix, real_axes)
    return arrays, meta


def _check_real(
    path: Path, arrays: Mapping[str, np.ndarray], prefix: str, axes: Mapping[str, str]
) -> None:
    """GanexplainError where real excerpts hold what none can."""
    _check_values(path, arrays, [prefix + name for name in axes if name != "file"])
    _check_range(path, arrays, f"{prefix}start_s", 0, LONGEST)
    if (np.char.str_len(arrays[f"{prefix}file"]) == 0).any():
        raise GanexplainError(f"{path}: {prefix}file holds a name without a letter; make it again")


def check_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], axes: Mapping[str, str], sizes: dict[str, int]
) -> None:
    """GanexplainError where a named array is missing, of another shape or of other values."""
    for name in axes:
        if name not in arrays:
            raise GanexplainError(f"{path}: key {name!r} is missing; make it again")
    _check_shapes(path, arrays, axes, sizes)
    _check_values(path, arrays, [name for name in axes if not name.endswith("file")])


def axes_for(front_end: Input, axes: Mapping[str, str]) -> dict[str, str]:
    """The axes of arrays for what is drawn: K, F, T of pictures, W of waveforms, with no `audio`.

    Pictures have no sound, and a waveform is its own.
    """
    if isinstance(front_end, FrontEnd):
        return dict(axes)
    own = "KFT" if isinstance(front_end, ImageInput) else "W"  # channels, rows and columns
    return {name: letters.replace("FT", own) for name, letters in axes.items() if name != "audio"}


def check_same(path: Path, field: str, value: Any, other: Path, wanted: Any) -> None:
    """UsageError where a field of one file is not that of the other."""
    if value != wanted:
        raise UsageError(
            f"{path}: {field} is {shown(value)}, but {shown(wanted)} in {other}; they do not "
            "belong together"
        )


def _check_shapes(
    path: Path, arrays: Mapping[str, np.ndarray], axes: Mapping[str, str], known: dict[str, int]
) -> dict[str, int]:
    """Hold every array against its axis letters; give the length of each letter."""
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
            raise GanexplainError(f"{path}: {name} holds {arrays[name].dtype}; make it again")
    return sizes


def _check_values(path: Path, arrays: Mapping[str, np.ndarray], names: Iterable[str]) -> None:
    """GanexplainError where an array holds values that no search and no recording has."""
    for name in names:
        if not np.isfinite(arrays[name]).all():
            raise GanexplainError(f"{path}: {name} holds values that are not finite; make it again")
        if arrays[name].dtype.kind == "f" and np.abs(arrays[name]).max() > LARGEST:
            raise GanexplainError(f"{path}: {name} holds values above {LARGEST:g}; make it again")


def _check_range(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    name: str,
    least: float,
    most: float | np.ndarray = np.inf,
) -> None:
    values = arrays[name]
    wrong = (values < least) | (values > most)
    if wrong.any():
        raise GanexplainError(
            f"{path}: {name} holds {shown(values[wrong][0].item())}, which cannot be; make it again"
        )
