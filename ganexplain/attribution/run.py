"""A run of `attribute`: every configuration explains an input."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor, as_tensor, nn

from ganexplain.artifacts.attributions import (
    AttributedInput,
    AttributionMeta,
    AttributionResult,
    Attributions,
    Configuration,
)
from ganexplain.attribution.cost import announcement, count_passes
from ganexplain.attribution.inputs.piece import Piece, Side
from ganexplain.attribution.measures import MeasuredAttribution, check, mean_measures, measure
from ganexplain.attribution.methods.base import Attribution, Method, Question
from ganexplain.attribution.methods.random import RandomMap
from ganexplain.attribution.methods.registry import attribute
from ganexplain.attribution.partition import partition
from ganexplain.attribution.scorer import Model, Scorer
from ganexplain.attribution.story import input_section, method_section
from ganexplain.attribution.subject import Subject, Target
from ganexplain.config import AttributeConfig
from ganexplain.files.arrays import write_arrays
from ganexplain.files.atomic import write_bytes
from ganexplain.report.attribution_page import InputSection, MethodSection
from ganexplain.runs.progress import Progress

FLOOR_MAPS = 5  # random maps whose mean measures are the floor


@dataclass(frozen=True)
class AttributedPiece:
    """An input with its attributions, and their section of the page."""

    entry: AttributedInput
    section: InputSection


class AttributionRun:
    """Explains the decisions of `subject` and writes the results to folders of a run, `out`."""

    def __init__(
        self,
        config: AttributeConfig,
        subject: Subject,
        target: Target | None,
        methods: Mapping[str, Method],
        out: Path,
    ) -> None:
        self.config, self.subject, self.target = config, subject, target
        self.out, self.methods = out, methods
        self.fast = subject.optimized_model()

    def explain(
        self,
        piece: Piece,
        name: str,
        configurations: Sequence[Configuration],
        place: Path,
        progress: Progress,
    ) -> AttributedPiece:
        """Explain an input by each configuration; `name` is that of the input in notes."""
        target = self.target or self.subject.predicted(self._tensor(piece))
        truth, problem = self._truth(piece)
        if problem:
            progress.note(f"{name}: {problem}")
        whole = piece.whole()
        first = self._question(piece, target, configurations[0])
        full = float(first.score(np.ones((1, first.parts.count), dtype=bool))[0])
        results, sections = [], []
        for each in configurations:
            question = first if each == configurations[0] else self._question(piece, target, each)
            found = attribute(question, self.methods[each.method], self.config.seed)
            measured = self._measured(first, question, each.method, found, truth)
            folder = place if len(configurations) == 1 else place / each.folder
            result, section = self._write(folder, piece, target, each, question, found, measured)
            results.append(result)
            sections.append(section)
            progress.advance()
        write_bytes(place / f"whole.{piece.suffix}", whole.content)
        entry = AttributedInput(
            file=str(piece.path),
            at_s=piece.at and round(piece.at, 4),
            span_s=piece.span and (round(piece.span[0], 4), round(piece.span[1], 4)),
            explained=target.name,
            full_score=full,
            results=tuple(results),
            floor=self._floor(first, truth),
        )
        return AttributedPiece(entry, input_section(piece, target.name, full, whole, sections))

    def _truth(self, piece: Piece) -> tuple[np.ndarray | None, str]:
        """Return the mask of `--truth`, and why it cannot be used, if so."""
        if not self.config.truth:
            return None, ""
        truth = piece.truth(self.config.truth)
        reason = ""
        if truth is None:
            reason = "has nothing of the name of this input"
        elif truth.all() or not truth.any():
            reason = f"marks {'all' if truth.any() else 'nothing'} of this input"
        if not reason:
            return truth, ""
        return truth, f"--truth {self.config.truth} {reason}; agreement with it is left out"

    def announce(
        self, piece: Piece, configurations: Sequence[Configuration], progress: Progress
    ) -> int:
        """Note how long configurations take, if they take long; returns the passes for an input."""
        target = self.target or self.subject.predicted(self._tensor(piece))
        questions = [self._question(piece, target, each) for each in configurations]
        measured, total = questions[0].parts.count * (1 + FLOOR_MAPS), 0
        for each, question in zip(configurations, questions, strict=True):
            method = self.methods[each.method]
            passes = count_passes(question, method, self.config.checks, measured)
            if note := announcement(question, passes):
                progress.note(f"{each.name}: {note}")
            total += passes
        return total

    def _tensor(self, piece: Piece) -> Tensor:
        return as_tensor(piece.values, device=self.subject.device)

    def _question(self, piece: Piece, target: Target, each: Configuration) -> Question:
        subject, x = self.subject, self._tensor(piece)
        divided = partition(
            each.segments, each.fill, piece, subject.reference, subject.device, self.config.seed
        )

        def model_of(net: nn.Module) -> Model:
            return subject.model_of(net, target)

        scorer = Scorer(
            model_of(subject.network), target.output, self.config.score,
            "activations" if target.unit else subject.outputs, self.config.batch_size,
            None if target.unit else self.fast,
        )  # fmt: skip
        return Question(
            x, divided.fill, divided.labels, divided.parts, scorer, subject.network, model_of
        )

    def _measured(
        self,
        first: Question,
        question: Question,
        method: str,
        found: Attribution,
        truth: np.ndarray | None,
    ) -> MeasuredAttribution:
        """Measure an attribution by the segments and fill of the first configuration.

        So the measures of all configurations are comparable.
        """
        measured = measure(question, found, truth)
        measures = measured.measures
        if question is not first:
            regrouped = replace(found, weights=first.parts.gather(found.map), chosen=None)
            measures = measure(first, regrouped, truth).measures
        if self.config.checks:
            measures |= check(question, self.methods[method], found, self.config.seed)
        return replace(measured, measures=measures)

    def _floor(self, question: Question, truth: np.ndarray | None) -> dict[str, float | None]:
        """Return the mean measures of random maps."""
        found = (attribute(question, RandomMap(), k) for k in range(FLOOR_MAPS))
        return mean_measures([measure(question, each, truth).measures for each in found])

    def _write(
        self,
        folder: Path,
        piece: Piece,
        target: Target,
        each: Configuration,
        question: Question,
        found: Attribution,
        measured: MeasuredAttribution,
    ) -> tuple[AttributionResult, MethodSection]:
        result = AttributionResult(
            folder=str(folder.relative_to(self.out)),  # because a run may be moved
            kept=tuple(np.flatnonzero(measured.kept).tolist()),
            kept_score=measured.kept_score,
            deleted_score=measured.removed_score,
            details=dict(found.details),
            warnings=tuple(found.warnings),
            measures=measured.measures,
        )
        meta = AttributionMeta(
            file=str(piece.path),
            at_s=piece.at,
            explained=target.name,
            score=self.config.score,
            configuration=each.name,
            method=each.method,
            segments=each.segments,
            fill=each.fill,
            details=result.details,
            warnings=result.warnings,
            measures=result.measures,
            classifier=self.config.classifier or self.config.model,
            seed=self.config.seed,
        )
        sides = write_attribution(folder, piece, question, found, measured, meta)
        setting = f"{each.segments}, {each.fill}"
        return result, method_section(each.method, setting, piece, found, measured, sides)


def note_warnings(found: Attributions, names: Sequence[str], progress: Progress) -> None:
    """Note the warnings about inputs of these names, those of several for the first of them alone.

    Warnings that differ in their numbers are the same.
    """
    warned: dict[tuple[str, str], list[str]] = {}
    for name, entry in zip(names, found.inputs, strict=True):
        for each, result in zip(found.configurations, entry.results, strict=True):
            for warning in result.warnings:
                key = each.name, re.sub(r"\d[\d.,]*", "#", warning)
                warned.setdefault(key, []).append(name)
                if len(warned[key]) == 1:
                    progress.note(f"{name}, {each.name}: {warning}")
    for (configuration, _), (first, *others) in warned.items():
        if others:
            progress.note(
                f"{configuration}: the warning about {first} holds for {len(others)} more "
                f"input{'s' * (len(others) > 1)}; attributions.json has them"
            )


def write_attribution(
    folder: Path,
    piece: Piece,
    question: Question,
    found: Attribution,
    measured: MeasuredAttribution,
    meta: AttributionMeta,
) -> list[Side]:
    """Write `attribution.npz`, `map.png`, and the kept and removed parts as sounds or pictures.

    Returns the kept and the removed part.
    """
    parts = question.parts
    arrays = {
        "map": found.map,
        "mel": piece.seen,
        "segments": question.labels,
        "weights": found.weights,
        "kept": measured.kept,
        "full_score": np.array(measured.full_score),
        "kept_score": np.array(measured.kept_score),
        "deleted_score": np.array(measured.removed_score),
        "removed_share": measured.curves.share,
        "deletion": measured.curves.deletion,
        "insertion": measured.curves.insertion,
        "n_forward": np.array(found.passes),
        "seconds": np.array(found.seconds),
        "seed": np.array(meta.seed),
    }
    write_arrays(folder / "attribution.npz", "attribution", arrays, asdict(meta))
    shown = parts.spread(measured.kept.astype(np.float64)) > 0.5
    title = f"{piece.title}: {meta.explained} ({measured.full_score:.3f}) by {meta.configuration}"
    write_bytes(folder / "map.png", piece.map_picture(found.map, shown, title))
    sides = piece.sides(parts, measured.kept)
    for name, side in zip(("kept", "removed"), sides, strict=True):
        write_bytes(folder / f"{name}.{piece.suffix}", side.content)
    return sides
