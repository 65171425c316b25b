"""`explanations.npz`: arrays and meta of one unit, checked where they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from ganexplain.artifacts.axes import axes_for, check_range, check_shapes, check_values
from ganexplain.artifacts.plan import SearchTarget
from ganexplain.audio.log_mel import read_front_end
from ganexplain.config import LAST_SEED
from ganexplain.errors import GanexplainError, UsageError, short_repr
from ganexplain.files.arrays import read_arrays, read_meta
from ganexplain.inputs.kinds import Input
from ganexplain.networks.units import Unit

# Axis letters as in the README: a letter stands for one length throughout a run.
EXPLANATION_AXES = {
    "learning_rate": "C", "prior_weight": "C", "iterations": "C", "trajectory": "C",
    "seed": "N", "latent": "CNZ", "mel": "CNFT", "response": "CN", "features": "CND",
    "best_iteration": "CN", "start_mel": "NFT", "start_response": "N",
    "response_trace": "LNS", "latent_norm_trace": "LNS",
}  # fmt: skip
TRACES = ("response_trace", "latent_norm_trace")  # NaN behind the iterations of their settings
# What a meta must have, and what files from before did not have.
NEEDED: dict[str, type | tuple[type, ...]] = {
    "layer": str, "neuron": (int, str), "unit": str, "direction": str, "features_layer": str,
    "front_end": dict, "classifier": str, "classifier_hash": str, "seed": int,
}  # fmt: skip
OPTIONAL: dict[str, type | tuple[type, ...]] = {
    "gan": str, "gan_hash": str, "classes": list, "version": str, "prior": str, "examples": int,
    "precision": str, "hysteresis": bool, "search": str, "searches": int,
    "searches_without_gradient": int, "starts_without_gradient": int,
}  # fmt: skip


@dataclass(frozen=True)
class ExplanationMeta:
    """What `explanations.npz` says of its unit, its networks and the search.

    `class_name` is the class that the unit stands for, or empty. What files from before did not
    have is empty, or as it was at the time. `document` has all settings, as the file has them.
    """

    target: SearchTarget
    class_name: str
    features_layer: str
    front_end: Mapping[str, Any]
    seed: int
    classifier: str
    classifier_hash: str
    gan: str
    gan_hash: str
    classes: tuple[str, ...]
    version: str
    prior: str
    precision: str
    hysteresis: bool
    search: str
    document: Mapping[str, Any]

    @classmethod
    def from_json(cls, path: Path, meta: Mapping[str, Any]) -> Self:
        """The meta of a file; GanexplainError names the field that is missing or wrong."""
        found = {**meta, **_checked(path, meta)}
        return cls(
            target=_target(path, found),
            class_name=found["unit"],
            features_layer=found["features_layer"],
            front_end=found["front_end"],
            seed=found["seed"],
            classifier=found["classifier"],
            classifier_hash=found["classifier_hash"],
            gan=found["gan"] or "",
            gan_hash=found["gan_hash"] or "",
            classes=tuple(found["classes"] or ()),
            version=found["version"] or "",
            prior=found["prior"] or "l2",
            precision=found["precision"] or "float32",
            hysteresis=bool(found["hysteresis"]),
            search=found["search"] or "grid",
            document=meta,
        )

    def to_json(self) -> dict[str, Any]:
        """The fields as the file has them."""
        return dict(self.document)

    @property
    def unit(self) -> Unit:
        """The unit explained."""
        return self.target.unit

    @property
    def direction(self) -> str:
        """Whether its response was raised (`max`) or lowered (`min`)."""
        return self.target.direction


@dataclass(frozen=True)
class Explanations:
    """Arrays and meta of `explanations.npz`; `sizes` gives the length of each axis letter."""

    path: Path
    arrays: dict[str, np.ndarray]
    meta: ExplanationMeta
    front_end: Input
    sizes: dict[str, int]

    @property
    def prefix(self) -> str:
        """What the keys of the real excerpts to compare with begin with."""
        return "" if self.meta.direction == "max" else "bottom_"


def read_explanations(path: Path, exploded: bool = False) -> Explanations:
    """Read `explanations.npz`; errors as `read_arrays`, or naming the array that does not fit.

    With `exploded` its excerpts may hold values that are not finite, which a page says of them.
    """
    arrays, document = read_arrays(path, "explanations", tuple(EXPLANATION_AXES))
    meta = ExplanationMeta.from_json(path, document)
    front_end = read_front_end(path, meta.front_end)
    sizes = check_shapes(path, arrays, axes_for(front_end, EXPLANATION_AXES), {})
    unchecked = (*TRACES, "mel") if exploded else TRACES
    check_values(path, arrays, [name for name in EXPLANATION_AXES if name not in unchecked])
    if set(arrays["trajectory"].tolist()) != set(range(sizes["L"])):
        raise GanexplainError(f"{path}: trajectory does not name all of 0 to {sizes['L'] - 1}")
    counts = arrays["iterations"]
    check_range(path, arrays, "iterations", 1)
    check_range(path, arrays, "learning_rate", 0)
    check_range(path, arrays, "prior_weight", 0)
    if (arrays["seed"] != meta.seed + np.arange(sizes["N"])).any():
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


def read_explanation_meta(path: Path) -> ExplanationMeta:
    """The meta alone of `explanations.npz`; errors as `read_meta` and `ExplanationMeta`."""
    return ExplanationMeta.from_json(path, read_meta(path, "explanations"))


def _checked(path: Path, meta: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are read, None for those that a file from before does not have."""
    found: dict[str, Any] = {name: meta.get(name) for name in (*NEEDED, *OPTIONAL)}
    for field, kind in (NEEDED | OPTIONAL).items():
        if field in NEEDED and field not in meta:
            raise GanexplainError(f"{path}: meta field {field!r} is missing; make it again")
        value = found[field]
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not fits and (value is not None or field in NEEDED):
            raise GanexplainError(
                f"{path}: meta field {field!r} is {short_repr(value)}; make it again"
            )
    if not 0 <= found["seed"] <= LAST_SEED:
        raise GanexplainError(f"{path}: seed is {short_repr(found['seed'])}; make it again")
    if not all(isinstance(name, str) for name in found["classes"] or ()):
        raise GanexplainError(f"{path}: classes are {short_repr(found['classes'])}; make it again")
    if found["direction"] not in ("max", "min"):
        raise GanexplainError(f"{path}: direction is {found['direction']!r}, not max or min")
    return found


def _target(path: Path, found: Mapping[str, Any]) -> SearchTarget:
    """The target that checked fields name; GanexplainError where they name no unit."""
    try:
        return SearchTarget.from_json(found)
    except UsageError as error:
        raise GanexplainError(f"{path}: neuron {error}; make it again") from error


def _check_settings(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """GanexplainError where a setting stands twice, or one trajectory is of several searches."""
    names = ("learning_rate", "prior_weight", "trajectory", "iterations")
    rows = list(zip(*(arrays[name].tolist() for name in names), strict=True))
    pairs = {row[2]: row[:2] for row in rows}
    if len({(*row[:2], row[3]) for row in rows}) < len(rows):
        raise GanexplainError(f"{path}: a setting occurs twice; make it again")
    if any(pairs[row[2]] != row[:2] for row in rows):
        raise GanexplainError(f"{path}: trajectory is of several searches; make it again")
