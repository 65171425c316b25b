"""Conclusions from the controls of a selection, as sentences chosen by rules.

A control is compared with the chosen setting by up to four measures: one score of responses, one
of features, the density of real excerpts around its features, and the judges' votes. By each it is
worse, alike or better; the sentence depends on whether the measures agree. The re-initialised
network is compared by votes alone (`sanity_check`).
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ganexplain.artifacts.figures import Control, Figures, JudgeAgreement
from ganexplain.inputs.words import SOUND, Words
from ganexplain.metrics.scores import SCORES
from ganexplain.metrics.shares import Interval, share_difference
from ganexplain.report.html.notation import percent
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.sanity_check import (
    BY_VOTES,
    FEWEST,
    SILENT,
    UNCHECKED,
    Outcome,
    Votes,
    is_discerning,
    sanity_check,
)
from ganexplain.report.unit.sanity_check import CONCLUSIONS as CHECKED

Standing = Literal["worse", "alike", "better"]
ON_RESPONSES = ("fid_response", "wasserstein")
ON_FEATURES = ("fid_features", "kid")
ON_NEIGHBOURS = ("density",)
NAMES = {
    "fresh": "From fresh starts",
    "start": "Before the search",
    "held_out": "Other real {many}",
    "input_ascent": "Search without the GAN",
    "reinitialised": "Re-initialised network",
}
# Conclusions where the control is worse than the explanation by all measures; alike by all; better
# by some and worse by none; or worse by some only.
CONCLUSIONS: dict[str, dict[str, str]] = {
    "fresh": {
        "worse": "part of the chosen setting’s score is luck with its starts: from other starts "
        "it is worse",
        "alike": "the score of the chosen setting is not due to luck with its starts",
        "better": "the score of the chosen setting is not due to luck with its starts",
        "mixed": "from other starts the chosen setting is as good by some scores only: expect the "
        "scores of this row",
    },
    "start": {
        "worse": "the search matters: samples of the generator before the search are worse",
        "alike": "the search added nothing that can be measured: do not take the examples for "
        "what drives the neuron",
        "better": "the search led away from the real {many}: do not take the examples for what "
        "drives the neuron",
        "mixed": "the search changed only part of what is measured: compare the two rows by "
        "{sense}",
    },
    "held_out": {
        "worse": "the examples are nearer to the top {many} than real ones {elsewhere}: "
        "this does not show that they are more real",
        "alike": "the examples are as near to the top {many} as real ones {elsewhere}: "
        "nearer is not to be expected",
        "better": "a gap to {reality} remains: real {many} {elsewhere} are nearer",
        "mixed": "the examples match {reality} only in part: compare the two rows by {sense}",
    },
    "input_ascent": {
        "worse": "the generator keeps the examples like {alike}: noise made for the neuron is "
        "worse by all measures",
        "alike": "noise made for the neuron is as good by these measures: trust your {sense}s "
        "more than them",
        "better": "noise made for the neuron is better by these measures: trust your {sense}s "
        "more than them",
        "mixed": "the neuron is easy to drive, even with noise: such noise differs from the "
        "examples only by {worse}",
    },
}
# For the search without the GAN, where it is worse by some measures, responses among them.
DRIVES_LESS = "noise made for the neuron is worse than the examples by {worse}, not by all measures"
STRONGER = (
    "these do not show how near is near enough: they drive the neuron more than the real {many} of "
    "the split train, with which the examples are compared"
)
WITHOUT = (
    "this says little: both are compared with real {many} that do not contain what drives the "
    "neuron"
)
VOTES = "judges’ votes"
STANDINGS = {"worse": "worse by", "alike": "as good by", "better": "better by"}


@dataclass(frozen=True)
class Measure:
    """One comparison: its title, the values of control and chosen setting, and the outcome."""

    title: str
    control: float
    chosen: float
    standing: Standing


@dataclass(frozen=True)
class Finding:
    """The name of a control, its comparison in words and the conclusion."""

    name: str
    comparison: str
    conclusion: str


def standing(difference: Interval, better: str) -> Standing:
    """Classify the 95 % interval of a control's value minus that of the chosen setting.

    It is alike where the interval contains 0; `better` is low or high.
    """
    low, high = difference
    if low <= 0 <= high:
        return "alike"
    return "better" if (high < 0) == (better == "low") else "worse"


def scores_to_compare(by: str, available: Container[str]) -> list[str]:
    """Return one available score of each kind, `by` or else the first."""
    order = (by, *ON_RESPONSES, *ON_FEATURES, *ON_NEIGHBOURS)
    found = [
        next((key for key in order if key in kind and key in available), None)
        for kind in (ON_RESPONSES, ON_FEATURES, ON_NEIGHBOURS)
    ]
    return [key for key in found if key]


def compare(control: Control, chosen: Figures, examples: int, by: str) -> list[Measure]:
    """Compare a control with the chosen setting, which has N = `examples`, by all its measures."""
    ours, found = control.figures, []
    for key in scores_to_compare(by, ours.differences.keys() & chosen.values.keys()):
        outcome = standing(ours.differences[key], SCORES[key].better)
        found.append(Measure(SCORES[key].title, ours.values[key], chosen.values[key], outcome))
    if ours.votes is not None and chosen.votes is not None:
        apart = share_difference(ours.votes, control.examples or examples, chosen.votes, examples)
        found.append(Measure(VOTES, ours.votes, chosen.votes, standing(apart, "high")))
    return found


def conclude(
    name: str, measures: Sequence[Measure], words: Words = SOUND, examples: int = FEWEST
) -> str:
    """Return the conclusion from the measures of a control; empty for an unknown control.

    That nothing is apart says something of at least `FEWEST` examples only.
    """
    if name not in CONCLUSIONS or not measures:
        return ""
    found = {measure.standing for measure in measures}
    if found == {"worse"}:
        outcome = "worse"
    elif "worse" in found:
        outcome = "mixed"
    else:
        outcome = "better" if "better" in found else "alike"
    if outcome == "alike" and examples < FEWEST:
        return f"{examples} examples are too few to tell them apart: {FEWEST} are needed"
    worse = [measure.title for measure in measures if measure.standing == "worse"]
    text = CONCLUSIONS[name][outcome]
    if (name, outcome) == ("input_ascent", "mixed"):
        text = DRIVES_LESS if {SCORES[key].title for key in ON_RESPONSES} & set(worse) else text
    return words.fill(text, worse=_listed(worse))


def in_words(measures: Sequence[Measure]) -> str:
    """Return comparisons as a clause; votes are given with their numbers."""
    votes = [m for m in measures if m.title == VOTES]
    words_found = [f"{percent(m.control)} of {VOTES} against {percent(m.chosen)}" for m in votes]
    for outcome, words in STANDINGS.items():
        titles = [m.title for m in measures if m.standing == outcome]
        if titles:
            words_found.append(f"{words} {_listed(titles)}")
    return "; ".join(words_found)


def judge_label(judge: str) -> str:
    """Return a judge's name on the page."""
    return judge if "judge" in judge.lower() else f"judge {judge}"


