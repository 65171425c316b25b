"""`select`: explanations and real excerpts -> `responses.npz` and `selection.json`, `.npz`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexplain.artifacts import (
    check_same_front_end,
    file_hash,
    write_arrays,
    write_json,
)
from ganexplain.ascent.frechet import frechet_distance
from ganexplain.ascent.neurons import neuron_response, responses_and_features
from ganexplain.ascent.responses import excerpt_responses, strongest
from ganexplain.config import FrontEnd, SelectConfig
from ganexplain.data.audio import load_excerpt
from ganexplain.data.cache import cache_directory
from ganexplain.data.corpus import Corpus, read_corpora
from ganexplain.data.excerpts import Split, load_split
from ganexplain.errors import GanexplainError, UsageError, check_known
from ganexplain.models.loading import Classifier, load_classifier
from ganexplain.rundir import RunDirectory
from ganexplain.runtime import Progress, pick_device
from ganexplain.stages.contracts import (
    SAME_UNIT,
    Explanations,
    read_explanations,
    read_responses,
)

SCORES = {"fid-response": "fid_response", "fid-features": "fid_features"}


def select(
    config: SelectConfig, out: Path, progress: Progress, overwrite: bool = False
) -> dict[str, Any]:
    """Rank the settings by their distance to the real excerpts that drive the unit most.

    Gives the document written to `selection.json`. The real responses are found in the
    training split, or taken from `config.responses`.
    """
    check_known("--by", config.by, SCORES)
    if bool(config.responses) == bool(config.corpus):
        raise UsageError("give the real excerpts as --corpus or, found before, as --responses")
    if config.top == 1:
        raise UsageError("--top 1: a distance needs at least 2 real excerpts")
    explanations = read_explanations(Path(config.explanations))
    classifier, corpus = None, None
    if config.responses:
        real, meta = read_responses(Path(config.responses), explanations)
    else:
        classifier = _load_explained(config, explanations)
        corpus = read_corpora(config.corpus, config.skip_bad_files)
    with RunDirectory(out, "select", config, overwrite) as run:
        progress = run.keep_notes(progress)
        digest = run.used("explanations", explanations.path)
        if classifier is not None and corpus is not None:
            run.used_recordings("train", corpus.split("train"))
            real, meta = _find_responses(config, explanations, classifier, corpus, progress)
        write_arrays(out / "responses.npz", "responses", real, meta)
        table = score_settings(explanations, real)
        document = selection_document(config.by, explanations, digest, table)
        write_arrays(out / "selection.npz", "selection", table, {"by": config.by})
        write_json(out / "selection.json", document)
        run.results["chosen"] = document["chosen"]
    return document


def _load_explained(config: SelectConfig, explanations: Explanations) -> Classifier:
    """The classifier that the explanations are of; UsageError for another."""
    path = Path(config.classifier or explanations.meta["classifier"])
    if not path.is_file():
        raise UsageError(f"{path}: no such file; say where the classifier is with --classifier")
    if file_hash(path) != explanations.meta["classifier_hash"]:
        raise UsageError(
            f"{path}: not the classifier that {explanations.path} explains; "
            "name that one with --classifier"
        )
    classifier = load_classifier(path, pick_device(config.device))
    ours = (explanations.path, explanations.front_end)
    check_same_front_end((path, classifier.front_end), ours)
    return classifier


def _find_responses(
    config: SelectConfig,
    explanations: Explanations,
    classifier: Classifier,
    corpus: Corpus,
    progress: Progress,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    meta = explanations.meta
    for message in corpus.skipped:
        progress.note(f"skipped: {message}")
    cache, front_end = cache_directory(config.cache), explanations.front_end
    split = load_split(corpus, "train", front_end, cache, progress, config.skip_bad_files)
    device = classifier.network.mean.device
    found = real_responses(config, classifier, meta, split, device, progress)
    return found, {
        **{key: meta[key] for key in SAME_UNIT},
        "corpus": list(config.corpus),
        "hop_frames": config.hop_frames,
        "overlapping": config.overlapping,
    }


def real_responses(
    config: SelectConfig,
    classifier: Classifier,
    meta: dict[str, Any],
    split: Split,
    device: torch.device,
    progress: Progress,
) -> dict[str, np.ndarray]:
    """Arrays of `responses.npz`: the N excerpts with the highest response, and with the lowest."""
    hop = 1 if config.overlapping else config.hop_frames
    if hop < 1:
        raise UsageError(f"--hop-frames {hop}: must be at least 1")
    centres = split.whole_excerpts(hop)
    network = classifier.network
    progress.start("responses of real excerpts", len(centres))
    with neuron_response(network, meta["layer"], meta["neuron"]) as respond:
        response = excerpt_responses(split, centres, respond, device, progress.advance)
    count = config.top or meta["examples"]
    apart = 0 if config.overlapping else split.front_end.excerpt_frames
    arrays: dict[str, np.ndarray] = {}
    for prefix, direction in (("", "max"), ("bottom_", "min")):
        rows = strongest(response, centres, count, apart, direction)
        if len(rows) < count:
            progress.note(f"only {len(rows)} excerpts that do not overlap, {count} were asked for")
        if len(rows) < 2:
            raise GanexplainError(
                f"{' + '.join(config.corpus)}: fewer than two excerpts to compare with"
            )
        described = _described(split, centres[rows], network, meta, device)
        arrays.update({prefix + key: value for key, value in described.items()})
    return arrays


def _described(
    split: Split,
    centres: np.ndarray,
    network: torch.nn.Module,
    meta: dict[str, Any],
    device: torch.device,
) -> dict[str, np.ndarray]:
    front_end = split.front_end
    mel = split.gather(centres)
    response, features = responses_and_features(
        network,
        meta["layer"],
        meta["neuron"],
        meta["features_layer"],
        torch.from_numpy(mel).to(device),
    )
    first = np.maximum(centres[:, 1] - front_end.excerpt_frames // 2, 0)
    start = first * front_end.hop_length / front_end.sample_rate
    paths = [split.recordings[i].path for i in centres[:, 0]]
    return {
        "mel": mel,
        "response": response.cpu().numpy(),
        "features": features.cpu().numpy(),
        "file": np.array([path.name for path in paths]),
        "start_s": start,
        "audio": np.stack(
            [_audio(path, at, front_end) for path, at in zip(paths, start, strict=True)]
        ),
    }


def _audio(path: Path, start: float, front_end: FrontEnd) -> np.ndarray:
    sound = load_excerpt(path, start, front_end.excerpt_samples, front_end.sample_rate)
    return np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16)


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
