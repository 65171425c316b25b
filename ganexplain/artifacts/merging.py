"""Parts of an `explain` run put together: one `explanations.npz` a unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.artifacts.lost_gradients import LostSearches, refuse_lost
from ganexplain.artifacts.plan import (
    PART,
    PARTS_FOLDER,
    PLAN_FILE,
    Plan,
    SearchTarget,
    part_path,
    read_plan,
)
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.arrays import read_arrays, write_arrays

BY_SETTING = ("latent", "mel", "response", "features", "best_iteration")
BY_TRAJECTORY = ("response_trace", "latent_norm_trace")
SAME_INPUTS = ("classifier_hash", "gan_hash", "responses_hash")
STARTS = ("start_mel", "start_response")


def explanation_files(path: Path) -> list[Path]:
    """The `explanations.npz` that a path names: itself, or those of the run in that folder.

    Parts not merged yet are. GanexplainError where some are missing.
    """
    if not path.is_dir():
        return [path]
    if not (path / PLAN_FILE).is_file():
        raise UsageError(f"{path}: no run of explain; name its folder or an explanations.npz")
    return merge_all(path, read_plan(path))


def merge_all(out: Path, plan: Plan) -> list[Path]:
    """Merge what is not merged yet; the paths of all units' explanations."""
    waiting = [target for target in plan.targets if not plan.path(out, target).is_file()]
    needed = [part for target in waiting for part in plan.parts(target)]
    missing = [part.name for part in needed if not part_path(out, part).is_file()]
    if missing:
        raise GanexplainError(
            f"{out}: {len(missing)} of {len(plan.targets) * (len(plan.bounds) - 1)} parts are "
            f"missing, first {missing[0]}; run explain again as before, with --resume or the "
            "same --shard"
        )
    for target in waiting:
        try:
            _merge(out, plan, target)
        except GanexplainError:
            if not plan.path(out, target).is_file():  # else another process merged it meanwhile
                raise
    for part in plan.all_parts():
        part_path(out, part).unlink(missing_ok=True)
    with suppress(OSError):  # something else is in it
        (out / PARTS_FOLDER).rmdir()
    return [plan.path(out, target) for target in plan.targets]


def _merge(out: Path, plan: Plan, target: SearchTarget) -> None:
    """Write one target's explanations; GanexplainError where parts are of different inputs."""
    paths = [part_path(out, part) for part in plan.parts(target)]
    names = BY_SETTING + BY_TRAJECTORY + STARTS
    read = [read_arrays(path, PART, names) for path in paths]
    meta = {name: value for name, value in read[0][1].items() if name not in ("kind", "schema")}
    for path, (_, other) in zip(paths, read, strict=True):
        if any(other.get(name) != meta.get(name) for name in SAME_INPUTS):
            raise GanexplainError(
                f"{path}: made with other networks than {paths[0].name}; remove it, and run "
                "explain again with --resume"
            )
    # The one part of an adaptive search has all settings, found as it went.
    whole = meta.get("search") == "adaptive"
    try:
        arrays = read[0][0] if whole else _gathered([arrays for arrays, _ in read], meta)
    except (KeyError, TypeError, ValueError) as error:
        raise GanexplainError(
            f"{paths[0]}: does not match the other blocks ({error}); remove it, and run explain "
            "again with --resume"
        ) from error
    if not whole:
        meta["example_iterations"] = arrays["response_trace"][..., 1:].size
        no_gradient = arrays.pop("no_gradient")
        meta |= LostSearches.count(no_gradient).to_json()
        if len(plan.targets) == 1:
            refuse_lost(target.name, no_gradient)
    write_arrays(plan.path(out, target), "explanations", arrays, meta)


def _gathered(
    parts: Sequence[Mapping[str, np.ndarray]], meta: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Arrays of `explanations.npz` of the grid from those of all its rows, and `no_gradient`."""
    examples, steps = meta["examples"], meta["iterations"]
    pairs = [(rate, weight) for rate in meta["learning_rate"] for weight in meta["prior_weight"]]
    lines, rows = len(pairs), sum(len(arrays["response_trace"]) for arrays in parts)
    if lines * examples != rows:
        raise ValueError(f"{rows} searches, not {lines} of {examples} examples")

    def joined(name: str, axis: int) -> np.ndarray:
        return np.concatenate([arrays[name] for arrays in parts], axis=axis)

    def by_setting(name: str) -> np.ndarray:
        """(P, L * N, ...) to (C, N, ...), iteration counts fastest."""
        values = joined(name, axis=1)
        split = values.reshape(len(steps), lines, examples, *values.shape[2:]).swapaxes(0, 1)
        return np.ascontiguousarray(split).reshape(-1, *split.shape[2:])

    return {
        "learning_rate": np.repeat([rate for rate, _ in pairs], len(steps)),
        "prior_weight": np.repeat([weight for _, weight in pairs], len(steps)),
        "iterations": np.tile(steps, lines),
        "trajectory": np.repeat(np.arange(lines), len(steps)),
        "seed": meta["seed"] + np.arange(examples),
        **{name: by_setting(name) for name in BY_SETTING},
        **{name: joined(name, 0).reshape(lines, examples, -1) for name in BY_TRAJECTORY},
        **{name: joined(name, 0) for name in STARTS},
        "no_gradient": joined("no_gradient", 0).reshape(lines, examples),
    }
