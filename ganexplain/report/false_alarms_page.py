"""The HTML page of the false alarms for a class: how often, and the causes heard and seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.artifacts.false_alarms import Alarm, AlarmGroup, ClassAlarms
from ganexplain.audio.io import encode_flac
from ganexplain.audio.sonify import limit_peak
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.false_alarms import (
    NOTHING,
    cause,
    hertz,
    percents,
    share_interval,
    times,
)
from ganexplain.report.html.document import document
from ganexplain.report.html.markup import Markup, definitions, element
from ganexplain.report.html.medium import Medium, medium_for
from ganexplain.report.html.notation import number, percent
from ganexplain.report.html.panels import Excerpt, Row, Sound, row
from ganexplain.report.unit.page import Table, provenance

SCRIPTS = ("sound.js",)
STYLE = (
    ".alarms table{table-layout:auto;width:auto}.alarms th{width:auto}"
    ".alarms th,.alarms td{padding:4px 14px 4px 0;white-space:nowrap;text-align:left}"
)


@dataclass(frozen=True)
class HeardSound:
    """A waveform (W,) to play, its log-mel (F, T) and its score."""

    name: str
    waveform: np.ndarray
    mel: np.ndarray
    score: float


@dataclass(frozen=True)
class HeardGroup:
    """A group of alarms, and the sounds of the first one."""

    group: AlarmGroup
    sounds: Sequence[HeardSound]


@dataclass(frozen=True)
class HeardClass:
    """The groups of a class and the sounds generated for it, at a sample rate.

    `score` says what a score is and which is an alarm, `unlabelled` that labels are missing, if so.
    """

    groups: Sequence[HeardGroup]
    generated: Sequence[HeardSound]
    rate: int
    score: str
    unlabelled: str


def false_alarms_page(
    found: ClassAlarms, heard: HeardClass, view: FrontEnd, origin: Sequence[tuple[str, str]]
) -> str:
    """Return the page of a class, whose spectrograms are those of `view`.

    `origin` are names and values of what produced it.
    """
    title = f"What is taken for {found.name}?"
    shown = [each.sounds[0].mel for each in heard.groups] or [each.mel for each in heard.generated]
    medium = medium_for(view, np.stack(shown))
    body = element(
        "main",
        element("style", Markup(STYLE)),
        element(
            "header",
            element("p", "ganexplain false-alarms", class_="brand"),
            element("h1", title),
            element("p", _guide(found), class_="guide"),
            element("p", heard.unlabelled, class_="guide") if heard.unlabelled else "",
            definitions(_facts(found), class_="answer"),
        ),
        _causes(heard, medium) if heard.groups else "",
        _generated(found, heard, medium) if heard.generated else "",
        _table(found) if heard.groups else "",
        provenance([Table("", list(origin))]),
    )
    return document(title, body, SCRIPTS)


def _guide(found: ClassAlarms) -> str:
    """What the page is about."""
    ended = sum(alarm.silenced for group in found.groups for alarm in group.alarms)
    return (
        f"Excerpts without {found.name} that the network takes for {found.name}. What causes an "
        "alarm was removed from the recording itself; what was left was written to a file, read "
        f"and passed through the network again. {ended} of {times(found.explained, 'alarm')} end "
        f"without their cause. Alarms with similar causes form {times(len(found.groups), 'group')}."
    )


def _facts(found: ClassAlarms) -> list[tuple[str, str]]:
    """How often there are alarms."""
    return [
        ("excerpts", f"{found.alarms:,} of {found.excerpts:,}: {percents(found.share)}"),
        ("95 % interval over recordings", share_interval(found)),
        ("recordings", f"{found.alarm_recordings:,} of {found.recordings:,}"),
        ("95 % interval", percents(*found.recordings_interval)),
        ("explained", f"{found.explained:,}"),
    ]


def _causes(heard: HeardClass, medium: Medium) -> Markup:
    return element(
        "section",
        element("h2", "The causes", id="causes"),
        element("p", "The number under a picture is the network’s score: "
                f"{heard.score}.", class_="note"),
        element("div", medium.legend, class_="legend"),
        [row(_row(k, each, heard.rate), medium) for k, each in enumerate(heard.groups, 1)],
        aria_labelledby="causes",
    )  # fmt: skip


def _generated(found: ClassAlarms, heard: HeardClass, medium: Medium) -> Markup:
    """What was generated from excerpts without the class."""
    fire = [each for each in found.generated if each.fires]
    known = "count as" if heard.unlabelled else "are known to be"
    facts = tuple(
        (f"generated {k}", cause(each) if each.spans_s else NOTHING)
        for k, each in enumerate(found.generated, 1)
        if each.fires
    )
    shown = Row(
        kind="chosen generated",
        heading=f"{len(fire)} of {len(found.generated)} are taken for {found.name}",
        setting="what causes it",
        facts=facts,
        excerpts=_excerpts(heard.generated, heard.rate),
        against_real=False,
    )
    return element(
        "section",
        element("h2", f"Generated from excerpts without {found.name}", id="generated"),
        element("p", f"Mixtures of excerpts that {known} without it, shifted, filtered and "
                "made louder or softer, to be taken for it as much as possible.", class_="note"),
        row(shown, medium),
        aria_labelledby="generated",
    )  # fmt: skip


def _excerpts(sounds: Sequence[HeardSound], rate: int) -> list[Excerpt]:
    """Sounds as panels of a row."""
    return [
        Excerpt(
            each.mel,
            each.score,
            each.name,
            (Sound("listen", encode_flac(limit_peak(each.waveform), rate)),),
            score=number(each.score),
        )
        for each in sounds
    ]


def _row(place: int, heard: HeardGroup, rate: int) -> Row:
    """A group as a row of what is heard of its first alarm."""
    group, first = heard.group, heard.group.alarms[0]
    facts = [("shown", first.excerpt), ("its cause", cause(first) if first.spans_s else NOTHING)]
    if group.edit:
        edit = group.edit
        facts.append(("edited", f"{percents(edit.cells)} of the cells, by {edit.mean_db:.1f} dB"))
    return Row(
        kind=f"real group-{place}",
        heading=f"{times(len(group.alarms), 'alarm')}: {hertz(group.bands_hz)}",
        setting=f"in {times(group.recordings, 'recording')}; {percent(group.silenced)} end "
        "without their cause",
        facts=tuple(facts),
        excerpts=_excerpts(heard.sounds, rate),
        against_real=False,
    )


def _table(found: ClassAlarms) -> Markup:
    """All explained alarms."""
    heads = ("alarm", "score", "cause", "without it", "the cause alone", "ends when softer by",
             "removed elsewhere ends it in")  # fmt: skip
    alarms = [alarm for group in found.groups for alarm in group.alarms]
    rows = [element("tr", [element("td", text) for text in _cells(alarm)]) for alarm in alarms]
    titles = element("tr", [element("th", name, scope="col") for name in heads])
    table = element("table", element("thead", titles), element("tbody", rows))
    return element(
        "section",
        element("h2", "All explained alarms", id="alarms"),
        element("div", table, class_="alarms scroll"),
        aria_labelledby="alarms",
    )


def _cells(alarm: Alarm) -> list[str]:
    softer = "" if alarm.attenuation_db is None else f"{alarm.attenuation_db:g} dB"
    if not alarm.spans_s:
        return [alarm.excerpt, number(alarm.score), NOTHING, "", "", "", ""]
    scores = (alarm.removed_score, alarm.alone_score)
    found = [alarm.excerpt, number(alarm.score), cause(alarm), *map(number, scores), softer]
    elsewhere = alarm.elsewhere
    return [*found, "" if elsewhere is None else f"{percent(elsewhere)} of places"]
