"""Conclusions from a judge's votes, and reasons to doubt them."""

from __future__ import annotations

from ganexplain.artifacts.figures import JudgeAgreement
from ganexplain.inputs.words import SOUND, Words
from ganexplain.metrics.shares import share_difference
from ganexplain.report.html.notation import number, percent
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.findings import standing
from ganexplain.report.unit.sanity_check import is_discerning

AGREES = 0.9  # AUROC from which a judge agrees with the explained network
TOO_FEW = 0.25  # lower share of votes that too few examples do not tell from an equal one


def judge_finding(judge: JudgeAgreement, examples: int, real: int, words: Words = SOUND) -> str:
    """Return the conclusion from a judge's votes on the chosen examples and on real excerpts."""
    if judge.agreement is None:
        return "was not asked about the chosen examples"
    if judge.real_agreement is None:
        return f"real {words.many} were not judged, so there is nothing to compare this with"
    apart = share_difference(judge.agreement, examples, judge.real_agreement, real)
    if standing(apart, "high") != "worse":
        if judge.real_agreement < 0.5:
            return (
                f"{words.perceives} it in few real {words.many} either: its votes say little of "
                "the examples"
            )
        if apart[0] < -TOO_FEW:
            shares = (
                f"{percent(judge.agreement)} of the examples and {percent(judge.real_agreement)}"
            )
            return (
                f"{words.perceives} it in {shares} of the real {words.many}: {min(examples, real)} "
                "are too few to tell whether it is less often "
                f"(by up to {-100 * apart[0]:.0f} percentage points)"
            )
        return (
            f"{words.perceives} it in the examples as it does in real {words.many}: they convince "
            "a network that had no part in the search"
        )
    return (
        f"{words.perceives} it less often than in real {words.many}: part of what drives the "
        "neuron is particular to the network explained"
    )


def doubts(name: str, evidence: Evidence) -> list[str]:
    """Return reasons to doubt that the votes of a judge are independent and discerning."""
    judge, words = evidence.selection.judges[name], evidence.words
    strong, weak = judge.real_agreement, judge.weak_agreement
    found = []
    alike = strong is not None and weak is not None and not is_discerning(strong, weak)
    if alike and weak is not None and not evidence.absence:
        found.append(
            f"Real {words.many} that drive the neuron least get {percent(weak)} of its votes too: "
            "it does not tell the two apart."
        )
    fooled = []
    noise, worst = (
        evidence.selection.controls.get("input_ascent"),
        evidence.scores[evidence.order[-1]],
    )
    for label, figures, least in (
        ("noise made for the neuron", noise.figures if noise else None, strong),
        ("the worst setting", None if worst is evidence.chosen else worst.figures, judge.agreement),
    ):
        share = figures.judges.get(name) if figures else None
        if share is not None and least is not None and share >= least > 0:
            fooled.append(f"{label} ({percent(share)})")
    if fooled:
        found.append(
            f"It votes no less for {' and '.join(fooled)}: a vote says that it "
            f"{words.perceives} the class, not that an example is like a real one."
        )
    if judge.same_corpora:
        found.append(
            f"It was trained on the same {words.sources} as the network explained, and may share "
            "its mistakes."
        )
    if judge.sample_agreement is not None and judge.sample_agreement >= AGREES:
        found.append(
            "On samples of the generator it agrees with the network explained (AUROC "
            f"{number(judge.sample_agreement)})."
        )
    return found
