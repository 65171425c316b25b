"""Real excerpts beyond the outputs, against a pass of the shipped network without hooks."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.paths import PRETRAINED
from support.recordings import JamendoFolder

from ganexplain.artifacts.responses import BEYOND, MeasuredUnit, RealResponses, read_responses
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.config import ResponsesConfig
from ganexplain.corpora.load import load_split, open_corpus
from ganexplain.files.arrays import read_meta
from ganexplain.networks.units import Unit
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.responses import responses

pytestmark = pytest.mark.usefixtures("one_thread")
CLASSIFIER = PRETRAINED / "classifier.pt"


def config(jamendo: JamendoFolder, tmp_path: Path) -> ResponsesConfig:
    return ResponsesConfig(
        corpus=(str(jamendo.root),), classifier=str(CLASSIFIER), layer=("fc8",), neuron="7,9",
        top=2, hop_frames=40, cache=str(tmp_path / "cache"),
    )  # fmt: skip


def read(path: Path, unit: str) -> RealResponses:
    meta = read_meta(path, "responses")
    measured = MeasuredUnit(
        Unit.parse(unit), meta["features_layer"], meta["classifier_hash"], meta["front_end"]
    )
    return read_responses(path, path, measured, {})


def test_the_strongest_beyond_the_outputs_have_the_largest_residuals(
    jamendo: JamendoFolder, tmp_path: Path
) -> None:
    settings = config(jamendo, tmp_path)
    paths = responses(settings, tmp_path / "run", NullProgress())
    shipped = load_classifier(CLASSIFIER, torch.device("cpu"))
    corpus = open_corpus(settings.corpus, False)
    split = load_split(
        corpus, "train", shipped.front_end, tmp_path / "cache", NullProgress(), False
    )
    excerpts = torch.from_numpy(split.gather(split.whole_excerpts(40)))
    with torch.no_grad():
        found: list[torch.Tensor] = []
        handle = shipped.network.get_submodule("fc8").register_forward_hook(
            lambda m, i, out: found.append(out)
        )
        outputs = shipped.network(excerpts).double().numpy()
        handle.remove()
    degree = min(3, len(outputs) // 10)
    basis = np.column_stack([outputs**power for power in range(degree + 1)])
    table = list(csv.DictReader((tmp_path / "run" / "units.csv").open()))
    for unit, path, line in zip((7, 9), paths, table, strict=True):
        response = found[0][:, unit].double().numpy()
        left = response - basis @ np.linalg.lstsq(basis, response, rcond=None)[0]
        real = read(path, f"fc8:{unit}")
        for key, row in ((BEYOND, left.argmax()), (f"{BEYOND}bottom_", left.argmin())):
            assert real.arrays[f"{key}response"][0] == pytest.approx(response[row], abs=1e-3)
        sharing = real.meta.sharing
        assert sharing is not None and sharing.excerpts == len(response)
        assert sharing.explained == pytest.approx(1 - left.var() / response.var(), abs=1e-4)
        assert float(line["explained_by_outputs"]) == pytest.approx(sharing.explained, abs=1e-4)


def test_an_output_has_no_excerpts_beyond_itself(jamendo: JamendoFolder, tmp_path: Path) -> None:
    settings = replace(config(jamendo, tmp_path), layer=(), neuron="0")
    (path,) = responses(settings, tmp_path / "run", NullProgress())
    real = read(path, "fc9:0")
    assert real.meta.sharing is not None and real.meta.sharing.is_all
    assert not [name for name in real.arrays if name.startswith(BEYOND)]


def test_another_reading_of_a_unit_is_not_its_twin(jamendo: JamendoFolder, tmp_path: Path) -> None:
    settings = replace(config(jamendo, tmp_path), neuron="7,7@max")  # fc8 has no places
    one, peak = (
        read(path, unit).meta.sharing
        for path, unit in zip(
            responses(settings, tmp_path / "run", NullProgress()), ("fc8:7", "fc8:7@max"),
            strict=True,
        )
    )  # fmt: skip
    assert one is not None and peak is not None
    assert one.alike and peak.alike == one.alike
    assert 7 not in peak.alike


@pytest.mark.parametrize(
    "text, number", [("7", 7), ("7@max", 7), ("7@1,2", 7), ("7-minus-1", None), ("mean", None)]
)
def test_the_only_unit_of_a_text_has_a_number(text: str, number: int | None) -> None:
    assert Unit.parse(f"fc8:{text}").number == number
