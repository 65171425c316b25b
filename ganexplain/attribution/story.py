"""The content of the page of `attribute`, from the results of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ganexplain.artifacts.attributions import Attributions
from ganexplain.attribution.inputs.piece import Piece, Side
from ganexplain.attribution.measures import MEASURES, WALL_CLOCK, MeasuredAttribution, mean_measures
from ganexplain.attribution.methods.base import Attribution
from ganexplain.audio.display import display_spec
from ganexplain.inputs.base import Input
from ganexplain.report.attribution_page import (
    InputSection,
    MethodSection,
    PageContent,
    Panel,
    attribution_page,
)
from ganexplain.report.html.medium import medium_for
from ganexplain.report.html.notation import number

SCORED = (
    "The number under a picture is the network’s score: of the whole, of the kept segments alone "
    "and of the rest alone, with the fill in place of what is missing."
)
SOUNDS = (
    " The sounds are the recording itself; kept and removed add up to the whole. A part that is "
    "soft by itself plays louder here, by the dB on its button."
)


def method_section(
    method: str,
    setting: str,
    piece: Piece,
    found: Attribution,
    attribution: MeasuredAttribution,
    sides: Sequence[Side],
) -> MethodSection:
    """Return one attribution as the page shows it; `setting` names segments and fill."""
    kept, removed = sides
    panels = [
        _panel("map", attribution.full_score, piece.whole(), piece.on_view(found.map)),
        _panel("kept", attribution.kept_score, kept),
        _panel("removed", attribution.removed_score, removed),
    ]
    facts = [
        (MEASURES[key].title, f"{value:.0f}" if value == round(value) else number(value))
        for key, value in attribution.measures.items()
        if value is not None and key != WALL_CLOCK
    ]
    chosen = f"{int(attribution.kept.sum())} of {attribution.kept.size} segments kept"
    return MethodSection(
        heading=method,
        setting=f"{setting}; {chosen}",
        panels=panels,
        share=attribution.curves.share,
        deletion=attribution.curves.deletion,
        insertion=attribution.curves.insertion,
        facts=facts + _detail_facts(found.details),
        warnings=found.warnings,
    )


def _panel(name: str, score: float, side: Side, over: np.ndarray | None = None) -> Panel:
    return Panel(name, side.values, score, side.sound, side.louder, over)


def _detail_facts(details: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the numbers and flags among the details of a method, as names and texts."""
    facts = []
    for name, value in details.items():
        if isinstance(value, bool):
            facts.append((name.replace("_", " "), "yes" if value else "no"))
        elif isinstance(value, int | float):
            text = number(value) if isinstance(value, float) else str(value)
            facts.append((name.replace("_", " "), text))
    return facts


def input_section(
    piece: Piece, explained: str, score: float, whole: Side, sections: Sequence[MethodSection]
) -> InputSection:
    """Return one input as the page shows it."""
    return InputSection(
        f"{piece.title}: {explained}",
        SCORED + (SOUNDS if whole.sound else ""),
        _panel("whole", score, whole),
        sections,
    )


def report_page(
    found: Attributions,
    sections: Sequence[InputSection],
    rows: Sequence[Sequence[str]],
    titles: Sequence[str],
    input_spec: Input,
) -> str:
    """Return the page of a run as HTML.

    `rows` of texts are the table of measures, `titles` the measures in its columns, `input_spec` is
    the type of input of the network. The page leaves the time out, so that it is reproducible.
    """
    kept = [0, *(n for n, key in enumerate(titles, start=1) if key != WALL_CLOCK)]
    rows = [[row[n] for n in kept] for row in rows]
    titles = [key for key in titles if key != WALL_CLOCK]
    explained = sorted({each.explained for each in found.inputs})
    title = f"Why {' or '.join(explained)}?"
    if len(sections) == 1:
        title = f"Why {explained[0]}? {sections[0].heading.removesuffix(': ' + explained[0])}"
    words = input_spec.words
    content = PageContent(
        title=title,
        guide=f"Each method shows which parts of the {words.whole} made the score. What it keeps "
        f"and what it removes can be {words.perceived}, and its answer is measured on the network "
        "itself.",
        sections=sections,
        titles=[("", ""), *((MEASURES[key].title, _meaning(key)) for key in titles)],
        rows=rows,
        provenance=[
            ("network", found.classifier),
            ("SHA-256", found.classifier_hash),
            ("score", found.score),
            ("seed", str(found.seed)),
        ],
    )
    values = np.stack([each.whole.values for each in sections])  # as they are displayed
    return attribution_page(content, medium_for(display_spec(input_spec), values))


def _meaning(key: str) -> str:
    kind = MEASURES[key]
    return f"{kind.meaning} ({kind.better} is better)"


def measures_table(found: Attributions) -> tuple[list[str], list[list[str]]]:
    """Return the measures that exist, and rows of texts: a name and the mean of each measure."""
    inputs = found.inputs
    rows = [
        (each.name, mean_measures([one.results[k].measures for one in inputs]))
        for k, each in enumerate(found.configurations)
    ]
    rows.append(("random maps", mean_measures([one.floor for one in inputs])))
    shown = [key for key in MEASURES if any(row.get(key) is not None for _, row in rows)]
    texts = [[name, *(_text(row.get(key)) for key in shown)] for name, row in rows]
    return shown, texts


def _text(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
