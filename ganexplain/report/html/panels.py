"""Rows of examples: pictures with responses and, for sound, buttons that play them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.report.html.markup import Markup, data_uri, definitions, element, void
from ganexplain.report.html.medium import Medium
from ganexplain.report.html.notation import clock, signed


@dataclass(frozen=True)
class Sound:
    """One player: the `label` of its button, which may be empty, and a FLAC."""

    label: str
    flac: bytes


@dataclass(frozen=True)
class Excerpt:
    """One panel: an input as it was drawn, its response, and what identifies it.

    `origin` is short ("seed 3", a file name); `start_s` is its start in a recording. `score` is the
    text of a number that has no sign, such as a probability, in place of the response.
    """

    values: np.ndarray
    response: float
    origin: str
    sounds: tuple[Sound, ...]
    start_s: float | None = None
    score: str = ""

    @property
    def number(self) -> str:
        """The response with its sign, or the score."""
        return self.score or signed(self.response)


@dataclass(frozen=True)
class Row:
    """Examples under one heading; `kind` is its style: real, chosen, start, held_out, ...

    With `against_real` the row has a switch between its examples and the real ones. `step` reduces
    the colours of its pictures.
    """

    kind: str
    heading: str
    setting: str
    facts: tuple[tuple[str, str], ...]
    excerpts: Sequence[Excerpt]
    note: str = ""
    chosen: bool = False
    against_real: bool = True
    step: int = 1


def row(content: Row, medium: Medium) -> Markup:
    """Return a row as a section of the page."""
    identity = f"row-{content.kind.replace('_', '-')}"
    chip = element("span", "chosen", class_="chip") if content.chosen else ""
    heading = element("h3", content.heading, " ", chip, id=identity)
    head = [heading, element("p", content.setting, class_="setting")]
    sheet = [panel(excerpt, content, medium) for excerpt in content.excerpts]
    return element(
        "section",
        element(
            "header",
            element("div", head, _switch(content) if content.against_real else ""),
            definitions(content.facts, class_="facts"),
        ),
        element("p", content.note, class_="note") if content.note else "",
        element("div", sheet, class_="sheet"),
        class_=f"row {content.kind.replace('_', '-')}",
        aria_labelledby=identity,
    )


def _switch(content: Row) -> Markup:
    """Return the A/B button; the script exchanges the row's examples and the real ones."""
    return element(
        "button",
        element("span", "A real", class_="side real"),
        element("span", "B this row", class_="side made"),
        type="button",
        class_="switch",
        aria_pressed="false",
        aria_keyshortcuts="X",
        aria_label=f"A/B: put the real ones in place of {content.heading}",
        title="A/B: switch between the real ones and this row (key X)",
    )


def panel(excerpt: Excerpt, within: Row, medium: Medium) -> Markup:
    """Return one example as a figure."""
    name = f"{within.heading}, {excerpt.origin}"
    label = f"{medium.noun}: {name}, response {excerpt.number}"
    lines = [
        element(
            "div",
            element("span", excerpt.origin, class_="origin", title=excerpt.origin),
            element("span", excerpt.number, class_="response", title="response"),
            class_="caption",
        )
    ]
    if excerpt.start_s is not None:
        lines.append(element("div", f"at {clock(excerpt.start_s)}", class_="detail"))
    players = [player(sound, name) for sound in excerpt.sounds]
    remark = medium.remark(excerpt.values)
    if remark:
        players.append(element("span", remark, class_="detail"))
    return element(
        "figure",
        medium.picture(excerpt.values, label, within.step),
        element("figcaption", lines, element("div", players, class_="players") if players else ""),
        class_="panel",
    )


def player(sound: Sound, name: str) -> Markup:
    """Return a button that plays an `<audio>`, which has its own controls without scripts."""
    caption = f"{name} ({sound.label})" if sound.label else name
    icon = element(
        "svg",
        void("path", class_="go", d="M3 1.5v9l7.5-4.5z"),
        void("path", class_="halt", d="M2.5 2.5h7v7h-7z"),
        viewBox="0 0 12 12",
        aria_hidden="true",
    )
    button = element(
        "button", icon, sound.label, type="button", class_="play", aria_label=f"Play {caption}",
        aria_pressed="false",
    )  # fmt: skip
    audio = element(
        "audio",
        controls=True,
        preload="none",
        src=data_uri("audio/flac", sound.flac),
        aria_label=caption,
    )
    visible_label = element("span", sound.label, class_="said", aria_hidden="true")
    return element("span", button, visible_label, audio, class_="player")
