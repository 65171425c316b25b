"""Controls and judges beside the chosen setting: one table each, with what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ganexplain.artifacts.figures import Figures
from ganexplain.metrics.scores import SCORES
from ganexplain.report.html.markup import Child, Markup, element
from ganexplain.report.html.notation import capitalised, interval, number, percent, spread
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.findings import (
    NAMES,
    ON_FEATURES,
    ON_NEIGHBOURS,
    ON_RESPONSES,
    control_name,
    findings,
)
from ganexplain.report.unit.judge_findings import called, doubts, judge_finding
from ganexplain.report.unit.rows import moments

DASH = "\N{EN DASH}"
MEANS = "What it means"
Line = tuple[str, Sequence[Child]]  # what the line is of, and its cells


def controls_table(evidence: Evidence) -> Markup | None:
    """Every control, the chosen setting and the real excerpts; None without controls."""
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
            "what the examples are held against",
        ),
    ]
    for name, finding in findings(evidence).items():
        note: list[Child] = [element("span", controls[name].meaning, class_="detail")]
        if finding.conclusion:
            note.append(f"{capitalised(finding.comparison)}; so {finding.conclusion}.")
        lines.append(line(finding.name, controls[name].figures, note))
    return _table(heads, lines)


def _real_figures(evidence: Evidence) -> Figures:
    """Responses and votes of the real excerpts; they have no distance to themselves."""
    mean, deviation = moments(evidence.real["response"])
    judges = evidence.selection.judges.items()
    votes = {name: j.real_agreement for name, j in judges if j.real_agreement is not None}
    return Figures({"mean_response": mean, "std_response": deviation}, judges=votes)


def _columns(evidence: Evidence) -> list[str]:
    """The score that ranks, the first one of the other kind that there is, and the density."""
    by = evidence.selection.by
    measured = (by, *ON_RESPONSES, *ON_FEATURES, *ON_NEIGHBOURS)
    present = [k for k in measured if k in evidence.chosen.figures.values]
    kinds: list[tuple[str, ...]] = [ON_RESPONSES, ON_FEATURES, ON_NEIGHBOURS]
    kinds.sort(key=lambda kind: by not in kind)  # stable
    return [next(k for k in present if k in kind) for kind in kinds if set(kind) & set(present)]


def _cell(figures: Figures, key: str) -> Child:
    if key not in figures.values:
        return DASH
    ends = figures.intervals.get(key)
    more: Child = element("span", interval(ends), class_="detail") if ends else ""
    return element("span", number(figures.values[key]), " ", more)


def _response(figures: Figures) -> str:
    values = figures.values
    if "mean_response" not in values:
        return DASH
    return spread(values["mean_response"], values.get("std_response", 0.0))


def judges_table(evidence: Evidence) -> Markup | None:
    """Every judge: its share of each set of examples; None without judges."""
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
        shares = [judge.agreement, judge.real_agreement]
        shares += [controls[n].figures.judges.get(name) for n in shown]
        cells: list[Child] = [judge.class_name or DASH, *map(_share, shares)]
        meant = [capitalised(judge_finding(judge, examples, real, words)) + "."]
        cells.append(" ".join([*meant, *doubts(name, evidence)]))
        lines.append((called(name), cells))
    return _table([*heads, MEANS], lines)


def judge_files(evidence: Evidence) -> Mapping[str, Child]:
    """Where each judge stood and the hash of its file, for the provenance."""
    return {
        called(name): [judge.path or "unnamed", element("code", f"sha256 {judge.sha256}")]
        for name, judge in evidence.selection.judges.items()
    }


def _share(share: float | None) -> str:
    return DASH if share is None else percent(share)


def _table(heads: Sequence[str], lines: Sequence[Line]) -> Markup:
    """A table whose cells know their column, so that a narrow page can set them as lists."""
    head = element("tr", [element("th", text, scope="col") for text in heads])
    body = [
        element(
            "tr",
            element("th", name, scope="row"),
            [
                element(
                    "td", cell, data_label=label, class_="means" if label == MEANS else "figure"
                )
                for label, cell in zip(heads[1:], cells, strict=True)
            ],
        )
        for name, cells in lines
    ]
    return element("table", element("thead", head), element("tbody", body), class_="wide")
