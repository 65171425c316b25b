"""Tables on stdout fit the terminal, and say what they left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.report_artifacts import Artifacts

from ganexplain.artifacts.layers import Layer, NetworkLayers
from ganexplain.artifacts.selection import Selection
from ganexplain.files.fields import Fields
from ganexplain.report.tables import (
    RANKING,
    chosen_table,
    fitted,
    layers_table,
    measures_text,
    ranking_table,
)


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
    assert fitted(table, 30, RANKING) == (
        "layer  std  coverage  response\n    x    1         2         3",
        [],
    )
    text, note = fitted(table, 29, RANKING)
    assert text.splitlines()[0] == "layer  coverage  response" and "std;" in " ".join(note)
    assert fitted(table, 5, RANKING, kept="response")[0].splitlines()[0] == "layer  response"


def test_the_measures_of_an_attribution_keep_what_ranks_it() -> None:
    titles = "deletion insertion faithful drop increase gain removal flip complexity truth".split()
    table = [["", *titles, "in truth", "passes", "seconds"], ["lime, temporal:10, mean", *"123456"]]
    table[1] += [f"{value:.3g}" for value in (0.735, 0.87, 2000, 51.3, 1, 0, 0.1)]
    text = measures_text(table, 80)
    assert max(map(len, text.splitlines())) <= 80
    head = text.splitlines()[0].split()
    assert head == ["deletion", "insertion", "faithful", "drop", "removal", "truth"]
    assert "attributions.json has all" in " ".join(text.splitlines()[2:])
    assert measures_text(table, 200).splitlines()[0].split()[-1] == "seconds"


def test_a_layer_is_never_without_its_name_and_axes() -> None:
    name = "audio_spectrogram_transformer.encoder.layer.11.attention.query"
    layer = Layer(name, "Linear", 768, (146,), 590_592, "frames 146 x units 768")
    text = layers_table(NetworkLayers("n", {}, "output", (), (layer,)), 100)
    assert max(map(len, text.splitlines())) <= 100
    assert name in text and layer.axes in text and "Linear" in text
    assert text.splitlines()[2] == "too wide, left out: units, weights; --json has all"
