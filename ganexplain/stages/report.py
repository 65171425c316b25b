"""`report`: explanations, selection and real responses -> one page to see and to hear."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.artifacts import front_end_from_dict, read_arrays, read_json, write_bytes
from ganexplain.config import FrontEnd, ReportConfig
from ganexplain.data.sonify import sonify
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.pages.document import Table, render
from ganexplain.pages.evidence import Evidence, Score
from ganexplain.pages.markup import Child, element
from ganexplain.pages.story import CRITERIA, tell
from ganexplain.rundir import RunDirectory
from ganexplain.runtime import Progress

# Axis letters as in the design: a letter stands for one length throughout a report.
EXPLANATION_AXES = {
    "learning_rate": "C", "prior_weight": "C", "iterations": "C", "trajectory": "C",
    "seed": "N", "latent": "CNZ", "mel": "CNFT", "response": "CN", "features": "CND",
    "start_mel": "NFT", "start_response": "N", "response_trace": "LNS", "latent_norm_trace": "LNS",
}  # fmt: skip
REAL_AXES = {"mel": "RFT", "response": "R", "file": "R", "start_s": "R", "audio": "RW"}
META_FIELDS = ("layer", "neuron", "direction", "features_layer", "front_end", "classifier_hash")
SAME_UNIT = ("layer", "neuron")


def write_report(
    config: ReportConfig, out: Path, progress: Progress, overwrite: bool = False
) -> Path:
    """Write `report.html`, one file that needs no other, and give its path.

    Raises UsageError for settings that cannot be, GanexplainError for files that do not fit
    together, naming the file and the field.
    """
    evidence = read_evidence(config)
    with RunDirectory(out, "report", config, overwrite) as run:
        files = {
            name: Path(getattr(config, name)) for name in ("explanations", "selection", "responses")
        }
        hashes = {name: run.used(name, path) for name, path in files.items()}
        sounds = _sounds(evidence, config, progress)
        page = render(tell(evidence, sounds, _provenance(evidence, config, files, hashes)))
        path = out / "report.html"
        write_bytes(path, page.encode())
        run.results.update(bytes=len(page.encode()), players=page.count("<audio"))
    return path


def _sounds(evidence: Evidence, config: ReportConfig, progress: Progress) -> dict[str, np.ndarray]:
    """Waveforms (n, samples) of each row shown."""
    shown = evidence.shown
    progress.start("sounds", sum(len(mel) for mel in shown.values()))
    sounds = {}
    for name, excerpts in shown.items():
        made = []
        for mel in excerpts:
            made.append(
                sonify(mel[None], evidence.front_end, config.griffin_lim_iterations, config.seed)
            )
            progress.advance()
        sounds[name] = np.concatenate(made)
    return sounds


# --- Reading and checking -------------------------------------------------------------------


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
    front_end = _check_meta(explanations, meta)
    prefix = "" if meta["direction"] == "max" else "bottom_"
    keys = {prefix + name: axes for name, axes in REAL_AXES.items()}
    found, real_meta = read_arrays(responses, "responses", tuple(keys))
    _check_shapes(responses, found, keys, sizes)
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
        if name.removeprefix("bottom_") in ("response", "start_response", "response_trace",
                                            "latent_norm_trace", "start_s") \
                and not np.isfinite(arrays[name]).all():  # fmt: skip
            raise GanexplainError(f"{path}: {name} holds values that are not finite; make it again")
    return sizes


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
    if sorted(score.rank for score in scores) != list(range(1, count + 1)):
        raise GanexplainError(f"{path}: field 'rank' does not count 1 to {count}; run select again")
    if len({score.setting for score in scores}) < count:
        raise GanexplainError(
            f"{path}: a setting stands twice in 'configurations'; run explain again"
        )
    chosen = document.get("chosen")
    if not isinstance(chosen, int) or not 0 <= chosen < count or scores[chosen].rank != 1:
        raise GanexplainError(f"{path}: field 'chosen' ({chosen!r}) is not the one of rank 1")
    if document.get("by") not in CRITERIA:
        raise GanexplainError(
            f"{path}: field 'by' is {document.get('by')!r}, not one of {list(CRITERIA)}"
        )
    return str(document["by"]), scores


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


# --- Provenance -----------------------------------------------------------------------------


def _provenance(
    evidence: Evidence, config: ReportConfig, files: Mapping[str, Path], hashes: Mapping[str, str]
) -> list[Table]:
    meta, made = evidence.meta, evidence.made
    inputs = [(name, _hashed(path, hashes[name])) for name, path in files.items()]
    networks = [
        (name, _hashed(meta.get(name, "unnamed"), meta.get(f"{name}_hash", "unknown")))
        for name in ("classifier", "gan")
    ]
    seeds = made["seed"]
    search = [
        ("layer, neuron", f"{meta['layer']}, {meta['neuron']}"),
        ("classes", ", ".join(map(str, meta.get("classes", ()))) or "unknown"),
        ("direction", str(meta["direction"])),
        ("examples", f"{len(seeds)}, seeds {seeds.min()} to {seeds.max()}"),
        ("shown", f"the first {len(evidence.shown['start'])}, not picked by eye or ear"),
        ("settings", f"{len(evidence.scores)} on {len(made['response_trace'])} trajectories"),
        ("latent size", str(made["latent"].shape[-1])),
        ("features", f"{meta['features_layer']}, {made['features'].shape[-1]} values"),
        ("ganexplain", str(meta.get("version", "unknown"))),
    ]
    sound = [
        (
            "method",
            "non-negative magnitudes behind the filterbank, then fast Griffin-Lim, "
            f"{config.griffin_lim_iterations} iterations, seed {config.seed}",
        ),
        ("range", "values above what a full-scale waveform can have are cut; the floor is silence"),
        ("level", "kept, unless the peak would pass 0.99"),
        *((name.replace("_", " "), f"{value:g}") for name, value in meta["front_end"].items()),
    ]
    return [
        Table("Files", [*inputs, *networks]),
        Table("Search", search),
        Table("Front end and sound", sound),
        Table("Commands", _commands(files, meta)),
    ]


def _hashed(path: object, digest: object) -> Child:
    return [str(path), element("code", f"sha256 {digest}")]


def _commands(files: Mapping[str, Path], meta: Mapping[str, Any]) -> list[tuple[str, Child]]:
    """The command line of every run directory the inputs come from, where it is still there."""
    paths = [Path(str(meta[name])) for name in ("classifier", "gan") if meta.get(name)]
    commands: dict[str, Child] = {}
    for path in [*paths, *files.values()]:
        try:
            run = read_json(path.parent / "run.json")
            line = shlex.join(["ganexplain", *map(str, run["argv"][1:])])
            made_with = f"version {run['version']}, seed {run['seed']}"
            commands.setdefault(str(run["stage"]), [line, element("code", made_with)])
        except (GanexplainError, KeyError, TypeError):
            continue
    return list(commands.items()) or [("commands", "no run.json beside the inputs")]
