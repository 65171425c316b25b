"""The section of a page on what can be predicted with its examples."""

from __future__ import annotations

from ganexplain.artifacts.prediction import GENERATED, SETS, PairShare, set_title
from ganexplain.metrics.prediction import DIFFICULTIES
from ganexplain.report.html.document import warning_box
from ganexplain.report.html.markup import Child, element
from ganexplain.report.html.notation import percent
from ganexplain.report.html.wide_table import Line, wide_table
from ganexplain.report.prediction import COLUMNS, LEGEND, prediction_sentence
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.page import Section

HELD_OUT, SPLIT = "that neither network, GAN nor search has met", "of the split {split}"
NOTE = (
    "A test of the explanation: of two {many} {origin}, which excites the neuron more? The answer "
    "is the one that is more similar to the examples of high responses and less to those of low "
    "ones. 50 % is chance. Real {many} and the examples of another unit answer, too. The "
    "outputs of the network explain {explained} of the variance of the neuron’s responses. "
    "{legend}."
)


def prediction_section(evidence: Evidence) -> Section | None:
    """Return a sentence and a table for each encoder; None without a test."""
    tested, unit = evidence.validation, evidence.prediction
    if tested is None or unit is None:
        return None
    words = tested.words
    content: list[Child] = [warning_box(tested.notes)]
    for encoder, sets in unit.shares.items():
        content.append(element("p", prediction_sentence(tested, encoder, sets), class_="finding"))
        shown = [name for name in DIFFICULTIES if name in sets.get(GENERATED, {})]
        heads = [encoder, *(_unbroken(COLUMNS[name]) for name in shown), "Which examples"]
        lines: list[Line] = []
        for name, shares in sets.items():
            cells = [_cell(shares.get(difficulty)) for difficulty in shown]
            lines.append((set_title(name), [*cells, words.fill(SETS.get(name, ""))]))
        content.append(wide_table(heads, lines))
    origin = HELD_OUT if tested.held_out else SPLIT.format(split=tested.split)
    explained, legend = percent(unit.explained_share), words.fill(LEGEND)
    note = words.fill(NOTE, origin=origin, explained=explained, legend=legend)
    return Section("prediction", "Prediction: which excites the neuron more?", note, content)


def _unbroken(title: str) -> str:
    return title.replace(" %", "\N{NO-BREAK SPACE}%")


def _cell(share: PairShare | None) -> Child:
    if share is None:
        return ""
    ends = " to ".join(f"{100 * end:.0f}" for end in share.interval or ())
    return element("span", percent(share.share), " ", element("span", ends, class_="detail"))
