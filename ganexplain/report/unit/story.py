"""The content of the page of one unit, from evidence and sounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ganexplain.artifacts.prediction import NOT_HELD_OUT
from ganexplain.ascent.match import MATCH
from ganexplain.metrics.scores import SCORES
from ganexplain.report.html.markup import Child, element
from ganexplain.report.html.medium import medium_for
from ganexplain.report.html.notation import (
    capitalise,
    interval,
    number,
    ordinal,
    setting,
    signed,
    spread,
)
from ganexplain.report.unit.comparison import controls_table, judges_table
from ganexplain.report.unit.decision import decision_lines
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.findings import verdict
from ganexplain.report.unit.grid import build_grid
from ganexplain.report.unit.page import Page, Section, Table
from ganexplain.report.unit.path import path_lines
from ganexplain.report.unit.plots import norm_chart, response_chart, strip_chart
from ganexplain.report.unit.prediction_section import prediction_section
from ganexplain.report.unit.rows import mean_and_deviation, score_text, shown_rows
from ganexplain.report.unit.sanity_check import FEWEST

OTHERS = (
    "For comparison: the same seeds before the search, {many} from other methods, real ones of "
    "other splits, and the same seeds under other settings of the grid."
)


def build_page(
    evidence: Evidence,
    sounds: Mapping[str, np.ndarray],
    grid_sounds: Mapping[int, np.ndarray],
    provenance: Sequence[Table],
) -> Page:
    """Return the page for `evidence`.

    `sounds` are waveforms (n, samples) of its rows by name, `grid_sounds` those of settings of the
    grid by index; for pictures both are empty.
    """
    rows = shown_rows(evidence, sounds)
    return Page(
        title=title(evidence),
        guide=_guide(evidence),
        verdict=f"{capitalise(verdict(evidence))}.",
        warnings=_warnings(evidence),
        answer=_answer(evidence),
        responses=strip_chart(evidence),
        medium=medium_for(evidence.front_end, evidence.real["mel"]),
        words=evidence.words,
        playable=evidence.playable,
        compared=[rows.pop("real"), rows.pop("chosen")],
        others=list(rows.values()),
        others_note=evidence.words.fill(OTHERS),
        comparisons=_comparisons(evidence),
        grid=build_grid(evidence, grid_sounds),
        search=[response_chart(evidence), norm_chart(evidence)],
        provenance=provenance,
    )


def _warnings(evidence: Evidence) -> list[str]:
    """Those of the selection, too few examples or recordings, and what trained something."""
    notes = evidence.validation.notes if evidence.validation else ()
    met = [note for note in notes if note.endswith(NOT_HELD_OUT)]
    count, few = evidence.made["response"].shape[1], list[str]()
    if count < FEWEST:
        few.append(
            f"{count} examples are too few for a verdict, which needs {FEWEST}; give more "
            "--examples"
        )
    if evidence.front_end.sound_rate and len(set(map(str, evidence.real["file"]))) == 1:
        few.append(
            f"all real {evidence.words.many} are of one recording: what they share may be its own"
        )
    found = [*_undriven(evidence), *few, *evidence.selection.warnings, *met]
    if evidence.mixed_from:
        found.append(
            f"every generated {evidence.words.one} is a mixture of real ones of "
            f"{evidence.mixed_from}: the rights in these apply to it, too"
        )
    if absence := evidence.absence:  # before anything that is compared with real excerpts
        return [absence, *(text for text in found if text != absence)]
    return found


def _undriven(evidence: Evidence) -> list[str]:
    """Say so if the chosen examples have less than half of the way to real responses.

    A search beyond the outputs changes only part of the response, and is not measured by it.
    """
    real, start = (
        float(np.mean(responses, dtype=np.float64))
        for responses in (evidence.real["response"], evidence.made["start_response"])
    )
    made, sign = evidence.chosen.mean_response, 1 if evidence.upwards else -1
    if evidence.meta.beyond or sign * (made - start) >= sign * (real - start) / 2:
        return []
    return [
        f"the chosen setting hardly drives the neuron: a mean response of {signed(made)}, where "
        f"the search began at {signed(start)} and real {evidence.words.many} have {signed(real)}; "
        "give more --iterations or a higher --learning-rate"
    ]


def title(evidence: Evidence) -> str:
    """Return the question that the page answers."""
    meta = evidence.meta
    unit = f"{meta.unit.layer}, neuron {meta.unit.neuron}"
    name = f"“{meta.class_name}” ({unit})" if meta.class_name else unit
    way = "upwards" if evidence.upwards else "downwards"
    beyond = " beyond the decision" if meta.beyond else ""
    return f"What drives {name}, {way}{beyond}"


def _guide(evidence: Evidence) -> str:
    drive, words = "raise" if evidence.upwards else "lower", evidence.words
    if evidence.meta.objective == MATCH:
        wanted = f"whose activations in the network are like those of real {words.many}"
    else:
        wanted = f"that {drive} the neuron’s response"
    if evidence.meta.beyond:
        wanted += ", while the outputs of the network stay the same"
    searched = f"A generator of {words.generated} was searched"
    if evidence.mixed_from:
        searched = f"Mixtures of real {words.many} of {evidence.mixed_from} were searched"
    return (
        f"{searched} for those {wanted}; "
        f"{words.heading.lower()} below what they share with the real {words.many} that have the "
        f"{evidence.extreme}, and what samples before the search lack."
    )


def _answer(evidence: Evidence) -> list[tuple[str, Child]]:
    chosen = evidence.chosen
    real, start = evidence.real["response"], evidence.made["start_response"]
    ties = _ties(evidence)
    return [
        ("Chosen setting", element("strong", setting(chosen.setting))),
        ("Why this one", [element("strong", _scored(evidence)), _reason(evidence)]),
        *([("From fresh starts", fresh)] if (fresh := _fresh(evidence)) else []),
        *([("Ties", ties)] if ties else []),
        ("Response", [
            element("strong", spread(chosen.mean_response, chosen.std_response)),
            f" generated, against {spread(*mean_and_deviation(real))} real and "
            f"{spread(*mean_and_deviation(start))} before the search (mean ± standard deviation)",
        ]),
        *path_lines(evidence),
        *decision_lines(evidence),
    ]  # fmt: skip


def _scored(evidence: Evidence) -> str:
    figures, key = evidence.chosen.figures, evidence.selection.by
    ends = figures.interval(key)
    more = f" (95 % interval {interval(ends)})" if ends else ""
    return f"{evidence.kind.title} {number(figures.values[key])}{more}"


def _fresh(evidence: Evidence) -> str:
    """Return scores of the chosen setting on the fresh control; empty without it."""
    fresh = evidence.selection.controls.get("fresh")
    keys = (evidence.selection.by, "fid_response", "nearest_real")
    shown = [key for key in dict.fromkeys(keys) if fresh and key in fresh.figures.values]
    if not fresh or not shown:
        return ""
    scores = [f"{SCORES[key].title} {score_text(fresh.figures, key)}" for key in shown]
    return (
        f"{', '.join(scores)}: of {fresh.examples} examples of the same setting that had no part "
        "in choosing it"
    )


def _reason(evidence: Evidence) -> str:
    """Return the meaning of the score, and the rank of the chosen setting."""
    kind, count, rank = evidence.kind, len(evidence.scores), evidence.chosen.rank
    first = "smallest" if kind.better == "low" else "largest"
    place = f"the {first}" if rank == 1 else f"the {ordinal(rank)} {first}"
    return (
        f", {place} of {count} settings: {kind.meaning}, compared with the "
        f"{len(evidence.real['response'])} real {evidence.words.many} with the {evidence.extreme}"
    )


def _ties(evidence: Evidence) -> str:
    """Return how many settings are within one standard error of the best; empty if none."""
    others = [score for score in evidence.scores if score is not evidence.chosen]
    tied = sum(score.tied or score.rank == 1 for score in others)
    if not tied:
        return ""
    best = evidence.scores[evidence.order[0]]
    text = "1 other setting is" if tied == 1 else f"{tied} other settings are"
    text += " within one standard error of the best"
    if evidence.chosen is not best:
        value = number(best.figures.values[evidence.selection.by])
        text += f", among them the first of the ranking ({setting(best.setting)}: {value})"
    rule = evidence.selection.tie_rule.strip().rstrip(".")
    return f"{text}. {capitalise(rule)}." if rule else f"{text}."


def _comparisons(evidence: Evidence) -> list[Section]:
    """Return the tables of controls and judges, if there are any."""
    controls, judges, words = controls_table(evidence), judges_table(evidence), evidence.words
    sections = []
    if controls:
        note = (
            "The explanation is compared with these. Examples from before the search and from a "
            "search without the GAN should be worse; held-out real {many} show how near is near "
            "enough. “As good” means that the 95 % interval of the difference contains 0; more "
            "examples can show smaller differences. All numbers except the judges’ votes are from "
            "the explained network. The examples of the re-initialised network were not made for "
            "it, so only the judges’ votes on them count."
        )
        sections.append(
            Section(
                "controls",
                "Controls: does this show the neuron?",
                words.fill(note),
                controls,
            )
        )
    if section := prediction_section(evidence):
        sections.append(section)
    if judges:
        note = (
            "A judge is another network that had no part in the search. A number is the share of "
            "examples for which its answer is the wanted one, with an exact 95 % binomial interval."
        )
        sections.append(
            Section("judges", words.fill("Judges: what other networks {perceive}"), note, judges)
        )
    return sections
