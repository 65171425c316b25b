"""`run` from Python: from files and a network in memory to a page and the records of its stages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.picture_run import picture_run

import ganexplain
from ganexplain.ascent import expected_training
from ganexplain.classifiers.checkpoint import load_classifier


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
