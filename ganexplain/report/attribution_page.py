"""The HTML page of `attribute`: maps, kept and removed parts and measures of each method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.report.charts.axes import linear_ticks
from ganexplain.report.html.document import document
from ganexplain.report.html.markup import (
    Markup,
    definitions,
    element,
    svg_text,
    void,
)
from ganexplain.report.html.medium import Medium
from ganexplain.report.html.notation import capitalise, exact, number
from ganexplain.report.html.panels import Sound, player
from ganexplain.report.unit.page import Table, provenance

SCRIPTS = ("sound.js",)
STYLE = (
    ".measures{margin-top:14px}.measures th{width:auto}"
    ".measures table{table-layout:auto;width:auto}"
    ".measures th,.measures td{padding:4px 14px 4px 0}"
    ".measures td{white-space:nowrap}.sides{display:grid;gap:16px 24px;"
    "grid-template-columns:minmax(0,3fr) minmax(0,1fr)}.curve path{fill:none;stroke-width:1.8}"
    ".curve .rise{stroke:var(--made)}.curve .fall{stroke:var(--worst)}"
    ".curve .frame{fill:none;stroke:var(--rule)}"
    ".curve{max-width:260px}"
    "@media screen and (max-width:1000px){.sides{grid-template-columns:minmax(0,1fr)}}"
    "@media print{.sides .sheet{grid-template-columns:repeat(3,1fr)}}"
)


@dataclass(frozen=True)
class Panel:
    """One panel: log-mel (F, T) or a picture (C, H, W), its score, and a map (H, W) over it.

    `sound` is a FLAC, amplified by `louder` dB; empty if there is no sound.
    """

    name: str
    values: np.ndarray
    score: float
    sound: bytes = b""
    louder: int = 0
    over: np.ndarray | None = None


@dataclass(frozen=True)
class MethodSection:
    """The attribution of one input by one method.

    `share`, `deletion` and `insertion` (n + 1,) are its curves, `facts` names and values.
    """

    heading: str
    setting: str
    panels: Sequence[Panel]
    share: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str]


@dataclass(frozen=True)
class InputSection:
    """One input with the attributions of all methods."""

    heading: str
    note: str
    whole: Panel
    methods: Sequence[MethodSection]


@dataclass(frozen=True)
class PageContent:
    """The page: `rows` of texts are the table of measures, `titles` its heads with meanings."""

    title: str
    guide: str
    sections: Sequence[InputSection]
    titles: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str]]
    provenance: Sequence[tuple[str, str]]


def attribution_page(content: PageContent, medium: Medium) -> str:
    """Return the content as one HTML document that needs no other file."""
    head = element(
        "header",
        element("p", "ganexplain attribute", class_="brand"),
        element("h1", content.title),
        element("p", content.guide, class_="guide"),
    )
    body = element(
        "main", element("style", Markup(STYLE)), head,
        _measures(content),
        [_input(section, f"input-{k}", medium) for k, section in enumerate(content.sections)],
        _legend(medium),
        provenance([Table("", content.provenance)]),
    )  # fmt: skip
    return document(content.title, body, SCRIPTS)


def _measures(content: PageContent) -> Markup:
    titles = [element("th", name, scope="col", title=meaning) for name, meaning in content.titles]
    rows = [
        element("tr", element("th", row[0], scope="row"), [element("td", v) for v in row[1:]])
        for row in content.rows
    ]
    meanings = "; ".join(f"{name}: {meaning}" for name, meaning in content.titles if name)
    return element(
        "section",
        element("h2", "How good each explanation is", id="measures"),
        element("p", "Means over the inputs; the last row is the floor. ", meanings, ".",
                class_="note"),
        element("div", element("table", element("thead", element("tr", titles)),
                               element("tbody", rows)), class_="measures scroll"),
        aria_labelledby="measures",
    )  # fmt: skip


def _input(section: InputSection, identity: str, medium: Medium) -> Markup:
    whole = element("div", _figure(section.whole, section.heading, medium), class_="sheet")
    return element(
        "section",
        element("h2", section.heading, id=identity),
        element("p", section.note, class_="note"),
        element("div", whole, class_="row real"),
        [_method(each, f"{identity}-{k}", medium) for k, each in enumerate(section.methods)],
        aria_labelledby=identity,
    )


def _method(section: MethodSection, identity: str, medium: Medium) -> Markup:
    heading = element("h3", section.heading, id=identity)
    head = element("div", heading, element("p", section.setting, class_="setting"))
    sheet = [_figure(panel, section.heading, medium) for panel in section.panels]
    return element(
        "section",
        element("header", head),
        [element("p", capitalise(warning) + ".", class_="note")
         for warning in section.warnings],
        element("div", element("div", sheet, class_="sheet"), _curves(section), class_="sides"),
        definitions(section.facts, class_="facts"),
        class_="row best", aria_labelledby=identity,
    )  # fmt: skip


def _figure(panel: Panel, within: str, medium: Medium) -> Markup:
    name = f"{within}, {panel.name}"
    caption = element(
        "div",
        element("span", panel.name, class_="origin"),
        element("span", number(panel.score), class_="response", title="score"),
        class_="caption",
    )
    play: list[Markup] = []
    if panel.sound:
        label = f"listen, +{panel.louder} dB" if panel.louder else "listen"
        sound = player(Sound(label, panel.sound), name)
        play = [element("div", sound, class_="players")]
    label = f"{medium.noun}: {name}, score {number(panel.score)}"
    if panel.over is None:
        picture = medium.picture(panel.values, label)
    else:
        picture = medium.mapped(panel.values, panel.over, label)
    return element("figure", picture, element("figcaption", caption, play), class_="panel")


def _curves(section: MethodSection) -> Markup:
    """Draw deletion and insertion as an SVG."""
    left, top, width, height = 30.0, 8.0, 170.0, 112.0
    values = np.concatenate([section.deletion, section.insertion])
    low, high = min(0.0, float(values.min())), max(float(values.max()), 1e-9)

    def path(scores: np.ndarray, kind: str) -> Markup:
        x = left + width * section.share
        y = top + height * (1 - (scores - low) / (high - low))
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        return void("path", class_=kind, d=f"M{points.replace(' ', ' L')}")

    marks = []
    for value in linear_ticks(low, high, 4):
        y = top + height * (1 - (value - low) / (high - low))
        marks.append(svg_text(exact(value), left - 4, y + 3, anchor="end"))
    keys = [
        [svg_text(text, x, top + height + 26, anchor=anchor),
         void("path", class_=kind, d=f"M{line:.1f},{top + height + 31:.1f} h26")]
        for text, kind, x, anchor, line in (
            ("removed", "fall", left, "start", left),
            ("added", "rise", left + width, "end", left + width - 26),
        )
    ]  # fmt: skip
    share = svg_text("share of the input", left + width / 2, top + height + 13)
    return element(
        "svg",
        void("rect", class_="frame", x=left, y=top, width=width, height=height),
        marks, share, keys, path(section.deletion, "fall"), path(section.insertion, "rise"),
        class_="curve", viewBox=f"0 0 {left + width + 6:g} {top + height + 36:g}", role="img",
        aria_label="score while the parts of the largest weights are removed, and while added",
    )  # fmt: skip


def _legend(medium: Medium) -> Markup:
    note = "Over grey: red raises the score, blue lowers it; each map has a scale of its own."
    return element("div", medium.colours, element("span", note, class_="note"), class_="legend")
