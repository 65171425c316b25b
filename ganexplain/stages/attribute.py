"""`attribute`: recordings and a classifier -> why it said so, measured, to see and to hear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexplain.artifacts import write_json
from ganexplain.config import AttributeConfig
from ganexplain.data.cache import cache_directory
from ganexplain.data.corpus import read_corpora
from ganexplain.data.excerpts import load_split
from ganexplain.errors import UsageError, check_known
from ganexplain.local.captum_adapter import captum_names
from ganexplain.local.fills import FILLS, Reference
from ganexplain.local.measures import MEASURES, Held, check, measure
from ganexplain.local.methods import (
    CAPTUM,
    METHODS,
    Attribution,
    Question,
    Tuning,
    unit_model,
)
from ganexplain.local.methods import (
    attribute as ask,
)
from ganexplain.local.scoring import SCORES, Scorer
from ganexplain.models.loading import Classifier, load_classifier
from ganexplain.rundir import RunDirectory
from ganexplain.runtime import Progress, pick_device
from ganexplain.stages.attribute_files import write_attribution, write_sound
from ganexplain.stages.attribute_inputs import (
    Moment,
    Target,
    fixed_target,
    moments,
    truth_cells,
    truth_spans,
)
from ganexplain.stages.attribute_parts import partition

FLOOR_MAPS = 5  # random maps that the floor is the mean of
TUNING = ("samples", "distance", "width", "ridge", "population", "generations", "patience",
          "parsimony", "cam_layer")  # fmt: skip


@dataclass(frozen=True)
class Configuration:
    """One way of asking."""

    method: str
    segments: str
    fill: str

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.method}, {self.segments}, {self.fill}"

    @property
    def folder(self) -> str:
        """As a folder."""
        parts = (self.method, self.segments, self.fill)
        return "-".join(part.replace(":", "-").replace("/", "-") for part in parts)


def attribute(
    config: AttributeConfig, out: Path, progress: Progress, overwrite: bool = False
) -> dict[str, Any]:
    """Explain each input by each configuration; gives the document of `--json`.

    Raises UsageError for a setting that cannot be, BadFile for a recording that cannot be used.
    """
    configurations = _configurations(config)
    device = pick_device(config.device)
    classifier = load_classifier(Path(config.classifier), device)
    front_end = classifier.front_end
    example = torch.zeros((1, front_end.mel_bands, front_end.excerpt_frames), device=device)
    target = fixed_target(config.target, classifier, example)
    asked = moments(config.inputs, front_end)
    with RunDirectory(out, "attribute", config, overwrite) as run:
        progress = run.keep_notes(progress)
        digest = run.used("classifier", Path(config.classifier))
        for path in dict.fromkeys(moment.path for moment in asked):
            run.used(str(path), path)
        asker = _Asker(config, classifier, device, _reference(config, classifier, progress))
        progress.start("attributions", len(asked) * len(configurations))
        document: dict[str, Any] = {
            "classifier": config.classifier,
            "classifier_hash": digest,
            "score": config.score,
            "configurations": [vars(c) for c in configurations],
            "inputs": [],
        }
        for moment in asked:
            place = out if len(asked) == 1 else out / moment.name
            document["inputs"].append(
                asker.explain(moment, target, configurations, place, progress)
            )
        document["report"] = str(out / "attributions.json")
        document["table"] = table(document)
        write_json(out / "attributions.json", {"kind": "attributions", **document})
        run.results["attributions"] = len(asked) * len(configurations)
    return document


def _configurations(config: AttributeConfig) -> list[Configuration]:
    for name in config.method:
        if name.startswith(CAPTUM):
            check_known("--method captum:", name.removeprefix(CAPTUM), captum_names())
        else:
            check_known("--method", name, (*METHODS, "captum:NAME"))
    for name in config.fill:
        check_known("--fill", name, FILLS)
    check_known("--score", config.score, SCORES)
    if not (config.method and config.segments and config.fill):
        raise UsageError("give at least one --method, --segments and --fill")
    every = product(config.method, config.segments, config.fill)
    return [Configuration(*each) for each in dict.fromkeys(every)]


def _reference(config: AttributeConfig, classifier: Classifier, progress: Progress) -> Reference:
    network, front_end = classifier.network, classifier.front_end
    lowest = None
    if "data-min" in config.fill:
        if not config.corpus:
            raise UsageError("--fill data-min: name the data with --corpus")
        split = load_split(
            read_corpora(config.corpus), "train", front_end, cache_directory(""), progress
        )
        mean, deviation = network.mean.cpu().numpy(), network.deviation.cpu().numpy()
        lowest = float(min(((mel - mean) / deviation).min() for mel in split.mels))
    silence = float(np.log(front_end.floor))
    return Reference(network.mean[:, None], network.deviation[:, None], silence, lowest)


class _Asker:
    """Asks one classifier about moments, each by several configurations."""

    def __init__(
        self,
        config: AttributeConfig,
        classifier: Classifier,
        device: torch.device,
        reference: Reference,
    ) -> None:
        self.config, self.classifier = config, classifier
        self.device, self.reference = device, reference
        self.tuning = Tuning(**{name: getattr(config, name) for name in TUNING})

    def explain(
        self,
        moment: Moment,
        target: Target | None,
        configurations: Sequence[Configuration],
        place: Path,
        progress: Progress,
    ) -> dict[str, Any]:
        """Write what each configuration says of a moment; gives its entry in the document."""
        config, front_end = self.config, self.classifier.front_end
        target = target or self._predicted(moment)
        spans = truth_spans(config.truth, moment.path) if config.truth else None
        truth = None if spans is None else truth_cells(spans, moment, front_end)
        first = self._question(moment, target, configurations[0])
        write_sound(place / "whole.flac", moment.waveform, front_end.sample_rate)
        results = []
        for each in configurations:
            question = first if each == configurations[0] else self._question(moment, target, each)
            found = ask(question, each.method, self.tuning, config.seed)
            held = measure(question, found, truth)
            measures = held.measures | self._against(first, question, found, truth)
            if config.checks:
                measures |= check(question, each.method, self.tuning, found, config.seed)
            folder = place if len(configurations) == 1 else place / each.folder
            for warning in found.warnings:
                progress.note(f"{moment.name}, {each.name}: {warning}")
            results.append(self._write(folder, moment, target, each, question, found, held,
                                       measures))  # fmt: skip
            progress.advance()
        return {
            "file": str(moment.path),
            "at_s": round(moment.centre, 4),
            "explained": target.name,
            "full_score": float(first.score(np.ones((1, first.parts.count), dtype=bool))[0]),
            "results": results,
            "floor": self._floor(first, truth),
        }

    def _predicted(self, moment: Moment) -> Target:
        x = torch.as_tensor(moment.mel, device=self.device)[None]
        values = Scorer(self.classifier.network, 1).class_values(x)[0]
        unit = int(values.argmax())
        if len(values) == 2:
            odds = values[1] - values[0]
            threshold = np.log(self.classifier.threshold / (1 - self.classifier.threshold))
            unit = int(odds > threshold)
        return Target(unit, "", self.classifier.classes[unit])

    def _question(self, moment: Moment, target: Target, each: Configuration) -> Question:
        network = self.classifier.network
        cut = partition(each.segments, each.fill, moment, self.classifier.front_end,
                        self.reference, self.device, self.config.seed)  # fmt: skip

        def model_of(net: torch.nn.Module) -> Any:
            return unit_model(net, target.layer) if target.layer else net

        scorer = Scorer(
            model_of(network), target.unit, self.config.score,
            "activations" if target.layer else "logits", self.config.batch_size,
        )  # fmt: skip
        x = torch.as_tensor(moment.mel, device=self.device)
        return Question(x, cut.fill, cut.labels, cut.parts, scorer, network, model_of)

    def _against(
        self, first: Question, question: Question, found: Attribution, truth: np.ndarray | None
    ) -> dict[str, float | None]:
        """The measures by the first configuration's segments and fill, so that all compare."""
        if question is first:
            return {}
        weights = first.parts.gather(found.map)
        return measure(first, replace(found, weights=weights, chosen=None), truth).measures

    def _floor(self, question: Question, truth: np.ndarray | None) -> dict[str, float | None]:
        """Mean measures of random maps."""
        rows = [
            measure(question, ask(question, "random", self.tuning, seed), truth).measures
            for seed in range(FLOOR_MAPS)
        ]
        return mean_measures(rows)

    def _write(
        self,
        folder: Path,
        moment: Moment,
        target: Target,
        each: Configuration,
        question: Question,
        found: Attribution,
        held: Held,
        measures: dict[str, float | None],
    ) -> dict[str, Any]:
        meta = {
            "file": str(moment.path), "at_s": moment.centre, "explained": target.name,
            "score": self.config.score, "configuration": each.name, **vars(each),
            "details": dict(found.details), "warnings": list(found.warnings),
            "measures": measures, "classifier": self.config.classifier, "seed": self.config.seed,
        }  # fmt: skip
        write_attribution(folder, moment, question.labels, question.parts, found, held, meta,
                          self.classifier.front_end)  # fmt: skip
        return {
            "folder": str(folder),
            "kept": np.flatnonzero(held.kept).tolist(),
            "kept_score": held.kept_score,
            "removed_score": held.removed_score,
            **{key: meta[key] for key in ("details", "warnings", "measures")},
        }


def mean_measures(rows: Sequence[dict[str, float | None]]) -> dict[str, float | None]:
    """Mean of each measure over rows; None where no row has it."""
    means: dict[str, float | None] = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        values = [v for row in rows if (v := row.get(key)) is not None and np.isfinite(v)]
        means[key] = float(np.mean(values)) if values else None
    return means


def table(document: dict[str, Any]) -> list[str]:
    """Lines of text: the mean measures of each configuration over the inputs, the floor last."""
    names = [", ".join(c.values()) for c in document["configurations"]]
    rows = [
        mean_measures([entry["results"][k]["measures"] for entry in document["inputs"]])
        for k in range(len(names))
    ]
    rows.append(mean_measures([entry["floor"] for entry in document["inputs"]]))
    names.append("random maps")
    shown = [key for key in MEASURES if any(row.get(key) is not None for row in rows)]
    cells = [["", *(MEASURES[key].title for key in shown)]]
    for name, row in zip(names, rows, strict=True):
        values = (row.get(key) for key in shown)
        cells.append([name, *("" if v is None else f"{v:.3g}" for v in values)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:],
                                                                          strict=True))])
        for line in cells
    ]  # fmt: skip
