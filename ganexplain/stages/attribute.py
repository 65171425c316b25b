"""`attribute`: recordings and a classifier -> why it said so, measured, to see and to hear."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexplain.artifacts import write_json, write_text
from ganexplain.ascent.neurons import find_layer
from ganexplain.config import AttributeConfig
from ganexplain.data.cache import cache_directory
from ganexplain.data.corpus import read_corpora
from ganexplain.data.excerpts import load_split
from ganexplain.errors import UsageError, check_known
from ganexplain.local.captum_adapter import captum_names
from ganexplain.local.fills import FILLS, Reference
from ganexplain.local.lime import DISTANCES
from ganexplain.local.measures import MEASURES
from ganexplain.local.methods import CAPTUM, METHODS
from ganexplain.local.scoring import SCORES
from ganexplain.models.loading import Classifier, load_classifier
from ganexplain.rundir import RunDirectory
from ganexplain.runtime import Progress, pick_device
from ganexplain.stages.attribute_asking import Asker, Configuration
from ganexplain.stages.attribute_inputs import fixed_target, moments
from ganexplain.stages.attribute_report import report_page
from ganexplain.stages.attribute_table import aligned, measured


def attribute(
    config: AttributeConfig, out: Path, progress: Progress, overwrite: bool = False
) -> dict[str, Any]:
    """Explain each input by each configuration; gives the document of `--json`.

    Writes `attributions.json`, `report.html` and for every attribution what
    `write_attribution` does: in `out` where there is one, else in folders of input and
    configuration. Raises UsageError for a setting that cannot be, BadFile for a recording that
    cannot be used.
    """
    configurations = _configurations(config)
    device = pick_device(config.device)
    classifier = load_classifier(Path(config.classifier), device)
    front_end = classifier.sound
    example = torch.zeros((1, front_end.mel_bands, front_end.excerpt_frames), device=device)
    target = fixed_target(config.target, classifier, example)
    if config.cam_layer:
        find_layer(classifier.network, config.cam_layer, "--cam-layer")
    asked = moments(config.inputs, front_end)
    with RunDirectory(out, "attribute", config, overwrite) as run:
        progress = run.keep_notes(progress)
        document: dict[str, Any] = {
            "classifier": config.classifier,
            "classifier_hash": run.used("classifier", Path(config.classifier)),
            "score": config.score,
            "seed": config.seed,
            "configurations": [vars(each) for each in configurations],
            "inputs": [],
        }
        for path in dict.fromkeys(moment.path for moment in asked):
            run.used(str(path), path)
        reference = _reference(config, classifier, progress)
        asker = Asker(config, classifier, target, reference, progress)
        progress.start("attributions", len(asked) * len(configurations))
        shown = []
        for moment in asked:
            place = out if len(asked) == 1 else out / moment.name
            entry, part = asker.explain(moment, configurations, place)
            document["inputs"].append(entry)
            shown.append(part)
        keys, rows = measured(document)
        write_json(out / "attributions.json", {"kind": "attributions", **document})
        page = report_page(document, shown, rows, keys, front_end)
        write_text(out / "report.html", page)
        run.results["attributions"] = len(asked) * len(configurations)
    lines = aligned([MEASURES[key].title for key in keys], rows)
    return {**document, "report": str(out / "report.html"), "table": lines}


def _configurations(config: AttributeConfig) -> list[Configuration]:
    for name in config.method:
        if name.startswith(CAPTUM):
            check_known("--method captum:", name.removeprefix(CAPTUM), captum_names())
        else:
            check_known("--method", name, (*METHODS, "captum:NAME"))
    for name in config.fill:
        check_known("--fill", name, FILLS)
    check_known("--score", config.score, SCORES)
    check_known("--distance", config.distance, DISTANCES)
    if not (config.method and config.segments and config.fill):
        raise UsageError("give at least one --method, --segments and --fill")
    every = product(config.method, config.segments, config.fill)
    return [Configuration(*each) for each in dict.fromkeys(every)]


def _reference(config: AttributeConfig, classifier: Classifier, progress: Progress) -> Reference:
    network, front_end = classifier.network, classifier.sound
    lowest = None
    if "data-min" in config.fill:
        if not config.corpus:
            raise UsageError("--fill data-min: name the data with --corpus")
        corpus = read_corpora(config.corpus)
        split = load_split(corpus, "train", front_end, cache_directory(""), progress)
        mean, deviation = network.mean.cpu().numpy(), network.deviation.cpu().numpy()
        lowest = float(min(((mel - mean) / deviation).min() for mel in split.mels))
    silence = float(np.log(front_end.floor))
    return Reference(network.mean[:, None], network.deviation[:, None], silence, lowest)
