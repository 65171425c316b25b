"""What `report` reads: explanations, real responses and selection, checked against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.artifacts import file_hash, read_json
from ganexplain.config import FrontEnd, ReportConfig
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.pages.evidence import CRITERIA, Evidence, Score
from ganexplain.stages.contracts import (
    REAL_AXES,
    Explanations,
    check_same,
    read_explanations,
    read_responses,
)


def read_evidence(config: ReportConfig) -> Evidence:
    """The three inputs of a report, checked against each other; errors as `write_report`."""
    explanations = read_explanations(Path(config.explanations))
    if not isinstance(explanations.front_end, FrontEnd):
        raise UsageError(f"{explanations.path}: of {explanations.front_end.kind}s, not of sound")
    meta, sizes = explanations.meta, explanations.sizes
    real, _ = read_responses(Path(config.responses), explanations.path, meta, sizes)
    prefix = explanations.prefix
    ranked_by, scores = _read_selection(Path(config.selection), explanations)
    return Evidence(
        made=explanations.arrays,
        meta=explanations.meta,
        real=_strongest_first({name: real[prefix + name] for name in REAL_AXES}, prefix == ""),
        scores=scores,
        ranked_by=ranked_by,
        front_end=explanations.front_end,
        seeds=config.examples,
    )


def _strongest_first(real: dict[str, np.ndarray], descending: bool) -> dict[str, np.ndarray]:
    response = real["response"].astype(np.float64)
    order = np.argsort(-response if descending else response, kind="stable")
    return {name: array[order] for name, array in real.items()}


def _read_selection(path: Path, explanations: Explanations) -> tuple[str, tuple[Score, ...]]:
    document, made = read_json(path), explanations.arrays
    for field in ("layer", "neuron", "direction"):
        wanted = explanations.meta[field]
        check_same(path, field, document.get(field), explanations.path, wanted)
    entries, count = document.get("configurations"), len(made["learning_rate"])
    if not isinstance(entries, list) or len(entries) != count:
        held = len(entries) if isinstance(entries, list) else "no list of"
        raise GanexplainError(
            f"{path}: holds {held} configurations, but {count} in {explanations.path}; "
            "run select again"
        )
    scores = tuple(_score(path, index, entry) for index, entry in enumerate(entries))
    for index, score in enumerate(scores):
        for field in ("learning_rate", "prior_weight", "iterations"):
            value, wanted = getattr(score, field), float(made[field][index])
            if not math.isclose(value, wanted, rel_tol=1e-6):
                name = f"configurations[{index}].{field}"
                check_same(path, name, value, explanations.path, wanted)
    _check_ranking(path, document, scores)
    if document.get("explanations_hash") != file_hash(explanations.path):
        raise GanexplainError(
            f"{path}: ranks other explanations than {explanations.path} holds; run select again"
        )
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
