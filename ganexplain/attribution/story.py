"""The page of `attribute` from what its run has found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ganexplain.artifacts.attributions import Attributions
from ganexplain.attribution.inputs.piece import Piece, Side
from ganexplain.attribution.measures import MEASURES, WALL_CLOCK, MeasuredAttribution, mean_measures
from ganexplain.attribution.methods.base import Attribution
from ganexplain.audio.display import display_spec
from ganexplain.inputs.kinds import Input
from ganexplain.report.attribution_page import Answer, Asked, Shown, Story, attribution_page
from ganexplain.report.html.medium import medium_for
from ganexplain.report.html.notation import number

SCORED = (
    "The number under a picture is the network’s score: of the whole, of the kept segments alone "
    "and of the rest alone, the fill standing for what is missing."
)
SOUNDS = (
    " The sounds are the recording itself; kept and removed add up to the whole. What is soft by "
    "itself plays louder here, by as many dB as its button says."
)


def answer_of(
    method: str,
    setting: str,
    piece: Piece,
    found: Attribution,
    attribution: MeasuredAttribution,
    sides: Sequence[Side],
) -> Answer:
    """One attribution as the page shows it; `setting` is segments and fill."""
    shown = [_shown("map", attribution.full_score, piece.whole(), piece.on_view(found.map))]
    scored = zip(
        ("kept", "removed"), (attribution.kept_score, attribution.removed_score), sides, strict=True
    )
    shown += [_shown(*each) for each in scored]
    values = {
        key: v for key, v in attribution.measures.items() if v is not None and key != WALL_CLOCK
    }
    rows = [(MEASURES[key].title, _figure(value)) for key, value in values.items()]
    curves = attribution.curves
    chosen = f"{int(attribution.kept.sum())} of {attribution.kept.size} segments kept"
    return Answer(
        method, f"{setting}; {chosen}", shown, curves.share, curves.deletion, curves.insertion,
        rows + _in_words(found.details), found.warnings,
    )  # fmt: skip


def _figure(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else number(value)


def _shown(name: str, score: float, side: Side, over: np.ndarray | None = None) -> Shown:
    return Shown(name, side.values, score, side.sound, side.louder, over)


def _in_words(details: Mapping[str, object]) -> list[tuple[str, str]]:
    """The method's own figures as names and short texts."""
    words = []
    for name, value in details.items():
        if isinstance(value, bool):
            words.append((name, "yes" if value else "no"))
        elif isinstance(value, float):
            words.append((name, number(value)))
        elif isinstance(value, int):
            words.append((name, str(value)))
    return [(name.replace("_", " "), text) for name, text in words]


def asked_of(
    piece: Piece, explained: str, score: float, whole: Side, answers: Sequence[Answer]
) -> Asked:
    """One input as the page shows it."""
    return Asked(
        f"{piece.title}: {explained}",
        SCORED + (SOUNDS if whole.sound else ""),
        _shown("whole", score, whole),
        answers,
    )


def report_page(
    found: Attributions,
    asked: Sequence[Asked],
    rows: Sequence[Sequence[str]],
    titles: Sequence[str],
    input_spec: Input,
) -> str:
    """The whole page; `rows` of texts are the table, `titles` the measures in its columns.

    `input_spec` describes the input of the network. The wall clock is left out, so that the page
    of the same run is the same.
    """
    kept = [0, *(n for n, key in enumerate(titles, start=1) if key != WALL_CLOCK)]
    rows = [[row[n] for n in kept] for row in rows]
    titles = [key for key in titles if key != WALL_CLOCK]
    explained = sorted({each.explained for each in found.inputs})
    title = f"Why {' or '.join(explained)}?"
    if len(asked) == 1:
        title = f"Why {explained[0]}? {asked[0].heading.removesuffix(': ' + explained[0])}"
    words = input_spec.words
    story = Story(
        title,
        f"Each method says which parts of the {words.whole} made the score; what it keeps and what "
        f"it takes away can be {words.perceived}, and what it says is held against the network "
        "itself.",
        asked,
        [("", ""), *((MEASURES[key].title, _meaning(key)) for key in titles)],
        rows,
        [
            ("network", found.classifier),
            ("SHA-256", found.classifier_hash),
            ("score", found.score),
            ("seed", str(found.seed)),
        ],
    )
    values = np.stack([each.whole.values for each in asked])  # as they are displayed
    return attribution_page(story, medium_for(display_spec(input_spec), values))


def _meaning(key: str) -> str:
    kind = MEASURES[key]
    return f"{kind.meaning} ({kind.better} is better)"


def measured(found: Attributions) -> tuple[list[str], list[list[str]]]:
    """Which measures there are, and rows of texts: a name and the mean of each measure."""
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
