"""What controls and judges mean for the explanation: numbers to a sentence, by rules.

A control is compared with the chosen setting by up to three measures: the score that ranks, one
of the other kind (responses or features), and the judges' votes. By each it is worse, alike or
better; a sentence is said where all measures agree, another where they do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ganexplain.ascent.scores import SCORES
from ganexplain.pages.evidence import Control, Evidence, Figures, Judge
from ganexplain.pages.notation import percent
from ganexplain.pages.words import SOUND, Words

Standing = Literal["worse", "alike", "better"]
Interval = tuple[float, float]

ON_RESPONSES = ("fid_response", "wasserstein")
ON_FEATURES = ("kid", "fid_features")
NAMES = {
    "start": "Before the search",
    "held_out": "Held-out real {many}",
    "input_ascent": "Search without the GAN",
    "reinitialised": "Re-initialised network",
}
# What follows where the control is worse than the explanation by every measure, alike by every
# one, never worse and somewhere better, or worse by some alone.
CONCLUSIONS: dict[str, dict[str, str]] = {
    "start": {
        "worse": "the search matters: unsearched {many} of the generator fall short",
        "alike": "the search added nothing that can be measured: do not take the examples for "
        "what the neuron asks for",
        "better": "the search led away from the real {many}: do not take the examples for what "
        "the neuron asks for",
        "mixed": "the search changed only part of what is measured: compare the two rows by "
        "{sense}",
    },
    "held_out": {
        "worse": "the examples lie nearer to the top {many} than real ones {elsewhere} "
        "do: nearer than that is no evidence of being more real",
        "alike": "the examples come as near to the top {many} as real ones {elsewhere}: "
        "as near as one can ask",
        "better": "a gap to {reality} remains: real {many} {elsewhere} come nearer",
        "mixed": "the examples match {reality} in part only: compare the two rows by {sense}",
    },
    "input_ascent": {
        "worse": "the generator is what keeps the examples like {alike}: without it something "
        "else drives the neuron as well",
        "alike": "noise made for the neuron does as well by these measures: trust your {sense}s "
        "more than them",
        "better": "noise made for the neuron does better by these measures: trust your {sense}s "
        "more than them",
        "mixed": "to drive the neuron is easy, with noise too: only where this control fails do "
        "the measures speak for the examples",
    },
    "reinitialised": {
        "worse": "this explanation shows what the classifier has learned",
        "alike": "this explanation shows the GAN, not the classifier",
        "better": "this explanation shows the GAN, not the classifier",
        "mixed": "part of what you {perceive} is the GAN’s own: trust only what the re-initialised "
        "row lacks",
    },
}
VOTES = "judges’ votes"
STANDINGS = {"worse": "worse by", "alike": "as good by", "better": "better by"}


@dataclass(frozen=True)
class Measure:
    """One comparison: what is compared, the values of control and chosen setting, the outcome."""

    title: str
    control: float
    chosen: float
    standing: Standing


@dataclass(frozen=True)
class Finding:
    """What a control says: how it compares, in words, and what follows from that."""

    name: str
    comparison: str
    conclusion: str


def standing(difference: Interval, better: str) -> Standing:
    """How a control stands, by the 95 % interval of its value minus the chosen setting's.

    Alike where the interval contains 0; `better` is low or high.
    """
    low, high = difference
    if low <= 0 <= high:
        return "alike"
    return "better" if (high < 0) == (better == "low") else "worse"


def share_interval(share: float, examples: int) -> Interval:
    """The 95 % Wilson score interval of a share among `examples`."""
    from scipy.stats import binomtest

    found = binomtest(round(share * examples), examples).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def share_difference(first: float, count: int, second: float, other: int) -> Interval:
    """The 95 % interval of a share among `count` minus one among `other` (Newcombe 1998, no. 10).

    From the Wilson intervals of both, which also hold for shares of 0 and 1.
    """
    (low, high), (least, most) = share_interval(first, count), share_interval(second, other)
    apart = first - second
    return (
        apart - math.hypot(first - low, most - second),
        apart + math.hypot(high - first, second - least),
    )


def compare(control: Control, chosen: Figures, examples: int, by: str) -> list[Measure]:
    """The comparisons that there are differences for; `examples` is N of the chosen setting."""
    ours, found = control.figures, []
    measured = [k for k in (by, *ON_RESPONSES, *ON_FEATURES) if k in ours.differences]
    for kind in (ON_RESPONSES, ON_FEATURES):
        key = next((k for k in measured if k in kind and k in chosen.values), None)
        if key is None:
            continue
        stands = standing(ours.differences[key], SCORES[key].better)
        found.append(Measure(SCORES[key].title, ours.values[key], chosen.values[key], stands))
    if ours.votes is not None and chosen.votes is not None:
        apart = share_difference(ours.votes, control.examples or examples, chosen.votes, examples)
        found.append(Measure(VOTES, ours.votes, chosen.votes, standing(apart, "high")))
    return found


def conclude(name: str, measures: Sequence[Measure], words: Words = SOUND) -> str:
    """What follows from how a control stands; empty for an unknown one or without a measure."""
    if name not in CONCLUSIONS or not measures:
        return ""
    found = {measure.standing for measure in measures}
    if found == {"worse"}:
        outcome = "worse"
    elif "worse" in found:
        outcome = "mixed"
    else:
        outcome = "better" if "better" in found else "alike"
    return words.fill(CONCLUSIONS[name][outcome])


def in_words(measures: Sequence[Measure]) -> str:
    """Comparisons as a clause, the votes with their numbers: they read by themselves."""
    votes = [m for m in measures if m.title == VOTES]
    told = [f"{percent(m.control)} of {VOTES} against {percent(m.chosen)}" for m in votes]
    for outcome, words in STANDINGS.items():
        titles = [m.title for m in measures if m.standing == outcome]
        if titles:
            told.append(
                f"{words} {' and '.join(filter(None, [', '.join(titles[:-1]), titles[-1]]))}"
            )
    return "; ".join(told)


def findings(evidence: Evidence) -> dict[str, Finding]:
    """What each control of a selection says, in their usual order."""
    chosen, count = evidence.chosen.figures, evidence.made["response"].shape[1]
    controls = evidence.selection.controls
    told = {}
    for name in [*(n for n in NAMES if n in controls), *(n for n in controls if n not in NAMES)]:
        measures = compare(controls[name], chosen, count, evidence.selection.by)
        conclusion = conclude(name, measures, evidence.words)
        told[name] = Finding(control_name(name, evidence.words), in_words(measures), conclusion)
    return told


def control_name(name: str, words: Words) -> str:
    """A control as the page has it."""
    return words.fill(NAMES.get(name, name))


def called(judge: str) -> str:
    """A judge's name as one reads it."""
    return judge if "judge" in judge.lower() else f"judge {judge}"


def judge_finding(judge: Judge, examples: int, real: int, words: Words = SOUND) -> str:
    """What a judge's votes on the chosen examples mean, beside those on the real excerpts."""
    if judge.agreement is None:
        return "was not asked about the chosen examples"
    if judge.real_agreement is None:
        return f"real {words.many} were not judged, so there is nothing to hold this against"
    apart = share_difference(judge.agreement, examples, judge.real_agreement, real)
    if standing(apart, "high") != "worse":
        if judge.real_agreement < 0.5:
            return (
                f"{words.perceives} it in few real {words.many} either: this judge is of little "
                "use here"
            )
        return (
            f"{words.perceives} it in the examples as it does in real {words.many}: they convince "
            "a network that had no part in the search"
        )
    return (
        f"{words.perceives} it less often than in real {words.many}: part of what drives the "
        "neuron is particular to the network explained"
    )
