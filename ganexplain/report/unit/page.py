"""The page of one unit, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ganexplain.inputs.words import Words
from ganexplain.report.html.document import document, warning_box
from ganexplain.report.html.markup import Child, Markup, element
from ganexplain.report.html.medium import Medium
from ganexplain.report.html.panels import Row, row
from ganexplain.report.unit.grid import Grid, grid_view

SCRIPTS = ("sound.js", "grid.js")


@dataclass(frozen=True)
class Chart:
    """A drawing with its heading and the sentence that says how to read it."""

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
    """A table with its heading and a sentence on it."""

    identity: str
    heading: str
    note: str
    content: Markup


@dataclass(frozen=True)
class Page:
    """What the report shows, in the order it shows it."""

    title: str
    guide: str
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
    """The page as one HTML document that needs no other file."""
    return document(page.title, _body(page), SCRIPTS)


def _body(page: Page) -> Markup:
    return element(
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
        _section("search", "How the search went", "", _pair(page.search)),
        provenance(page.provenance),
    )


def _head(page: Page) -> Markup:
    facts = [element("div", element("dt", k), element("dd", v)) for k, v in page.answer]
    parts = [
        element("p", "ganexplain report", class_="brand"),
        element("h1", page.title),
        element("p", page.guide, class_="guide"),
        warning_box(page.warnings),
        element("dl", facts, class_="answer"),
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
    """What the keys do; in silence there is nothing to stop."""
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


def _pair(charts: Sequence[Chart]) -> Markup:
    return element("div", [_chart(chart) for chart in charts], class_="pair")


def _chart(chart: Chart) -> Markup:
    return element(
        "figure",
        element("h3", chart.heading),
        element("div", chart.drawing, class_="scroll"),
        element("figcaption", chart.note, class_="note"),
        class_="chart",
    )


def provenance(tables: Sequence[Table]) -> Markup:
    """The section that says what a page was made from."""
    shown = element("div", [_table(table) for table in tables], class_="tables")
    return _section("provenance", "What produced this page", "", shown)


def _table(table: Table) -> Markup:
    lines = [
        element("tr", element("th", name, scope="row"), element("td", value))
        for name, value in table.lines
    ]
    caption = element("caption", table.heading) if table.heading else ""
    return element("table", caption, element("tbody", lines))
