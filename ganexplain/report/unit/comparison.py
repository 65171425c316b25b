"""The tables of controls and of judges, with conclusions about the chosen setting."""

from __future__ import annotations

from collections.abc import Mapping

from ganexplain.artifacts.figures import Figures
from ganexplain.metrics.scores import SCORES
from ganexplain.metrics.shares import exact_interval
from ganexplain.report.html.markup import Child, Markup, element
from ganexplain.report.html.notation import capitalise, interval, number, percent, spread
from ganexplain.report.html.wide_table import Line, wide_table
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.findings import (
    NAMES,
    control_name,
    findings,
    judge_label,
    scores_to_compare,
)
from ganexplain.report.unit.judge_findings import doubts, judge_finding
from ganexplain.report.unit.rows import mean_and_deviation

DASH = "\N{EN DASH}"
MEANS = "What it means"


def controls_table(evidence: Evidence) -> Markup | None:
    """Return the table of chosen setting, real excerpts and controls; None without controls."""
    controls, chosen = evidence.selection.controls, evidence.chosen
    if not controls:
        return None
    keys, judged = _columns(evidence), bool(evidence.selection.judges)
    heads = ["", "Response", *(SCORES[key].title for key in keys)]
    heads += ["Judges’ votes", MEANS] if judged else [MEANS]

    def line(name: str, figures: Figures, note: Child) -> Line:
        cells: list[Child] = [_response(figures), *(_cell(figures, key) for key in keys)]
        return name, [*cells, *([_share(figures.votes)] if judged else []), note]

    lines = [
        line("Chosen setting", chosen.figures, "what this page explains the neuron with"),
        line(
            f"Real {evidence.words.many}",
            _real_figures(evidence),
            "what the examples are compared with",
        ),
    ]
    for name, finding in findings(evidence).items():
        note: list[Child] = [element("span", controls[name].meaning, class_="detail")]
        if finding.conclusion:
            note.append(f"{capitalise(finding.comparison)}; so {finding.conclusion}.")
        lines.append(line(finding.name, controls[name].figures, note))
    return wide_table(heads, lines)


def _real_figures(evidence: Evidence) -> Figures:
    """Return responses and votes of the real excerpts, which have no distance to themselves."""
    mean, deviation = mean_and_deviation(evidence.real["response"])
    judges = evidence.selection.judges.items()
    votes = {name: j.real_agreement for name, j in judges if j.real_agreement is not None}
    return Figures({"mean_response": mean, "std_response": deviation}, judges=votes)


def _columns(evidence: Evidence) -> list[str]:
    """Return one score of each kind, the one that ranks first."""
    by = evidence.selection.by
    keys = scores_to_compare(by, evidence.chosen.figures.values)
    return sorted(keys, key=lambda key: key != by)


def _cell(figures: Figures, key: str) -> Child:
    if key not in figures.values:
        return DASH
    ends = figures.interval(key)
    more: Child = element("span", interval(ends), class_="detail") if ends else ""
    return element("span", number(figures.values[key]), " ", more)


def _response(figures: Figures) -> str:
    values = figures.values
    if "mean_response" not in values:
        return DASH
    return spread(values["mean_response"], values.get("std_response", 0.0))


def judges_table(evidence: Evidence) -> Markup | None:
    """Return the table of the judges' votes on each set of examples; None without judges."""
    judges, controls = evidence.selection.judges, evidence.selection.controls
    if not judges:
        return None
    shown = [n for n in (*NAMES, *controls) if n in controls and controls[n].figures.judges]
    shown = list(dict.fromkeys(shown))
    examples, real = evidence.made["response"].shape[1], len(evidence.real["response"])
    words = evidence.words
    heads = ["", words.looks_for, "Chosen setting", f"Real {words.many}"]
    heads += [control_name(name, words) for name in shown]
    lines: list[Line] = []
    for name, judge in judges.items():
        shares = [(judge.agreement, examples), (judge.real_agreement, real)]
        for control in (controls[n] for n in shown):
            shares.append((control.figures.judges.get(name), control.examples or examples))
        cells: list[Child] = [judge.class_name or DASH, *(_votes(*each) for each in shares)]
        finding = capitalise(judge_finding(judge, examples, real, words)) + "."
        cells.append(" ".join([finding, *doubts(name, evidence)]))
        lines.append((judge_label(name), cells))
    return wide_table([*heads, MEANS], lines)


def judge_files(evidence: Evidence) -> Mapping[str, Child]:
    """Return path and hash of the file of each judge, for the provenance."""
    return {
        judge_label(name): [judge.path or "unnamed", element("code", f"sha256 {judge.sha256}")]
        for name, judge in evidence.selection.judges.items()
    }


def _votes(share: float | None, examples: int) -> Child:
    """A share of votes with its exact 95 % interval."""
    if share is None:
        return DASH
    low, high = (f"{100 * end:.0f}" for end in exact_interval(share, examples))
    more = element("span", f"{low} to {high}", class_="detail")
    return element("span", percent(share), " ", more)


def _share(share: float | None) -> str:
    return DASH if share is None else percent(share)
