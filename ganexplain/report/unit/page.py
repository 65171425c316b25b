"""The HTML of the page of one unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ganexplain.inputs.words import Words
from ganexplain.report.html.document import document, warning_box
from ganexplain.report.html.markup import Child, Markup, definitions, element
from ganexplain.report.html.medium import Medium
from ganexplain.report.html.panels import Row, row
from ganexplain.report.unit.grid import Grid, grid_view

SCRIPTS = ("sound.js", "grid.js")


@dataclass(frozen=True)
class Chart:
    """A drawing with its heading and a note on how to read it."""

    heading: str
    note: Child
    drawing: Markup


@dataclass(frozen=True)
class Table:
    """Names and values under a heading."""

    heading: str
    lines: Sequence[tuple[str, Child]]


@dataclass(frozen=True)
class Section:
    """A section with a heading, a note and a table."""

    identity: str
    heading: str
    note: str
    content: Child


@dataclass(frozen=True)
class Page:
    """The content of the page, in its order."""

    title: str
    guide: str
    verdict: str
    warnings: Sequence[str]
    answer: Sequence[tuple[str, Child]]
    responses: Chart
    medium: Medium
    words: Words
    playable: bool
    compared: Sequence[Row]
    others: Sequence[Row]
    others_note: str
    comparisons: Sequence[Section]
    grid: Grid
    search: Sequence[Chart]
    provenance: Sequence[Table]


def render(page: Page) -> str:
    """Return the page as one HTML document that needs no other file."""
    charts = element("div", [_chart(chart) for chart in page.search], class_="pair")
    body = element(
        "main",
        _head(page),
        _listening(page),
        [_section(s.identity, s.heading, s.note, s.content) for s in page.comparisons],
        _section(
            "grid",
            "The grid of settings",
            page.grid.note,
            *grid_view(page.grid, page.medium, page.words.heading.lower()),
        ),
        _section("search", "How the search went", "", charts),
        provenance(page.provenance),
    )
    return document(page.title, body, SCRIPTS)


def _head(page: Page) -> Markup:
    parts = [
        element("p", "ganexplain report", class_="brand"),
        element("h1", page.title),
        element("p", page.guide, class_="guide"),
        element("p", element("strong", "Verdict: "), page.verdict, class_="verdict"),
        warning_box(page.warnings),
        definitions(page.answer, class_="answer"),
    ]
    return element("header", element("div", parts), _chart(page.responses), class_="top")


def _listening(page: Page) -> Markup:
    compared = [row(r, page.medium) for r in page.compared]
    others = [row(r, page.medium) for r in page.others]
    return element(
        "section",
        element("h2", page.words.heading, id="listen"),
        element("p", page.medium.note, class_="note"),
        element("p", _keys(page), class_="note scripted"),
        element("div", page.medium.legend, class_="legend"),
        compared,
        element("p", page.others_note, class_="note between") if others else "",
        others,
        aria_labelledby="listen",
    )


def _keys(page: Page) -> list[Child]:
    """Explain the keys; without sound there is none to stop it."""
    if not page.playable:
        return [
            element("kbd", "X"), " switches a row, the one in focus or the chosen one, between the "
            "real ones (A) and its own (B), column by column.",
        ]  # fmt: skip
    return [
        element("kbd", "X"), " switches the row you listen to between the real excerpts (A) and "
        "its own (B), column by column, while it plays; ", element("kbd", "Esc"), " stops.",
    ]  # fmt: skip


def _section(identity: str, heading: str, note: str, *content: Child) -> Markup:
    return element(
        "section",
        element("h2", heading, id=identity),
        element("p", note, class_="note") if note else "",
        *content,
        aria_labelledby=identity,
    )


def _chart(chart: Chart) -> Markup:
    return element(
        "figure",
        element("h3", chart.heading),
        element("div", chart.drawing, class_="scroll"),
        element("figcaption", chart.note, class_="note"),
        class_="chart",
    )


def provenance(tables: Sequence[Table]) -> Markup:
    """Return the section with the origin of a page."""
    shown = element("div", [_table(table) for table in tables], class_="tables")
    return _section("provenance", "What produced this page", "", shown)


def _table(table: Table) -> Markup:
    lines = [
        element("tr", element("th", name, scope="row"), element("td", value))
        for name, value in table.lines
    ]
    caption = element("caption", table.heading) if table.heading else ""
    return element("table", caption, element("tbody", lines))
