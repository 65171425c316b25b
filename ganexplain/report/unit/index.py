"""The index page of several units, with a line for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from ganexplain.inputs.words import Words
from ganexplain.metrics.scores import SCORES
from ganexplain.report.charts.spectrograms import COARSE
from ganexplain.report.html.document import document
from ganexplain.report.html.markup import Child, Markup, element, void
from ganexplain.report.html.medium import medium_for
from ganexplain.report.html.notation import percent, setting, spread
from ganexplain.report.html.wide_table import Line, wide_table
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.findings import findings
from ganexplain.report.unit.rows import mean_and_deviation, score_text

HEADS = ("Unit", "Chosen example", "Real {one}", "Chosen setting", "Response", "Score",
         "Judges’ votes", "Read as")  # fmt: skip


@dataclass(frozen=True)
class UnitLine:
    """The line of one unit; the pictures are `data:` addresses."""

    link: str
    name: str
    detail: str
    generated: str
    real: str
    setting: str
    response: str
    score: str
    votes: str
    reading: tuple[str, ...]
    noun: str  # the kind of the pictures
    words: Words
    still: bool  # whether there is no sound to the pictures


def unit_line(evidence: Evidence, link: str) -> UnitLine:
    """Return the line of a unit whose page is at `link`, relative to the index."""
    meta, chosen, key = evidence.meta, evidence.chosen, evidence.selection.by
    if SCORES[key].rank:  # ranks of settings of different units are not comparable
        key = "fid_response"
    medium = medium_for(evidence.front_end, evidence.real["mel"])
    votes = chosen.figures.votes
    return UnitLine(
        link=link,
        name=f"{meta.unit.layer}, neuron {meta.unit.neuron}",
        detail=" ".join(filter(None, [meta.class_name, _direction(evidence)])),
        generated=medium.thumbnail(evidence.shown["chosen"][0], COARSE),
        real=medium.thumbnail(evidence.shown["real"][0], COARSE),
        setting=setting(chosen.setting),
        response=f"{spread(chosen.mean_response, chosen.std_response)}, real "
        f"{spread(*mean_and_deviation(evidence.real['response']))}",
        score=f"{SCORES[key].title} {score_text(chosen.figures, key)}",
        votes=percent(votes) if votes is not None else "",
        reading=_reading(evidence),
        noun=medium.noun,
        words=evidence.words,
        still=not evidence.playable,
    )


def _direction(evidence: Evidence) -> str:
    return "upwards" if evidence.upwards else "downwards"


def _reading(evidence: Evidence) -> tuple[str, ...]:
    """Return the conclusion from the re-initialised network, and the number of warnings."""
    finding = findings(evidence).get("reinitialised")
    count = len(evidence.selection.warnings)
    warned = f"{count} warning{'' if count == 1 else 's'}" if count else ""
    return tuple(filter(None, [finding.conclusion if finding else "", warned]))


def render_index(lines: Sequence[UnitLine]) -> str:
    """Return the index as one HTML document; its links are relative."""
    count = len({line.name for line in lines})
    title = f"What drives {count} unit{'' if count == 1 else 's'}"
    guide = (
        "For each unit the first example under the chosen setting beside the real {one} with the "
        "strongest response, as on the unit’s page, which the name opens."
    )
    words = lines[0].words
    table = wide_table([words.fill(text) for text in HEADS], map(_line, lines), "wide units")
    header = [element("p", "ganexplain report", class_="brand"), element("h1", title)]
    body = element("main", header, element("p", words.fill(guide), class_="guide"), table)
    return document(title, body)


def _line(line: UnitLine) -> Line:
    cells: list[Child] = [
        _thumbnail(line, line.generated, f"generated example, {line.name}"),
        _thumbnail(line, line.real, f"real {line.words.one}, {line.name}"),
        line.setting,
        line.response,
        line.score,
        line.votes or "\N{EN DASH}",
        [element("p", text) for text in line.reading],
    ]
    link = element("a", line.name, href=quote(line.link))
    return [link, element("span", line.detail, class_="detail")], cells


def _thumbnail(line: UnitLine, source: str, label: str) -> Markup:
    kind = "thumbnail still" if line.still else "thumbnail"
    return void("img", src=source, alt=f"{line.noun}: {label}", class_=kind)
