"""Whether two runs of one stage wrote the same; where not, which key differs and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.attribution.measures import WALL_CLOCK
from ganexplain.errors import GanexplainError
from ganexplain.files.arrays import mapped, whole_file
from ganexplain.files.atomic import existing_file, file_hash, read_json
from ganexplain.files.bounded import lines_of, parse_json, read_archived, read_text
from ganexplain.files.checkpoints import load_data

# What tells of a run when and how it ran; `tensorboard` repeats metrics.jsonl with the time of day.
RECORDS = ("run*.json", "log*.txt", "config.toml", "tensorboard/*")


def artifacts_of(run: Path) -> dict[str, Path]:
    """The files that a run made, by their names in its directory."""
    files = [path for path in sorted(run.rglob("*")) if path.is_file()]
    made = [path for path in files if not path.name.startswith(".")]
    return {
        str(path.relative_to(run)): path
        for path in made
        if not any(path.relative_to(run).match(pattern) for pattern in RECORDS)
    }


def differences(one: Path, other: Path) -> dict[str, str]:
    """Of each artifact of two runs in words how they differ; an empty text where they are equal.

    Files are held against each other byte by byte, arrays and documents that differ there key by
    key: the wall clock of an attribution may be another.
    """
    ours, theirs = artifacts_of(one), artifacts_of(other)
    return {
        name: f"missing in {one if name not in ours else other}"
        if name not in ours or name not in theirs
        else difference(ours[name], theirs[name])
        for name in sorted(ours | theirs)
    }


def difference(one: Path, other: Path) -> str:
    """The first key in which two files differ and by how much; empty where they are equal."""
    if file_hash(one) == file_hash(other):
        return ""
    if one.suffix not in (".npz", ".npy", ".pt", ".json", ".jsonl"):
        return "other content"
    try:
        ours, theirs = (dict(_leaves(read_any(path))) for path in (one, other))
    except GanexplainError as error:
        return str(error)
    for name in ours | theirs:
        if name.split(".")[-1] == WALL_CLOCK:
            continue
        if name not in ours or name not in theirs:
            return f"{name}: missing in {one if name not in ours else other}"
        if told := _apart(ours[name], theirs[name]):
            return f"{name}: {told}"
    return ""


def _apart(one: Any, other: Any) -> str:
    """How two values differ, in words."""
    if not isinstance(one, str | None) and not isinstance(other, str | None):
        first, second = np.asarray(one), np.asarray(other)
        if first.shape != second.shape or first.dtype != second.dtype:
            return f"{first.dtype} {first.shape} against {second.dtype} {second.shape}"
        if first.dtype.kind not in "fiub":
            return "" if (first == second).all() else "other texts"
        if np.array_equal(first, second, equal_nan=first.dtype.kind == "f"):
            return ""
        apart = np.abs(first.astype(np.float64) - second.astype(np.float64))
        return f"by at most {np.nanmax(apart):.3g}, of at most {np.nanmax(np.abs(first)):.3g}"
    return "" if one == other else f"{one!r:.60} against {other!r:.60}"


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """What is no container in nested ones, with its path."""
    if isinstance(value, list | tuple):
        value = {"length": len(value), **{str(index): inner for index, inner in enumerate(value)}}
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def read_any(path: Path) -> Any:
    """Content of an `.npz`, `.npy`, `.pt`, `.json` or `.jsonl` of any kind, to be compared.

    Raises GanexplainError where it is damaged.
    """
    if path.suffix == ".json":
        return read_json(path)
    with whole_file(path, path.suffix):
        if path.suffix == ".jsonl":
            return [parse_json(line) for line in lines_of(read_text(path))]
        if path.suffix == ".pt":
            return load_data(path)
        if path.suffix == ".npy":
            return {"array": mapped(path)}
        arrays: dict[str, Any] = dict(read_archived(existing_file(path)))
        return arrays | {"meta": parse_json(str(arrays["meta"]))}
