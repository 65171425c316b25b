"""A page's words on how the examples reach the unit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.report_artifacts import Artifacts


def page(folder: Path, similarity: float, transfer: float | None = None) -> str:
    """The texts of the page, without markup."""
    made = Artifacts(folder).complete()
    chosen = made.selection["configurations"][made.selection["chosen"]]
    chosen["path_similarity"] = similarity
    made.selection["transfer"] = transfer
    made.selection["controls"]["held_out"]["path_similarity"] = 0.8125
    made.selection["controls"]["start"]["path_similarity"] = -0.0625
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", made.report()))


def test_a_page_says_how_alike_the_paths_of_real_and_generated_examples_are(
    tmp_path: Path,
) -> None:
    text = page(tmp_path, 0.75)
    assert re.search("0.750?: how alike generated and real excerpts are in the layers", text)
    assert "0: as random ones; real excerpts of other recordings have 0.812" in text
    assert "is also gained" not in text


@pytest.mark.parametrize(("transfer", "shown", "alone"), [(0.6, 60, False), (-0.04, -4, True)])
def test_a_page_says_what_the_changes_of_the_search_do_to_real_examples(
    tmp_path: Path, transfer: float, shown: int, alone: bool
) -> None:
    text = page(tmp_path, 0.25, transfer)
    assert f"{shown} % of what the search gained is also gained" in text
    assert ("altered to mislead" in text) == alone