def _listed(names: Sequence[str]) -> str:
    """Join names as "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def findings(evidence: Evidence) -> dict[str, Finding]:
    """Return the finding of each control of a selection, in the order of `NAMES`."""
    chosen, count = evidence.chosen.figures, evidence.made["response"].shape[1]
    controls = evidence.selection.controls
    found = {}
    for name in [*(n for n in NAMES if n in controls), *(n for n in controls if n not in NAMES)]:
        measures = compare(controls[name], chosen, count, evidence.selection.by)
        if name == "reinitialised":
            measures = [measure for measure in measures if measure.title == VOTES]
            conclusion = sanity_conclusion(evidence, controls[name])
        else:
            conclusion = conclude(name, measures, evidence.words, count)
            if conclusion and name == "held_out" and evidence.held_out_is_stronger:
                conclusion = evidence.words.fill(STRONGER)
            if conclusion and evidence.absence:
                conclusion = evidence.words.fill(WITHOUT)
        found[name] = Finding(control_name(name, evidence.words), in_words(measures), conclusion)
    return found


def sanity_conclusion(evidence: Evidence, control: Control) -> str:
    """Return the conclusion from the judges' votes on the re-initialised network's examples.

    If they decide nothing, a unit that hardly responds to real excerpts decides.
    """
    examples, real = evidence.made["response"].shape[1], len(evidence.real["response"])
    judges = evidence.selection.judges
    votes = {name: _votes(j, control.figures.judges.get(name)) for name, j in judges.items()}
    discerning = {n: each for n, each in votes.items() if each and is_discerning(*each[2:])}
    outcome: Outcome = "unjudged"
    found = Votes(0, 0, 0, 0)
    if discerning:
        found = Votes(*(sum(s) / len(s) for s in zip(*discerning.values(), strict=True)))
        named = bool(evidence.meta.class_name)
        outcome = sanity_check(named, found, examples, control.examples or examples, real)
    if outcome in SILENT and evidence.selection.weakness:
        outcome = "unmoved"
    elif outcome in (*SILENT, "unrelated") and evidence.absence:
        outcome = "absent"
    strong, weak = percent(found.strong), percent(found.weak)
    missing = "" if evidence.upwards else " missing"  # judges are asked for any other class
    shares = {"strong": strong, "weak": weak, "share": "none" if evidence.upwards else "all"}
    text = evidence.words.fill(
        CHECKED[outcome], **shares, missing=missing, examples=examples, real=real
    )
    if outcome in BY_VOTES:
        text += _basis({name: judges[name] for name in discerning}, evidence.words)
    return text


def _basis(judges: Mapping[str, JudgeAgreement], words: Words) -> str:
    """Return whose votes decided, and which of these judges may share the network's mistakes."""
    met = [judge_label(name) for name, judge in judges.items() if judge.same_corpora]
    text = f" (by the votes of {_listed([judge_label(name) for name in judges])}"
    trained = f"trained on the same {words.sources} as the classifier"
    if met:
        text += f", {trained}" if len(met) == len(judges) else f"; {trained}: {_listed(met)}"
    return text + ")"


def verdict(evidence: Evidence) -> str:
    """Return the conclusion of the page: that of the re-initialised network, or why there is none.

    It is no sentence yet: without a capital and a full stop.
    """
    finding = findings(evidence).get("reinitialised")
    return finding.conclusion if finding and finding.conclusion else UNCHECKED


def _votes(judge: JudgeAgreement, control: float | None) -> Votes | None:
    chosen, strong, weak = judge.agreement, judge.real_agreement, judge.weak_agreement
    if chosen is None or control is None or strong is None or weak is None:
        return None
    return Votes(chosen, control, strong, weak)


def control_name(name: str, words: Words) -> str:
    """Return the name of a control on the page."""
    return words.fill(NAMES.get(name, name))
