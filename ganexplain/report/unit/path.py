"""What a page says of the path of the examples through the network."""

from __future__ import annotations

from ganexplain.metrics.path_similarity import ANOTHER_PATH
from ganexplain.report.html.markup import Child, element
from ganexplain.report.html.notation import number
from ganexplain.report.unit.evidence import Evidence

KEY = "path_similarity"
SAME = ": the generated {many} run through the layers before the neuron as real ones do"
OTHER = ": the generated {many} reach the neuron by another path through the network than real ones"
DOUBT = (
    ". They may not show what excites it in real {many}. In honest networks this happens too, "
    "above all in hidden layers: it is no proof that the network was altered to mislead"
)
COMPARED = {
    "held_out": "real {many} {elsewhere} have",
    "start": "samples of the generator before the search have",
}


def path_lines(evidence: Evidence) -> list[tuple[str, Child]]:
    """Return the line of the answer on the path; none where it was not measured."""
    similarity = evidence.chosen.figures.values.get(KEY)
    if similarity is None:
        return []
    controls = evidence.selection.controls
    values = {n: controls[n].figures.values.get(KEY) for n in COMPARED if n in controls}
    compared = [
        f"{COMPARED[n]} {number(value)}" for n, value in values.items() if value is not None
    ]
    scale = "; ".join(["1: as the strongest real ones, 0: as random ones", *compared])
    away = similarity < ANOTHER_PATH
    text = f"{OTHER if away else SAME} ({scale}){DOUBT * away}"
    return [("Path", [element("strong", number(similarity)), evidence.words.fill(text)])]
