"""What a page says of how examples reach the unit: their path, and what they do to real ones."""

from __future__ import annotations

from ganexplain.metrics.transfer import GENERATED_ALONE
from ganexplain.report.html.markup import Child, element
from ganexplain.report.html.notation import number
from ganexplain.report.unit.evidence import Evidence

KEY = "path_similarity"
PATH = (
    ": how alike generated and real {many} are in the layers before the neuron (1: as the "
    "strongest real ones to one another, 0: as random ones"
)
COMPARED = {
    "held_out": "real {many} {elsewhere} have",
    "start": "samples of the generator before the search have",
}
TRANSFER = (
    " of what the search gained is also gained if the same changes are made to random real "
    "{many}: near 100 % the changes also work in {reality}"
)
ALONE = (
    ". What the search found may excite the neuron in generated {many} alone, as in networks that "
    "were altered to mislead. This says little about a neuron that responds to smooth or quiet "
    "{many}: adding a change makes none smooth or quiet"
)


def path_lines(evidence: Evidence) -> list[tuple[str, Child]]:
    """Return the lines of the answer on the path and on real inputs, where they were measured."""
    return [*_path(evidence), *_transfer(evidence)]


def _path(evidence: Evidence) -> list[tuple[str, Child]]:
    similarity = evidence.chosen.figures.values.get(KEY)
    if similarity is None:
        return []
    controls = evidence.selection.controls
    values = {n: controls[n].figures.values.get(KEY) for n in COMPARED if n in controls}
    compared = [
        f"; {COMPARED[n]} {number(value)}" for n, value in values.items() if value is not None
    ]
    text = evidence.words.fill(f"{PATH}{''.join(compared)})")
    return [("Path", [element("strong", number(similarity)), text])]


def _transfer(evidence: Evidence) -> list[tuple[str, Child]]:
    share = evidence.selection.transfer
    if share is None:
        return []
    text = evidence.words.fill(TRANSFER + ALONE * (share < GENERATED_ALONE))
    return [("On real ones", [element("strong", f"{100 * share:.0f} %"), text])]
