"""The page of `attribute`: what speaks for a score and against it, to see and to hear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.report.charts.axes import linear_ticks
from ganexplain.report.html.document import document
from ganexplain.report.html.markup import Markup, data_uri, element, void
from ganexplain.report.html.medium import Medium
from ganexplain.report.html.notation import exact, number
from ganexplain.report.html.panels import Sound, player
from ganexplain.report.unit.page import Table, provenance

SCRIPTS = ("sound.js",)
STYLE = (
    ".measures table{table-layout:auto;width:auto}.measures th{width:auto}"
    ".measures th,.measures td{padding:4px 14px 4px 0}"
    ".measures td{white-space:nowrap}.sides{display:grid;gap:16px 24px;"
    "grid-template-columns:minmax(0,3fr) minmax(0,1fr)}.curve path{fill:none;stroke-width:1.8}"
    ".curve .rise{stroke:var(--made)}.curve .fall{stroke:var(--worst)}"
    ".curve .frame{fill:none;stroke:var(--rule)}"
    ".curve{max-width:320px}"
    "@media screen and (max-width:1000px){.sides{grid-template-columns:minmax(0,1fr)}}"
    "@media print{.sides .sheet{grid-template-columns:repeat(3,1fr)}}"
)


@dataclass(frozen=True)
class Shown:
    """One panel: log-mel (F, T) or a picture (C, H, W), its score, and a map (H, W) over it.

    `sound` is a FLAC, `louder` by so many dB than it is; empty, there is none.
    """

    name: str
    values: np.ndarray
    score: float
    sound: bytes = b""
    louder: int = 0
    over: np.ndarray | None = None


@dataclass(frozen=True)
class Answer:
    """What one method says of one input.

    `share`, `deletion` and `insertion` (n + 1,) are its curves, `facts` names and values.
    """

    heading: str
    setting: str
    pictures: Sequence[Shown]
    share: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str]


@dataclass(frozen=True)
class Asked:
    """One input with all its answers."""

    heading: str
    note: str
    whole: Shown
    answers: Sequence[Answer]


@dataclass(frozen=True)
class Story:
    """The page: `measures` is a table of texts, its first row the titles with their meanings."""

    title: str
    guide: str
    asked: Sequence[Asked]
    titles: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str]]
    provenance: Sequence[tuple[str, str]]


def attribution_page(story: Story, medium: Medium) -> str:
    """The story as one HTML document that needs no other file."""
    head = element(
        "header",
        element("p", "ganexplain attribute", class_="brand"),
        element("h1", story.title),
        element("p", story.guide, class_="guide"),
    )
    body = element(
        "main", element("style", Markup(STYLE)), head,
        _measures(story),
        [_asked(asked, k, medium) for k, asked in enumerate(story.asked)],
        _legend(medium),
        provenance([Table("", story.provenance)]),
    )  # fmt: skip
    return document(story.title, body, SCRIPTS)


def _measures(story: Story) -> Markup:
    titles = [element("th", name, scope="col", title=meaning) for name, meaning in story.titles]
    rows = [
        element("tr", element("th", row[0], scope="row"), [element("td", v) for v in row[1:]])
        for row in story.rows
    ]
    meanings = "; ".join(f"{name}: {meaning}" for name, meaning in story.titles if name)
    return element(
        "section",
        element("h2", "How well each explanation holds", id="measures"),
        element("p", "Means over the inputs; the last row is the floor. ", meanings, ".",
                class_="note"),
        element("div", element("table", element("thead", element("tr", titles)),
                               element("tbody", rows)), class_="measures scroll"),
        aria_labelledby="measures",
    )  # fmt: skip


def _asked(asked: Asked, index: int, medium: Medium) -> Markup:
    identity = f"input-{index}"
    whole = element("div", _panel(asked.whole, asked.heading, medium), class_="sheet")
    return element(
        "section",
        element("h2", asked.heading, id=identity),
        element("p", asked.note, class_="note"),
        element("div", whole, class_="row real"),
        [_answer(a, f"{identity}-{k}", medium) for k, a in enumerate(asked.answers)],
        aria_labelledby=identity,
    )


def _answer(answer: Answer, identity: str, medium: Medium) -> Markup:
    facts = [element("div", element("dt", k), element("dd", v)) for k, v in answer.facts]
    heading = element("h3", answer.heading, id=identity)
    head = element("div", heading, element("p", answer.setting, class_="setting"))
    sheet = [_panel(p, answer.heading, medium) for p in answer.pictures]
    return element(
        "section",
        element("header", head),
        [element("p", warning[0].upper() + warning[1:] + ".", class_="note")
         for warning in answer.warnings],
        element("div", element("div", sheet, class_="sheet"), _curves(answer), class_="sides"),
        element("dl", facts, class_="facts"),
        class_="row best", aria_labelledby=identity,
    )  # fmt: skip


def _panel(shown: Shown, within: str, medium: Medium) -> Markup:
    name = f"{within}, {shown.name}"
    caption = element(
        "div",
        element("span", shown.name, class_="origin"),
        element("span", number(shown.score), class_="response", title="score"),
        class_="caption",
    )
    play: list[Markup] = []
    if shown.sound:
        label = f"listen, +{shown.louder} dB" if shown.louder else "listen"
        sound = player(Sound(label, data_uri("audio/flac", shown.sound)), name)
        play = [element("div", sound, class_="players")]
    label = f"{medium.noun}: {name}, score {number(shown.score)}"
    picture = medium.picture(shown.values, label)
    if shown.over is not None:
        picture = medium.mapped(shown.values, shown.over, label)
    return element(
        "figure",
        picture,
        element("figcaption", caption, play),
        class_="panel",
    )


def _curves(answer: Answer) -> Markup:
    """Deletion and insertion as an SVG."""
    left, top, width, height = 30.0, 8.0, 170.0, 112.0
    values = np.concatenate([answer.deletion, answer.insertion])
    low, high = min(0.0, float(values.min())), max(float(values.max()), 1e-9)

    def path(scores: np.ndarray, kind: str) -> Markup:
        x = left + width * answer.share
        y = top + height * (1 - (scores - low) / (high - low))
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        return void("path", class_=kind, d=f"M{points.replace(' ', ' L')}")

    marks = []
    for value in linear_ticks(low, high, 4):
        y = top + height * (1 - (value - low) / (high - low))
        marks.append(element("text", exact(value), class_="tick", x=left - 4, y=y + 3,
                             text_anchor="end"))  # fmt: skip
    words = [("taken away", "fall", 0.0, "start"), ("added", "rise", width, "end")]
    keys = [
        element("text", text, class_="tick", x=left + at, y=top + height + 26, text_anchor=anchor)
        for text, _, at, anchor in words
    ]
    lines = [
        void("path", class_=kind, d=f"M{x:.1f},{top + height + 31:.1f} h26")
        for (_, kind, _, _), x in zip(words, (left, left + width - 26), strict=True)
    ]
    share = element("text", "share of the input", class_="tick", x=left + width / 2,
                    y=top + height + 13, text_anchor="middle")  # fmt: skip
    return element(
        "svg",
        void("rect", class_="frame", x=left, y=top, width=width, height=height),
        marks, share, keys, lines, path(answer.deletion, "fall"), path(answer.insertion, "rise"),
        class_="curve", viewBox=f"0 0 {left + width + 6:g} {top + height + 36:g}", role="img",
        aria_label="score as the weightiest parts are taken away, and as they are added",
    )  # fmt: skip


def _legend(medium: Medium) -> Markup:
    note = "Over grey: red speaks for the score, blue against it, each map over its own range."
    return element("div", medium.colours, element("span", note, class_="note"), class_="legend")
