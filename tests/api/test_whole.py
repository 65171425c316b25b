"""`run` from Python: from files and a network in memory to a page and the records of its stages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.picture_run import picture_run

import ganexplain
from ganexplain.api.whole import WholeRun
from ganexplain.artifacts.plan import Plan, SearchTarget
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.files.atomic import write_json
from ganexplain.networks.readings import parse_reading
from ganexplain.networks.units import Unit
from ganexplain.pipeline import expected_training


def test_a_module_goes_from_files_to_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected_training, "SECONDS", 0.0)
    settings = picture_run(tmp_path / "networks")
    network = load_classifier(Path(settings.classifier), torch.device("cpu")).network
    whole = ganexplain.run(
        settings.corpus, network, "output:1", gan=settings.gan, iterations=5, examples=3
    )
    rows = whole.explanation.inputs[0]
    with torch.no_grad():
        expected = network(torch.from_numpy(rows))[:, 1].numpy()
    np.testing.assert_allclose(whole.explanation.response[0], expected, atol=1e-4)
    assert whole.responses.inputs.shape[1:] == rows.shape[1:]
    ranked = json.loads((whole.out / "select" / "selection.json").read_text())
    assert whole.selection.chosen == ranked["chosen"]
    assert whole.page.result.name == "report.html" and "<iframe" in whole._repr_html_()
    assert list(whole.figures) == ["explain", "report", "responses", "select", "validate"]
    assert any(line.startswith("5 stages") for line in whole.notes)


def test_units_are_in_the_order_of_the_search(tmp_path: Path) -> None:
    targets = tuple(SearchTarget(Unit("fc9", parse_reading(str(k))), "max") for k in range(12))
    (tmp_path / "explain").mkdir()
    write_json(tmp_path / "explain" / "plan.json", Plan(targets, (0, 1)).to_json())
    for target in targets:
        for stage, unit, file in (
            ("explain", target.name, "explanations.npz"),
            ("responses", target.unit.file_name, "responses.npz"),
        ):
            (tmp_path / stage / unit).mkdir(parents=True)
            (tmp_path / stage / unit / file).touch()
    whole = WholeRun(tmp_path, None, tmp_path / "report" / "report.html", ())
    assert [path.parent.name for path in whole.explanation.result] == [t.name for t in targets]
    folders = [path.parent.name for path in whole.responses.result]
    assert folders == [t.unit.file_name for t in targets]
