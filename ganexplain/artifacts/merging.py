"""Merges the parts of an `explain` run into one `explanations.npz` for each unit."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from ganexplain.artifacts.explanations import (
    FIXED_AXES,
    KIND,
    ExplanationMeta,
    meta_fields,
    read_searches,
)
from ganexplain.artifacts.grid import Grid
from ganexplain.artifacts.lost_gradients import LostSearches, refuse_lost
from ganexplain.artifacts.plan import (
    PART,
    PARTS_FOLDER,
    PLAN_FILE,
    TRIALS_FOLDER,
    Plan,
    SearchTarget,
    part_path,
    read_plan,
)
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.arrays import write_arrays

BY_SETTING = ("latent", "mel", "response", "features", "best_iteration")
BY_TRAJECTORY = ("response_trace", "latent_norm_trace")
SAME_INPUTS = ("classifier_hash", "gan_hash", "responses_hash", "guide_hashes")
STARTS = ("start_mel", "start_response")
FIXED, START_FIXED = FIXED_AXES  # only of searches that fixed outputs


def explanation_files(path: Path) -> list[Path]:
    """The `explanations.npz` that a path names: the file itself, or those of a run's folder.

    Parts that are not merged yet are merged. Raises GanexplainError if parts are missing.
    """
    if not path.is_dir():
        return [path]
    if not (path / PLAN_FILE).is_file():
        raise UsageError(f"{path}: no run of explain; name its folder or an explanations.npz")
    return merge_all(path, read_plan(path))


def merge_all(out: Path, plan: Plan) -> list[Path]:
    """Merge the parts of all units that are not merged yet; returns the paths of all units."""
    remaining = [target for target in plan.targets if not plan.path(out, target).is_file()]
    needed = [part for target in remaining for part in plan.parts(target)]
    missing = [part.name for part in needed if not part_path(out, part).is_file()]
    if missing:
        raise GanexplainError(
            f"{out}: {len(missing)} of {len(plan.targets) * (len(plan.bounds) - 1)} parts are "
            f"missing, first {missing[0]}; run explain again as before, with --resume or the "
            "same --shard"
        )
    for target in remaining:
        try:
            _merge(out, plan, target)
        except GanexplainError:
            if not plan.path(out, target).is_file():  # else another process merged it meanwhile
                raise
    for part in plan.all_parts():
        part_path(out, part).unlink(missing_ok=True)
    shutil.rmtree(out / TRIALS_FOLDER, ignore_errors=True)
    with suppress(OSError):  # it contains something else
        (out / PARTS_FOLDER).rmdir()
    return [plan.path(out, target) for target in plan.targets]


def _merge(out: Path, plan: Plan, target: SearchTarget) -> None:
    """Write one target's explanations; GanexplainError if parts have different inputs."""
    paths = [part_path(out, part) for part in plan.parts(target)]
    parts = [read_part(path) for path in paths]
    arrays, meta = parts[0]
    for path, (_, other) in zip(paths, parts, strict=True):
        if any(getattr(other, name) != getattr(meta, name) for name in SAME_INPUTS):
            raise GanexplainError(
                f"{path}: made with other networks than {paths[0].name}; remove it, and run "
                "explain again with --resume"
            )
    # An adaptive search has one part with all its settings.
    if meta.search != "adaptive":
        try:
            arrays = _gathered(
                [each for each, _ in parts], Grid.from_json(meta_fields(paths[0], meta.settings))
            )
        except (KeyError, TypeError, ValueError) as error:
            raise GanexplainError(
                f"{paths[0]}: does not match the other blocks ({error}); remove it, and run "
                "explain again with --resume"
            ) from error
        no_gradient = arrays.pop("no_gradient")
        if len(plan.targets) == 1:
            refuse_lost(target.name, no_gradient)
        spent, lost = arrays["response_trace"][..., 1:].size, LostSearches.count(no_gradient)
        meta = replace(meta, example_iterations=spent, lost=lost)
    write_arrays(plan.path(out, target), KIND, arrays, meta.to_json())


def read_part(path: Path) -> tuple[dict[str, np.ndarray], ExplanationMeta]:
    """Arrays and meta of a part; errors as `read_searches` and `Fields`."""
    arrays, document = read_searches(path, PART, BY_SETTING + BY_TRAJECTORY + STARTS)
    return arrays, ExplanationMeta.from_json(meta_fields(path, document))


def _gathered(parts: Sequence[Mapping[str, np.ndarray]], grid: Grid) -> dict[str, np.ndarray]:
    """Arrays of `explanations.npz`, and `no_gradient`, from parts with all rows of a grid."""
    lines, examples = len(grid.pairs), grid.examples
    rows = sum(len(arrays["response_trace"]) for arrays in parts)
    if grid.rows != rows:
        raise ValueError(f"{rows} searches, not {lines} of {examples} examples")

    def joined(name: str, axis: int = 0) -> np.ndarray:
        return np.concatenate([arrays[name] for arrays in parts], axis=axis)

    def present(*names: str) -> list[str]:
        found = set().union(*parts)
        return [name for name in names if name in found or name not in FIXED_AXES]

    return {
        **grid.arrays(),
        **{n: grid.by_setting(joined(n, axis=1)) for n in present(*BY_SETTING, FIXED)},
        **{name: joined(name).reshape(lines, examples, -1) for name in BY_TRAJECTORY},
        **{name: joined(name) for name in present(*STARTS, START_FIXED)},
        "no_gradient": joined("no_gradient").reshape(lines, examples),
    }
