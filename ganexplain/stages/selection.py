"""`select`: explanations and real excerpts -> `responses.npz` and `selection.json`, `.npz`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.artifacts import (
    check_same_front_end,
    read_meta,
    write_arrays,
    write_json,
)
from ganexplain.ascent.frechet import frechet_distance
from ganexplain.config import SelectConfig
from ganexplain.data.material import read_material
from ganexplain.errors import UsageError, check_known
from ganexplain.models.explained import Explained, Source, load_explained
from ganexplain.rundir import RunDirectory
from ganexplain.runtime import Progress, pick_device
from ganexplain.stages.contracts import (
    Explanations,
    read_explanations,
    read_responses,
)
from ganexplain.stages.explain_merge import explanation_files
from ganexplain.stages.real_responses import FoundResponses, RealResponses, given_path

SCORES = {"fid-response": "fid_response", "fid-features": "fid_features"}


def select(
    config: SelectConfig, out: Path, progress: Progress, overwrite: bool = False
) -> list[dict[str, Any]]:
    """Rank the settings by their distance to the real excerpts that drive the unit most.

    Gives the documents written as `selection.json`, one for each unit of the run explained: in
    `out` where there is one, else in folders of the units' names. The real responses are found
    in the training split, or taken from `config.responses`.
    """
    check_known("--by", config.by, SCORES)
    if bool(config.responses) == bool(config.corpus):
        raise UsageError("give the real excerpts as --corpus or, found before, as --responses")
    if config.top == 1:
        raise UsageError("--top 1: a distance needs at least 2 real excerpts")
    files = explanation_files(Path(config.explanations))
    first = read_explanations(files[0])
    found = None
    if config.responses:
        for path in files:  # what is wrong with them is said before the run begins
            explanations = first if path == files[0] else read_explanations(path)
            _given(config, explanations)
    else:
        corpus = read_material(config.corpus, config.skip_bad_files)
        found = FoundResponses(config, _load_explained(config, first), corpus, first.front_end)
    documents = []
    with RunDirectory(out, "select", config, overwrite) as run:
        progress = run.keep_notes(progress)
        if found:
            run.used_recordings("train", found.corpus.split("train"))
            metas = [read_meta(path, "explanations") for path in files]
            found.prepare(((meta["layer"], meta["neuron"]) for meta in metas), progress)
        for path in files:
            explanations = first if path == files[0] else read_explanations(path)
            folder = out if len(files) == 1 else out / path.parent.name
            digest = run.used("explanations" if folder == out else path.parent.name, path)
            real, meta = found.of(explanations.meta) if found else _given(config, explanations)
            documents.append(_select_one(config.by, explanations, digest, real, meta, folder))
        run.results["chosen"] = [document["chosen"] for document in documents]
    return documents


def _given(config: SelectConfig, explanations: Explanations) -> RealResponses:
    path = given_path(Path(config.responses), explanations.meta)
    return read_responses(path, explanations.path, explanations.meta, explanations.sizes)


def _select_one(
    by: str,
    explanations: Explanations,
    digest: str,
    real: dict[str, np.ndarray],
    meta: dict[str, Any],
    folder: Path,
) -> dict[str, Any]:
    table = score_settings(explanations, real)
    document = selection_document(by, explanations, digest, table)
    write_arrays(folder / "responses.npz", "responses", real, meta)
    write_arrays(folder / "selection.npz", "selection", table, {"by": by})
    write_json(folder / "selection.json", document)
    return document


def _load_explained(config: SelectConfig, explanations: Explanations) -> Explained:
    """The classifier that the explanations are of; UsageError for another."""
    source = Source.of_meta(explanations.meta, config.classifier)
    path = Path(source.name)
    for file in source.files().values():
        if not file.is_file():
            raise UsageError(f"{file}: no such file; say where the classifier is with --classifier")
    if source.digest() != explanations.meta["classifier_hash"]:
        raise UsageError(
            f"{path}: not the classifier that {explanations.path} explains; "
            "name that one with --classifier"
        )
    ours = (explanations.path, explanations.front_end)
    explained = load_explained(source, explanations.front_end, pick_device(config.device))
    check_same_front_end((path, explained.front_end), ours)
    return explained


def score_settings(
    explanations: Explanations, real: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Arrays of `selection.npz`, one row a setting (C,): the settings and their scores.

    `fid_response` is the paper's score, on responses alone; `fid_features` the same distance
    on the vector of features. Real excerpts are the highest for `max`, the lowest for `min`.
    """
    ours = explanations.arrays
    prefix = explanations.prefix
    response, features = real[prefix + "response"], real[prefix + "features"]
    settings = range(len(ours["response"]))
    return {
        "learning_rate": ours["learning_rate"],
        "prior_weight": ours["prior_weight"],
        "iterations": ours["iterations"],
        "fid_response": np.array(
            [frechet_distance(ours["response"][c], response) for c in settings]
        ),
        "fid_features": np.array(
            [frechet_distance(ours["features"][c], features) for c in settings]
        ),
        "mean_response": ours["response"].mean(axis=1, dtype=np.float64),
        "std_response": ours["response"].std(axis=1, ddof=1, dtype=np.float64),
        "latent_norm": np.linalg.norm(ours["latent"].astype(np.float64), axis=2).mean(axis=1),
    }


def selection_document(
    by: str, explanations: Explanations, digest: str, table: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Content of `selection.json`; rank 1 is the smallest score, the least optimised on a tie."""
    score = table[SCORES[by]]
    effort = table["learning_rate"] * table["iterations"]
    order = np.lexsort([effort, score])
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.arange(1, len(order) + 1)
    meta = explanations.meta
    return {
        "chosen": int(order[0]),
        "by": by,
        "explanations_hash": digest,
        **{key: meta[key] for key in ("layer", "neuron", "unit", "direction", "features_layer")},
        "configurations": [
            {**{key: values[c].item() for key, values in table.items()}, "rank": int(rank[c])}
            for c in range(len(order))
        ],
    }
