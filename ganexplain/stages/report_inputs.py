"""What `report` reads: explanations, real responses and selection, checked against each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.artifacts import front_end_from_dict, read_arrays, read_json
from ganexplain.config import FrontEnd, ReportConfig
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.pages.evidence import CRITERIA, Evidence, Score

# Axis letters as in the design: a letter stands for one length throughout a report.
EXPLANATION_AXES = {
    "learning_rate": "C", "prior_weight": "C", "iterations": "C", "trajectory": "C",
    "seed": "N", "latent": "CNZ", "mel": "CNFT", "response": "CN", "features": "CND",
    "start_mel": "NFT", "start_response": "N", "response_trace": "LNS", "latent_norm_trace": "LNS",
}  # fmt: skip
REAL_AXES = {"mel": "RFT", "response": "R", "file": "R", "start_s": "R", "audio": "RW"}
FINITE = ("response", "start_mel", "start_response", "response_trace", "latent_norm_trace")
REAL_FINITE = ("mel", "response", "start_s")
META_FIELDS = ("layer", "neuron", "direction", "features_layer", "front_end", "classifier_hash")
SAME_UNIT = ("layer", "neuron")


def read_evidence(config: ReportConfig) -> Evidence:
    """The three inputs of a report, checked against each other; errors as `write_report`."""
    for name in ("examples", "griffin_lim_iterations"):
        if getattr(config, name) < 1:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} {getattr(config, name)}: must be at least 1")
    explanations, responses, selection = (
        _named(config, name) for name in ("explanations", "responses", "selection")
    )
    made, meta = read_arrays(explanations, "explanations", tuple(EXPLANATION_AXES))
    sizes = _check_shapes(explanations, made, EXPLANATION_AXES, {})
    _check_finite(explanations, made, FINITE)
    if set(made["trajectory"].tolist()) != set(range(sizes["L"])):
        raise GanexplainError(
            f"{explanations}: trajectory does not name all of 0 to {sizes['L'] - 1}"
        )
    front_end = _check_meta(explanations, meta)
    prefix = "" if meta["direction"] == "max" else "bottom_"
    keys = {prefix + name: axes for name, axes in REAL_AXES.items()}
    found, real_meta = read_arrays(responses, "responses", tuple(keys))
    _check_shapes(responses, found, keys, sizes)
    _check_finite(responses, found, [prefix + name for name in REAL_FINITE])
    for field in (*SAME_UNIT, "classifier_hash"):
        _check_same(responses, field, real_meta.get(field), explanations, meta[field])
    if "front_end" in real_meta:
        _check_same(responses, "front_end", real_meta["front_end"], explanations, meta["front_end"])
    ranked_by, scores = _read_selection(selection, explanations, made, meta)
    return Evidence(
        made=made,
        meta=meta,
        real=_strongest_first({name: found[prefix + name] for name in REAL_AXES}, prefix == ""),
        scores=scores,
        ranked_by=ranked_by,
        front_end=front_end,
        seeds=config.examples,
    )


def _named(config: ReportConfig, name: str) -> Path:
    if not getattr(config, name):
        raise UsageError(f"--{name}: needed; name the file")
    return Path(getattr(config, name))


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
    return sizes


def _check_finite(path: Path, arrays: Mapping[str, np.ndarray], names: Iterable[str]) -> None:
    for name in names:
        if not np.isfinite(arrays[name]).all():
            raise GanexplainError(f"{path}: {name} holds values that are not finite; make it again")


def _check_meta(path: Path, meta: Mapping[str, Any]) -> FrontEnd:
    for field in META_FIELDS:
        if field not in meta:
            raise GanexplainError(f"{path}: meta field {field!r} is missing; make it again")
    if meta["direction"] not in ("max", "min"):
        raise GanexplainError(f"{path}: direction is {meta['direction']!r}, not max or min")
    return front_end_from_dict(path, meta["front_end"])


def _check_same(path: Path, field: str, value: Any, other: Path, wanted: Any) -> None:
    if value != wanted:
        raise GanexplainError(
            f"{path}: {field} is {value!r}, but {wanted!r} in {other}; run select on the same files"
        )


def _strongest_first(real: dict[str, np.ndarray], descending: bool) -> dict[str, np.ndarray]:
    response = real["response"].astype(np.float64)
    order = np.argsort(-response if descending else response, kind="stable")
    return {name: array[order] for name, array in real.items()}


def _read_selection(
    path: Path, explanations: Path, made: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> tuple[str, tuple[Score, ...]]:
    document = read_json(path)
    for field in (*SAME_UNIT, "direction"):
        _check_same(path, field, document.get(field), explanations, meta[field])
    entries, count = document.get("configurations"), len(made["learning_rate"])
    if not isinstance(entries, list) or len(entries) != count:
        held = len(entries) if isinstance(entries, list) else "no list of"
        raise GanexplainError(
            f"{path}: holds {held} configurations, but {count} in {explanations}; run select again"
        )
    scores = tuple(_score(path, index, entry) for index, entry in enumerate(entries))
    for index, score in enumerate(scores):
        for field in ("learning_rate", "prior_weight", "iterations"):
            value, wanted = getattr(score, field), float(made[field][index])
            if not math.isclose(value, wanted, rel_tol=1e-6):
                name = f"configurations[{index}].{field}"
                _check_same(path, name, value, explanations, wanted)
    _check_ranking(path, document, scores)
    return str(document["by"]), scores


def _check_ranking(path: Path, document: Mapping[str, Any], scores: Sequence[Score]) -> None:
    count, chosen, by = len(scores), document.get("chosen"), document.get("by")
    if sorted(score.rank for score in scores) != list(range(1, count + 1)):
        problem = f"field 'rank' does not count 1 to {count}"
    elif len({score.setting for score in scores}) < count:
        problem = "a setting stands twice in 'configurations'"
    elif type(chosen) is not int or not 0 <= chosen < count or scores[chosen].rank != 1:
        problem = f"field 'chosen' ({chosen!r}) is not the one of rank 1"
    elif by not in CRITERIA:
        problem = f"field 'by' is {by!r}, not one of {', '.join(CRITERIA)}"
    elif by == "fid-features" and any(score.fid_features is None for score in scores):
        problem = "ranked by 'fid_features', which is missing"
    else:
        return
    raise GanexplainError(f"{path}: {problem}; run select again")


def _score(path: Path, index: int, entry: Any) -> Score:
    where = f"{path}: configurations[{index}]"
    if not isinstance(entry, dict):
        raise GanexplainError(f"{where} is not an object; run select again")

    def figure(name: str, optional: bool = False) -> Any:
        value = entry.get(name)
        if value is None and optional:
            return None
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise GanexplainError(f"{where}.{name} is {value!r}, not a number; run select again")
        return value

    return Score(
        learning_rate=float(figure("learning_rate")),
        prior_weight=float(figure("prior_weight")),
        iterations=int(figure("iterations")),
        rank=int(figure("rank")),
        fid_response=float(figure("fid_response")),
        fid_features=figure("fid_features", optional=True),
        mean_response=float(figure("mean_response")),
        std_response=float(figure("std_response")),
    )
