"""What stands in `explanations.npz` and `responses.npz`, checked where they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.artifacts.axes import axes_for, check_range, check_shapes, check_values
from ganexplain.audio.log_mel import usable_front_end
from ganexplain.config import LAST_SEED
from ganexplain.errors import GanexplainError, shown
from ganexplain.files.arrays import read_arrays
from ganexplain.inputs.kinds import Input

# Axis letters as in the README: a letter stands for one length throughout a run.
EXPLANATION_AXES = {
    "learning_rate": "C", "prior_weight": "C", "iterations": "C", "trajectory": "C",
    "seed": "N", "latent": "CNZ", "mel": "CNFT", "response": "CN", "features": "CND",
    "best_iteration": "CN", "start_mel": "NFT", "start_response": "N",
    "response_trace": "LNS", "latent_norm_trace": "LNS",
}  # fmt: skip
TRACES = ("response_trace", "latent_norm_trace")  # NaN behind the iterations of their settings
META_FIELDS: dict[str, type | tuple[type, ...]] = {
    "layer": str, "neuron": (int, str), "unit": str, "direction": str, "features_layer": str,
    "front_end": dict, "classifier": str, "classifier_hash": str, "seed": int,
}  # fmt: skip
META_OPTIONAL = {
    "gan": str, "gan_hash": str, "classes": list, "version": str, "prior": str, "examples": int,
    "searches": int, "searches_without_gradient": int, "starts_without_gradient": int,
}  # fmt: skip


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
    sizes = check_shapes(path, arrays, axes_for(front_end, EXPLANATION_AXES), {})
    unchecked = (*TRACES, "mel") if exploded else TRACES
    check_values(path, arrays, [name for name in EXPLANATION_AXES if name not in unchecked])
    if meta["direction"] not in ("max", "min"):
        raise GanexplainError(f"{path}: direction is {meta['direction']!r}, not max or min")
    if set(arrays["trajectory"].tolist()) != set(range(sizes["L"])):
        raise GanexplainError(f"{path}: trajectory does not name all of 0 to {sizes['L'] - 1}")
    counts = arrays["iterations"]
    check_range(path, arrays, "iterations", 1)
    check_range(path, arrays, "learning_rate", 0)
    check_range(path, arrays, "prior_weight", 0)
    if (arrays["seed"] != meta["seed"] + np.arange(sizes["N"])).any():
        raise GanexplainError(f"{path}: seed does not count up from that of the run; make it again")
    check_range(path, arrays, "best_iteration", 0, counts[:, None])
    if sizes["S"] != counts.max() + 1:
        raise GanexplainError(
            f"{path}: the traces hold {sizes['S']} values, not one for each of 0 to "
            f"{counts.max()} iterations; make it again"
        )
    for name in TRACES:
        for line, count in zip(arrays["trajectory"], counts, strict=True):
            check_values(path, {name: arrays[name][line, :, : count + 1]}, [name])
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
        raise GanexplainError(f"{path}: a setting occurs twice; make it again")
    if any(pairs[row[2]] != row[:2] for row in rows):
        raise GanexplainError(f"{path}: trajectory is of several searches; make it again")
