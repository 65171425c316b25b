"""Tables on stdout fit the terminal, and say what they left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.report_artifacts import Artifacts

from ganexplain.artifacts.selection import Selection
from ganexplain.files.fields import Fields
from ganexplain.report.tables import chosen_table, fitted, ranking_table


@pytest.fixture
def selection(tmp_path: Path) -> Selection:
    document = {**Artifacts(tmp_path).complete().selection, "by": "kid"}
    return Selection.from_json(Fields("selection.json: ", document))


def lines_of_table(text: str) -> list[str]:
    return [line for line in text.splitlines() if "left out" not in line]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_the_ranking_is_no_wider_than_asked(selection: Selection, width: int) -> None:
    text = ranking_table(selection, width)
    assert max(map(len, text.splitlines())) <= width
    head = text.splitlines()[0]
    for title in ("rank", "learning rate", "prior weight", "iterations", "KID", "judge judge"):
        assert title in head  # of `--by kid` its column stays
    left_out = " ".join(text[text.find("left out") :].split()) if "left out" in text else ""
    for title in ("coverage", "density", "shell distance", "FID features", "std"):
        assert (title in head) != (title in left_out)
    assert ("selection.json has all" in left_out) == (width < 200)


def test_without_a_width_all_columns_are_there(selection: Selection) -> None:
    assert len(ranking_table(selection).splitlines()[0]) > 120
    assert "left out" not in ranking_table(selection)


def test_warnings_are_below_the_table(selection: Selection) -> None:
    (warning,) = selection.warnings
    assert ranking_table(selection).splitlines()[-1] == warning


def test_units_beside_each_other_fit_too(selection: Selection) -> None:
    text = chosen_table([selection, replace(selection, neuron=1)], 90)
    assert max(map(len, lines_of_table(text))) <= 90


def test_no_more_columns_are_left_out_than_must_be() -> None:
    table = [["layer", "std", "coverage", "response"], ["x", "1", "2", "3"]]
    assert fitted(table, 30) == (
        "layer  std  coverage  response\n    x    1         2         3",
        [],
    )
    text, note = fitted(table, 29)
    assert text.splitlines()[0] == "layer  coverage  response" and "std;" in note[0]
    assert fitted(table, 5, kept="response")[0].splitlines()[0] == "layer  response"
