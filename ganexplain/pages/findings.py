"""What controls and judges mean for the explanation: numbers to a sentence, by rules.

A control is compared with the chosen setting by up to three measures: the score that ranks, one
of the other kind (responses or features), and the judges' votes. By each it is worse, alike or
better; a sentence is said where all measures agree, another where they do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ganexplain.ascent.scores import SCORES
from ganexplain.pages.evidence import Control, Evidence, Figures, Judge
from ganexplain.pages.notation import number, percent

Standing = Literal["worse", "alike", "better"]
Interval = tuple[float, float]

ON_RESPONSES = ("fid_response", "wasserstein")
ON_FEATURES = ("kid", "fid_features")
NAMES = {
    "start": "Before the search",
    "held_out": "Held-out real excerpts",
    "input_ascent": "Search without the GAN",
    "reinitialised": "Re-initialised network",
}
# What follows where the control is worse than the explanation by every measure, by none, by some.
CONCLUSIONS = {
    "start": (
        "the search matters: unsearched sounds of the generator fall short",
        "the search added nothing that these measures show: do not read the examples as what the "
        "neuron asks for",
        "the search changed only part of what is measured: compare the two rows by ear",
    ),
    "held_out": (
        "the examples lie nearer to the top excerpts than real ones of other recordings do: past "
        "that line, nearer is no evidence of being more real",
        "a gap to real sound remains, or just closes: real excerpts of other recordings come at "
        "least as near",
        "the examples match real sound in part only: by some measures real excerpts of other "
        "recordings come nearer",
    ),
    "input_ascent": (
        "the generator is what keeps the examples like music: without it the neuron is driven by "
        "something else",
        "these measures do not need the generator: noise made for the neuron does as well, so "
        "trust your ears more than the scores",
        "driving the neuron alone is easy, with noise too: only the measures by which it fails "
        "speak for the examples",
    ),
    "reinitialised": (
        "this explanation shows what the classifier has learned",
        "this explanation shows the GAN, not the classifier",
        "part of what you hear is the GAN’s own: trust only what the re-initialised row lacks",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """One comparison: values of control and chosen setting in words, and how the control stands."""

    title: str
    control: str
    chosen: str
    standing: Standing


@dataclass(frozen=True)
class Finding:
    """What a control says: the comparisons, in words, and what follows from them."""

    name: str
    figures: str
    conclusion: str


def standing(control: Interval, chosen: Interval, better: str) -> Standing:
    """How a control stands by intervals of its value and the chosen one's; `better` low or high.

    Alike where the intervals touch, a cautious rule: two values may differ more surely than
    their intervals tell.
    """
    if control[0] <= chosen[1] and chosen[0] <= control[1]:
        return "alike"
    return "better" if (control[1] < chosen[0]) == (better == "low") else "worse"


def share_interval(share: float, examples: int) -> Interval:
    """The 95 % Wilson score interval of a share among `examples`."""
    from scipy.stats import binomtest

    found = binomtest(round(share * examples), examples).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def compare(control: Control, chosen: Figures, examples: int, by: str) -> list[Measure]:
    """The comparisons that both sets have numbers for; `examples` is N of the chosen setting."""
    ours, found = control.figures, []
    measured = [k for k in (by, *ON_RESPONSES, *ON_FEATURES) if k in ours.values]
    for kind in (ON_RESPONSES, ON_FEATURES):
        key = next((k for k in measured if k in kind and k in chosen.values), None)
        if key is None:
            continue
        ends = (_ends(ours, key), _ends(chosen, key))
        texts = (number(ours.values[key]), number(chosen.values[key]))
        found.append(Measure(SCORES[key].title, *texts, standing(*ends, SCORES[key].better)))
    if ours.votes is not None and chosen.votes is not None:
        ends = (
            share_interval(ours.votes, control.examples or examples),
            share_interval(chosen.votes, examples),
        )
        texts = (percent(ours.votes), percent(chosen.votes))
        found.append(Measure("judges’ votes", *texts, standing(*ends, "high")))
    return found


def _ends(figures: Figures, key: str) -> Interval:
    value = figures.values[key]
    return figures.intervals.get(key, (value, value))


def conclude(name: str, measures: Sequence[Measure]) -> str:
    """What follows from how a control stands; empty for an unknown one or without a measure."""
    if name not in CONCLUSIONS or not measures:
        return ""
    worse = [measure.standing == "worse" for measure in measures]
    all_worse, none_worse, mixed = CONCLUSIONS[name]
    return all_worse if all(worse) else mixed if any(worse) else none_worse


def findings(evidence: Evidence) -> dict[str, Finding]:
    """What each control of a selection says, in their usual order."""
    chosen, count = evidence.chosen.figures, evidence.made["response"].shape[1]
    controls = evidence.selection.controls
    told = {}
    for name in [*(n for n in NAMES if n in controls), *(n for n in controls if n not in NAMES)]:
        measures = compare(controls[name], chosen, count, evidence.selection.by)
        figures = ", ".join(
            f"{m.title} {m.control} against {m.chosen} ({m.standing})" for m in measures
        )
        told[name] = Finding(NAMES.get(name, name), figures, conclude(name, measures))
    return told


def judge_finding(judge: Judge, examples: int, real: int) -> str:
    """What a judge's votes on the chosen examples mean, beside those on the real excerpts."""
    if judge.agreement is None:
        return "was not asked about the chosen examples"
    if judge.real_agreement is None:
        return "real excerpts were not judged, so there is nothing to hold this against"
    ends = (share_interval(judge.agreement, examples), share_interval(judge.real_agreement, real))
    if standing(*ends, "high") != "worse":
        if judge.real_agreement < 0.5:
            return "hears it in few real excerpts either: this judge is of little use here"
        return (
            "hears it in the examples as it does in real excerpts: they convince a network that "
            "had no part in the search"
        )
    return (
        "hears it less often than in real excerpts: part of what drives the neuron is particular "
        "to the network explained"
    )
