"""The words and figures of the report: evidence and sounds to a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ganexplain.pages.charts import norm_chart, response_chart, strip_chart
from ganexplain.pages.comparison import controls_table, judges_table
from ganexplain.pages.document import Page, Section, Table
from ganexplain.pages.evidence import Evidence
from ganexplain.pages.grid import grid_of
from ganexplain.pages.markup import Child, element
from ganexplain.pages.notation import interval, number, signed, spread
from ganexplain.pages.rows import moments, shown_rows
from ganexplain.pages.spectrograms import ColourScale, colour_scale


def tell(
    evidence: Evidence,
    sounds: Mapping[str, np.ndarray],
    heard: Mapping[int, np.ndarray],
    provenance: Sequence[Table],
) -> Page:
    """The page for `evidence`.

    `sounds` are waveforms (n, samples) of each of its shown rows, `heard` of the first examples
    of settings of the grid.
    """
    scale = colour_scale(evidence.real["mel"])
    rows = shown_rows(evidence, sounds)
    return Page(
        title=title(evidence),
        guide=_guide(evidence),
        warnings=evidence.selection.warnings,
        answer=_answer(evidence),
        responses=strip_chart(evidence),
        scale=scale,
        scale_note=_scale_note(evidence, scale),
        front_end=evidence.front_end,
        compared=[rows.pop("real"), rows.pop("chosen")],
        others=list(rows.values()),
        others_note="To hold this against: where the same seeds began, what other ways to make or "
        "find sounds give, and what other settings of the grid made of the same seeds.",
        comparisons=_comparisons(evidence),
        grid=grid_of(evidence, heard),
        search=[response_chart(evidence), norm_chart(evidence)],
        provenance=provenance,
    )


def title(evidence: Evidence) -> str:
    """The question that the page answers."""
    meta = evidence.meta
    unit = f" ({meta['unit']})" if meta.get("unit") else ""
    way = "upwards" if evidence.upwards else "downwards"
    return f"What drives {meta['layer']}, neuron {meta['neuron']}{unit}, {way}"


def _guide(evidence: Evidence) -> str:
    drive, most = ("raise", "highest") if evidence.upwards else ("lower", "lowest")
    return (
        f"A generator of sound excerpts was searched for those that {drive} the neuron’s response; "
        f"see and hear below what they share with the real excerpts that have the {most} "
        "responses, and what they lack before the search."
    )


def _answer(evidence: Evidence) -> list[tuple[str, Child]]:
    chosen = evidence.chosen
    real, start = evidence.real["response"], evidence.made["start_response"]
    return [
        ("Chosen setting", element("strong", chosen.setting)),
        ("Why this one", [element("strong", _scored(evidence)), _reason(evidence)]),
        ("Response", [
            element("strong", spread(chosen.mean_response, chosen.std_response)),
            f" generated, against {spread(*moments(real))} real and "
            f"{spread(*moments(start))} before the search (mean ± standard deviation)",
        ]),
    ]  # fmt: skip


def _scored(evidence: Evidence) -> str:
    figures, key = evidence.chosen.figures, evidence.selection.by
    ends = figures.intervals.get(key)
    more = f" (95 % interval {interval(ends)})" if ends else ""
    return f"{evidence.kind.title} {number(figures.values[key])}{more}"


def _reason(evidence: Evidence) -> str:
    """Why this setting was chosen: the score, and how ties were decided."""
    kind, count = evidence.kind, len(evidence.scores)
    word = "highest" if evidence.upwards else "lowest"
    what = (
        f": {kind.meaning}, held against the {len(evidence.real['response'])} real excerpts with "
        f"the {word} responses. "
    )
    tied = sum(score.tied for score in evidence.scores if score is not evidence.chosen)
    if evidence.chosen.rank == 1:
        place = f"The {'smallest' if kind.better == 'low' else 'largest'} of {count} settings"
        place += f"; {_counted(tied)} tied with it. " if tied else ". "
    else:
        best = evidence.scores[evidence.order[0]]
        place = (
            f"Rank {evidence.chosen.rank} of {count} settings, but tied with the first "
            f"({best.setting}: {number(best.figures.values[kind.key])}): of what cannot be told "
            "apart, the least optimised was taken. "
        )
    rule = evidence.selection.tie_rule if tied else ""
    return what + place + (f"Ties: {rule}." if rule and not rule.endswith(".") else rule)


def _counted(tied: int) -> str:
    return "1 other is" if tied == 1 else f"{tied} others are"


def _scale_note(evidence: Evidence, scale: ColourScale) -> str:
    return (
        f"natural logarithm of mel magnitude, 1 nat = 8.7 dB; from the {len(evidence.real['mel'])} "
        f"real excerpts: their 1st percentile (at most 10 nat down) to their maximum, "
        f"{signed(scale.low, 0)} to {signed(scale.high, 0)}"
    )


def _comparisons(evidence: Evidence) -> list[Section]:
    """The tables of controls and judges, where there are any."""
    controls, judges = controls_table(evidence), judges_table(evidence)
    sections = []
    if controls:
        note = (
            "Each control is a set of sounds that should do worse than the explanation if the "
            "explanation is to be believed. “Alike” means that the 95 % intervals touch; smaller "
            "intervals, from more examples, can tell more."
        )
        sections.append(Section("controls", "Is it the neuron that speaks?", note, controls))
    if judges:
        note = (
            "A judge is another network that had no part in the search. The shares are of examples "
            "of which it says what was asked for."
        )
        sections.append(Section("judges", "What other networks hear", note, judges))
    return sections
