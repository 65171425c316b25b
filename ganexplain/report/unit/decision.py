"""What a page says of the part that the decision has in a unit's responses."""

from __future__ import annotations

import numpy as np

from ganexplain.metrics.sharing import ALIKE, Sharing
from ganexplain.report.html.markup import Child, element
from ganexplain.report.html.notation import number, signed
from ganexplain.report.unit.evidence import Evidence

MOST_NAMED = 8
MOSTLY = 0.8  # share from which a search without --beyond draws the class rather than the unit


def decision_lines(evidence: Evidence) -> list[tuple[str, Child]]:
    """Return the lines of the answer on outputs and on units that say the same."""
    lines: list[tuple[str, Child]] = []
    if evidence.sharing:
        lines.append(("The decision", _explained(evidence, evidence.sharing)))
        if evidence.sharing.alike:
            lines.append(("Neurons that respond alike", _alike(evidence, evidence.sharing)))
    if "fixed_outputs" in evidence.made:
        lines.append(("Outputs", _fixed_outputs(evidence)))
    return lines


def _explained(evidence: Evidence, sharing: Sharing) -> Child:
    if sharing.is_all:
        return (
            "the neuron is an output of the network, or a function of its outputs: what drives it "
            "is what decides"
        )
    text = (
        f" of the variance of the response over {sharing.excerpts:,} real {evidence.words.many} "
        "is fitted by a weighted sum of the outputs of the network, their squares and cubes"
    )
    if sharing.numbers:
        text += f" (as many as the {evidence.words.many} can fit: {_counted(sharing.numbers)})"
    if sharing.explained >= MOSTLY and not evidence.meta.beyond:
        text += (
            ": most of what drives the neuron is what drives the decision; explain --beyond output "
            "searches for the rest"
        )
    return [element("strong", f"{100 * sharing.explained:.1f} %"), text]


def _counted(numbers: int) -> str:
    return f"{numbers} number" + "s" * (numbers > 1)


def _alike(evidence: Evidence, sharing: Sharing) -> str:
    layer, shown = evidence.meta.unit.layer, list(sharing.alike.items())[:MOST_NAMED]
    names = ", ".join(f"{layer}:{unit} ({signed(value)})" for unit, value in shown)
    left = len(sharing.alike) - len(shown)
    more = f" and {left} more" if left else ""
    return f"{names}{more}: correlation of at least {ALIKE:g} in size over the real excerpts"


def _fixed_outputs(evidence: Evidence) -> Child:
    made = evidence.made
    change = np.abs(
        made["fixed_outputs"][evidence.selection.chosen] - made["start_fixed_outputs"]
    ).astype(np.float64)
    return [
        element("strong", "fixed"),
        f": each search left the outputs of the network as they were at its start, so the examples "
        f"show what the neuron hears besides the decision. They moved by {number(change.mean())} "
        f"on average and by {number(change.max())} at most, in standard deviations over the "
        "generator’s samples",
    ]
