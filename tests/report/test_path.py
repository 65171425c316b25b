"""A page's words on the path of the examples through the network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.report_artifacts import Artifacts


def page(folder: Path, similarity: float) -> str:
    """The texts of the page, without markup."""
    made = Artifacts(folder).complete()
    chosen = made.selection["configurations"][made.selection["chosen"]]
    chosen["path_similarity"] = similarity
    made.selection["controls"]["held_out"]["path_similarity"] = 0.8125
    made.selection["controls"]["start"]["path_similarity"] = -0.0625
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", made.report()))


@pytest.mark.parametrize(
    ("similarity", "words"),
    [
        (0.75, "the generated excerpts run through the layers before the neuron as real ones do"),
        (0.25, "the generated excerpts reach the neuron by another path through the network"),
    ],
)
def test_a_page_says_by_which_path_the_examples_reach_the_unit(
    tmp_path: Path, similarity: float, words: str
) -> None:
    text = page(tmp_path, similarity)
    assert f"{similarity}: {words}" in re.sub(r"(\d)0 ?:", r"\1:", text)
    assert "0: as random ones; real excerpts of other recordings have 0.812" in text
    assert ("altered to mislead" in text) == (similarity < 0.5)
