"""One classifier asked about one excerpt after another, by every configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ganexplain.artifacts import write_bytes
from ganexplain.config import AttributeConfig
from ganexplain.local.fills import Reference
from ganexplain.local.learned import Explainer
from ganexplain.local.measures import Held, check, measure
from ganexplain.local.methods import Attribution, Question, Tuning, attribute, unit_model
from ganexplain.local.scoring import Model, Scorer
from ganexplain.models.fast_form import fast_form
from ganexplain.models.loading import Classifier
from ganexplain.pages.attribution_page import Answer, Asked
from ganexplain.runtime import Progress
from ganexplain.stages.attribute_files import flac_bytes, write_attribution
from ganexplain.stages.attribute_inputs import Moment, Target, truth_cells, truth_spans
from ganexplain.stages.attribute_parts import partition
from ganexplain.stages.attribute_report import answer_of, asked_of
from ganexplain.stages.attribute_table import mean_measures

FLOOR_MAPS = 5  # random maps that the floor is the mean of
TUNING = (
    "samples", "distance", "width", "ridge", "founders", "population", "generations", "patience",
    "parsimony", "cam_layer",
)  # fmt: skip


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


class Asker:
    """Asks `classifier` about moments and writes what it finds."""

    def __init__(
        self,
        config: AttributeConfig,
        classifier: Classifier,
        target: Target | None,
        reference: Reference,
        explainers: Mapping[str, Explainer],
        progress: Progress,
    ) -> None:
        self.config, self.classifier, self.target = config, classifier, target
        self.reference, self.progress = reference, progress
        self.device = classifier.network.mean.device
        self.front_end = classifier.sound
        values = {name: getattr(config, name) for name in TUNING}
        self.tuning = Tuning(**values, explainers=explainers)
        shape = (2, self.front_end.mel_bands, self.front_end.excerpt_frames)
        self.fast = fast_form(classifier.network, torch.zeros(shape, device=self.device))

    def explain(
        self, moment: Moment, configurations: Sequence[Configuration], place: Path
    ) -> tuple[dict[str, Any], Asked]:
        """Write what each configuration says of a moment; gives its entry and its page part."""
        target = self.target or self._predicted(moment)
        truth = self._truth(moment)
        whole = flac_bytes(moment.waveform, self.front_end.sample_rate)
        write_bytes(place / "whole.flac", whole)
        first = self._question(moment, target, configurations[0])
        full = float(first.score(np.ones((1, first.parts.count), dtype=bool))[0])
        results, answers = [], []
        for each in configurations:
            question = first if each == configurations[0] else self._question(moment, target, each)
            found = attribute(question, each.method, self.tuning, self.config.seed)
            held = self._measured(first, question, each.method, found, truth)
            folder = place if len(configurations) == 1 else place / each.folder
            for warning in found.warnings:
                self.progress.note(f"{moment.name}, {each.name}: {warning}")
            result, answer = self._write(folder, moment, target, each, question, found, held)
            results.append(result)
            answers.append(answer)
            self.progress.advance()
        entry = {
            "file": str(moment.path),
            "at_s": round(moment.centre, 4),
            "explained": target.name,
            "full_score": full,
            "results": results,
            "floor": self._floor(first, truth),
        }
        return entry, asked_of(moment, target.name, full, answers, self.front_end)

    def _predicted(self, moment: Moment) -> Target:
        """The class that the classifier decides for: of two the second above its threshold."""
        x = torch.as_tensor(moment.mel, device=self.device)[None]
        values = Scorer(self.classifier.network, 1).class_values(x)[0]
        unit = int(values.argmax())
        if len(values) == 2:
            threshold = self.classifier.threshold
            unit = int(values[1] - values[0] > np.log(threshold / (1 - threshold)))
        return Target(unit, "", self.classifier.classes[unit])

    def _truth(self, moment: Moment) -> np.ndarray | None:
        spans = truth_spans(self.config.truth, moment.path) if self.config.truth else None
        return None if spans is None else truth_cells(spans, moment, self.front_end)

    def _question(self, moment: Moment, target: Target, each: Configuration) -> Question:
        network = self.classifier.network
        divided = partition(
            each.segments, each.fill, moment, self.front_end, self.reference, self.device,
            self.config.seed,
        )  # fmt: skip

        def model_of(net: nn.Module) -> Model:
            return unit_model(net, target.layer) if target.layer else net

        scorer = Scorer(
            model_of(network), target.unit, self.config.score,
            "activations" if target.layer else "logits", self.config.batch_size,
            None if target.layer else self.fast,
        )  # fmt: skip
        x = torch.as_tensor(moment.mel, device=self.device)
        return Question(x, divided.fill, divided.labels, divided.parts, scorer, network, model_of)

    def _measured(
        self,
        first: Question,
        question: Question,
        method: str,
        found: Attribution,
        truth: np.ndarray | None,
    ) -> Held:
        """Its measures, by the first configuration's segments and fill, so that all compare."""
        held = measure(question, found, truth)
        measures = held.measures
        if question is not first:
            seen = replace(found, weights=first.parts.gather(found.map), chosen=None)
            measures = measure(first, seen, truth).measures
        if self.config.checks:
            measures |= check(question, method, self.tuning, found, self.config.seed)
        return replace(held, measures=measures)

    def _floor(self, question: Question, truth: np.ndarray | None) -> dict[str, float | None]:
        """Mean measures of random maps."""
        found = (attribute(question, "random", self.tuning, k) for k in range(FLOOR_MAPS))
        return mean_measures([measure(question, each, truth).measures for each in found])

    def _write(
        self,
        folder: Path,
        moment: Moment,
        target: Target,
        each: Configuration,
        question: Question,
        found: Attribution,
        held: Held,
    ) -> tuple[dict[str, Any], Answer]:
        said = {
            "details": dict(found.details),
            "warnings": list(found.warnings),
            "measures": held.measures,
        }
        meta = {
            "file": str(moment.path), "at_s": moment.centre, "explained": target.name,
            "score": self.config.score, "configuration": each.name, **vars(each), **said,
            "classifier": self.config.classifier, "seed": self.config.seed,
        }  # fmt: skip
        sounds = write_attribution(
            folder, moment, question.labels, question.parts, found, held, meta, self.front_end
        )
        result = {
            "folder": str(folder),
            "kept": np.flatnonzero(held.kept).tolist(),
            "kept_score": held.kept_score,
            "deleted_score": held.removed_score,
            **said,
        }
        setting = (each.method, each.segments, each.fill)
        return result, answer_of(
            setting, moment, found, held, sounds, held.measures, self.front_end
        )
