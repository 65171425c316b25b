"""The grid of settings: a heat map for each score, and numbers and examples of each setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.artifacts.figures import Score
from ganexplain.report.charts.heatmap import Setting, heat_map
from ganexplain.report.html.markup import Markup, definitions, element, void
from ganexplain.report.html.medium import Medium
from ganexplain.report.html.notation import capitalise, interval, number, percent, setting, spread
from ganexplain.report.html.panels import Row, row
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.findings import judge_label
from ganexplain.report.unit.rows import NONE, rank_text, score_text, setting_row


@dataclass(frozen=True)
class ScoreMap:
    """One heat map with its `key`, `title` and a `note` on how to read it."""

    key: str
    title: str
    note: str
    drawing: Markup


@dataclass(frozen=True)
class Explored:
    """One setting: all its numbers, and its examples if they are on the page."""

    index: int
    heading: str
    numbers: Sequence[tuple[str, str]]
    examples: Row | None


@dataclass(frozen=True)
class Grid:
    """The content of the section of the grid."""

    note: str
    maps: Sequence[ScoreMap]
    settings: Sequence[Explored]


# --- Evidence to grid -----------------------------------------------------------------------


def build_grid(evidence: Evidence, sounds: Mapping[int, np.ndarray]) -> Grid:
    """Return the grid of `evidence`; `sounds` (n, samples) are those of settings by index."""
    explored = set(evidence.explored)
    settings = [
        Explored(
            index,
            capitalise(setting(score.setting)),
            _numbers(score, evidence),
            setting_row(evidence, index, sounds.get(index, NONE)) if index in explored else None,
        )
        for index, score in enumerate(evidence.scores)
    ]
    return Grid(_note(evidence), score_maps(evidence), settings)


def _note(evidence: Evidence) -> str:
    if evidence.meta.search == "adaptive":
        layout = "Above each cell stand the iterations, the learning rate and the prior weight."
    else:
        layout = "Rows are learning rates, columns prior weights, blocks iteration counts."
    tied = sum(score.tied and score.rank > 1 for score in evidence.scores)
    ties = (
        f" {tied} setting{'s are' if tied > 1 else ' is'} marked as tied: within one standard "
        "error of the best. More examples can tell more apart."
        if tied
        else ""
    )
    return f"{layout} The stronger the colour, the better.{ties}"


def score_maps(evidence: Evidence) -> list[ScoreMap]:
    """Return a heat map for each score and one for each judge."""
    figures = [score.figures for score in evidence.scores]
    maps = []
    for kind in evidence.selection.kinds:
        note = f"{capitalise(kind.meaning)}; {kind.better} is better."
        if kind is evidence.kind:
            note += " Settings are ranked by this."
        values = [f.values.get(kind.key) for f in figures]
        maps.append(_score_map(evidence, (kind.key, kind.title, note), values, kind.better))
    for place, name in enumerate(dict.fromkeys(name for f in figures for name in f.judges)):
        judge = judge_label(name)
        note = f"Share of the examples with the wanted vote of {judge}; high is better."
        values = [f.judges.get(name) for f in figures]
        words = (f"judge-{place}", capitalise(judge), note)
        maps.append(_score_map(evidence, words, values, "high"))
    return maps


def _score_map(
    evidence: Evidence, words: tuple[str, str, str], values: Sequence[float | None], better: str
) -> ScoreMap:
    """`words` are the key, the title and the note of the map."""
    key, title, _ = words
    settings = [
        Setting(
            score.learning_rate,
            score.prior_weight,
            score.iterations,
            _label(score, title, key, value, evidence),
            score.tied,
        )
        for score, value in zip(evidence.scores, values, strict=True)
    ]
    chosen = evidence.selection.chosen
    return ScoreMap(*words, heat_map(values, settings, chosen, marks(evidence), title, better))


def marks(evidence: Evidence) -> dict[int, str]:
    """Return texts of cells by index: landmarks, and settings that are tied with the best."""
    tied = {index: "tied" for index, score in enumerate(evidence.scores) if score.tied}
    return tied | {index: name for name, index in evidence.landmarks.items()}


def _label(score: Score, title: str, key: str, value: float | None, evidence: Evidence) -> str:
    ends = score.figures.interval(key)
    text = number(value) if value is not None else "none"
    text += f", 95 % interval {interval(ends)}" if ends else ""
    return (
        f"{capitalise(setting(score.setting))}: {title} {text}; rank {rank_text(score, evidence)}; "
        f"mean response {spread(score.mean_response, score.std_response)}"
    )


def _numbers(score: Score, evidence: Evidence) -> list[tuple[str, str]]:
    figures = score.figures
    lines = [("Rank", rank_text(score, evidence))]
    for kind in evidence.selection.kinds:
        if kind.key in figures.values:
            lines.append((kind.title, score_text(figures, kind.key)))
    for name, share in figures.judges.items():
        lines.append((capitalise(judge_label(name)), percent(share)))
    return [*lines, ("Mean response", spread(score.mean_response, score.std_response))]


# --- Grid to markup -------------------------------------------------------------------------


def grid_view(grid: Grid, medium: Medium, see: str) -> list[Markup]:
    """Return maps to choose from, and places for the numbers and examples of a setting.

    `see` is the verb for the examples: see, or see and hear. Without scripts, and in print, all
    maps are visible.
    """
    maps = [
        element(
            "figure",
            element("h3", content.title),
            element("div", content.drawing, class_="scroll"),
            element("figcaption", content.note, class_="note"),
            class_="chart map" if place else "chart map shown",
            id=f"map-{content.key}",
        )
        for place, content in enumerate(grid.maps)
    ]
    hint = (
        "Hover over a cell, or move with the arrow keys, for its numbers. Click it, or press "
        f"Enter, to {see} its examples above the real ones."
    )
    return [
        _choice(grid.maps),
        element("p", hint, class_="note scripted"),
        element(
            "div",
            element("div", maps, class_="maps"),
            element("div", class_="readout scripted"),
            class_="grid-view",
        ),
        element("p", role="status", class_="unseen"),
        element("div", class_="explored scripted"),
        *(_template(setting, medium) for setting in grid.settings),
    ]


def _choice(maps: Sequence[ScoreMap]) -> Markup:
    buttons = [
        element(
            "label",
            void("input", type="radio", name="map", value=content.key, checked=place == 0),
            element("span", content.title),
        )
        for place, content in enumerate(maps)
    ]
    legend = element("legend", "Score", class_="unseen")
    return element("fieldset", legend, buttons, class_="choice scripted")


def _template(setting: Explored, medium: Medium) -> Markup:
    """Return what the script shows for a setting; a template is not decoded until then."""
    examples = (
        row(setting.examples, medium)
        if setting.examples
        else element("p", "The examples of this setting are not on this page.", class_="note row")
    )
    return element(
        "template",
        element("div", element("h3", setting.heading), definitions(setting.numbers),
                class_="numbers"),
        examples,
        id=f"setting-{setting.index}",
    )  # fmt: skip
