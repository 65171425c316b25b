"""The page of `attribute` from what its run has found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganexplain.config import FrontEnd
from ganexplain.data.frontend import log_mel
from ganexplain.local.measures import MEASURES, WALL_CLOCK, Held
from ganexplain.local.methods import Attribution
from ganexplain.pages.attribution_page import Answer, Asked, Picture, Story, attribution_page
from ganexplain.pages.notation import clock, number
from ganexplain.pages.spectrograms import colour_scale
from ganexplain.stages.attribute_files import flac_bytes
from ganexplain.stages.attribute_inputs import Moment


def answer_of(
    setting: tuple[str, str, str],
    moment: Moment,
    found: Attribution,
    held: Held,
    sounds: np.ndarray,
    measures: dict[str, float | None],
    front_end: FrontEnd,
) -> Answer:
    """One attribution as the page shows it; `setting` is method, segments and fill."""
    rate = front_end.sample_rate
    kept, removed = (log_mel(sound, front_end).T for sound in sounds)
    pictures = [
        Picture("map", moment.mel, held.full_score, flac_bytes(moment.waveform, rate), found.map),
        Picture("kept", kept, held.kept_score, flac_bytes(sounds[0], rate)),
        Picture("removed", removed, held.removed_score, flac_bytes(sounds[1], rate)),
    ]
    shown = {key: v for key, v in measures.items() if v is not None and key != WALL_CLOCK}
    measured = [(MEASURES[key].title, number(value)) for key, value in shown.items()]
    chosen = f"{int(held.kept.sum())} of {held.kept.size} segments kept"
    return Answer(
        setting[0], f"{setting[1]}, {setting[2]}; {chosen}", pictures, held.curves.share,
        held.curves.deletion, held.curves.insertion, measured + _in_words(found.details),
        found.warnings,
    )  # fmt: skip


def _in_words(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The method's own figures as names and short texts."""
    said = []
    for name, value in details.items():
        if isinstance(value, bool):
            said.append((name, "yes" if value else "no"))
        elif isinstance(value, float):
            said.append((name, number(value)))
        elif isinstance(value, int):
            said.append((name, str(value)))
    return [(name.replace("_", " "), text) for name, text in said]


def asked_of(moment: Moment, explained: str, score: float, answers: Sequence[Answer],
             front_end: FrontEnd) -> Asked:  # fmt: skip
    """One excerpt as the page shows it."""
    whole = flac_bytes(moment.waveform, front_end.sample_rate)
    at = clock(moment.centre)
    return Asked(
        f"{moment.path.name} at {at}: {explained}",
        "The number under a picture is the classifier’s score: of the whole excerpt, of the "
        "kept segments alone and of the rest alone, the fill standing for what is missing. The "
        "sounds are the recording itself, filtered; kept and removed add up to the whole.",
        Picture("whole", moment.mel, score, whole),
        answers,
    )


def report_page(
    document: dict[str, Any],
    asked: Sequence[Asked],
    rows: Sequence[Sequence[str]],
    titles: Sequence[str],
    front_end: FrontEnd,
) -> str:
    """The whole page; `rows` of texts are the table, `titles` the measures in its columns.

    The wall clock is left out: the page of the same run is the same.
    """
    kept = [0, *(n for n, key in enumerate(titles, start=1) if key != WALL_CLOCK)]
    rows = [[row[n] for n in kept] for row in rows]
    titles = [key for key in titles if key != WALL_CLOCK]
    explained = sorted({entry["explained"] for entry in document["inputs"]})
    title = f"Why {' or '.join(explained)}?"
    if len(asked) == 1:
        title = f"Why {explained[0]} at {clock(document['inputs'][0]['at_s'])}?"
    story = Story(
        title,
        "Each method says which parts of the sound made the score; what it keeps and what it "
        "takes away can be heard, and what it says is held against the classifier itself.",
        asked,
        [("", ""), *((MEASURES[key].title, _meaning(key)) for key in titles)],
        rows,
        [
            ("classifier", document["classifier"]),
            ("SHA-256", document["classifier_hash"]),
            ("score", document["score"]),
            ("seed", str(document["seed"])),
        ],
    )
    scale = colour_scale(np.stack([a.whole.mel for a in asked]))
    return attribution_page(story, scale, front_end)


def _meaning(key: str) -> str:
    kind = MEASURES[key]
    return f"{kind.meaning} ({kind.better} is better)"
