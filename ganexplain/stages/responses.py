"""`responses`: classifier and recordings -> a `responses.npz` for each unit."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ganexplain.artifacts import write_arrays
from ganexplain.ascent.neurons import chosen_neurons, find_layer, last_hidden_layer
from ganexplain.config import ResponsesConfig
from ganexplain.data.corpus import read_corpora
from ganexplain.models.loading import load_classifier
from ganexplain.rundir import RunDirectory
from ganexplain.runtime import Progress, pick_device
from ganexplain.stages.real_responses import FoundResponses


def responses(
    config: ResponsesConfig, out: Path, progress: Progress, overwrite: bool = False
) -> list[Path]:
    """Find the excerpts of the training split that drive units most and least.

    Gives the paths of the `responses.npz`: in `out` for one unit, else in `out/LAYER-NEURON`.
    Errors: those of the corpus, UsageError for an unknown layer or unit, GanexplainError where
    fewer than two excerpts are found.
    """
    path = Path(config.classifier)
    classifier = load_classifier(path, pick_device(config.device))
    network, front_end = classifier.network, classifier.front_end
    shape = (1, front_end.mel_bands, front_end.excerpt_frames)
    example = torch.zeros(shape, device=network.mean.device)
    neurons = chosen_neurons(config.layer, config.neuron, network, example)
    features = config.features or last_hidden_layer(network)
    find_layer(network, features, "--features")
    corpus = read_corpora(config.corpus, config.skip_bad_files)
    found = FoundResponses(config, classifier, corpus, front_end)
    paths = []
    with RunDirectory(out, "responses", config, overwrite) as run:
        progress = run.keep_notes(progress)
        common: dict[str, Any] = {
            "features_layer": features,
            "classifier_hash": run.used("classifier", path),
            "front_end": asdict(front_end),
        }
        run.used_recordings("train", corpus.split("train"))
        found.prepare((layer for layer, _ in neurons), progress)
        for layer, neuron in neurons:
            arrays, meta = found.of({**common, "layer": layer, "neuron": neuron})
            folder = out if len(neurons) == 1 else out / f"{layer}-{neuron}"
            write_arrays(folder / "responses.npz", "responses", arrays, meta)
            paths.append(folder / "responses.npz")
    return paths
