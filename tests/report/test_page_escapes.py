"""What files put into pages stays text: every name carries markup, and none of it comes to life."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np
import pytest
import torch
from support.elements import Elements
from support.paths import PRETRAINED
from support.recordings import noise, write_sound
from support.report_artifacts import Artifacts
from torch import nn

import ganexplain
from ganexplain.artifacts.unit_files import unit_files
from ganexplain.config import AttributeConfig
from ganexplain.files.atomic import write_json
from ganexplain.files.checkpoints import load_data
from ganexplain.report.unit.index import render_index, unit_line
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.attribute import attribute
from ganexplain.stages.report import read_evidence

EVIL = "</td></svg><script>pwned=1</script><img src=x onerror=pwned=1>\"'&"


def evil_pages(folder: Path) -> list[str]:
    """A report, an index and an attribution page of files whose every name is `EVIL`."""
    made = Artifacts(folder / "made").complete()
    made.folder.mkdir()
    layer = f"fc9{EVIL}"
    neuron = f"{EVIL}.npy#0123abcd"
    names = {"layer": layer, "neuron": neuron, "features_layer": layer, "unit": EVIL}
    made.meta |= {**names, "classes": [EVIL, EVIL], "version": EVIL, "prior": EVIL, "gan": EVIL}
    made.meta["classifier"] = str(made.folder / EVIL.replace("/", ""))
    made.real_meta |= {name: made.meta[name] for name in made.real_meta}
    chosen = made.selection
    chosen |= {"layer": layer, "neuron": names["neuron"], "warnings": [EVIL], "tie_rule": EVIL}
    judge = chosen["judges"]["judge"] | {"path": EVIL, "class": EVIL}
    chosen["judges"] = {EVIL: judge}
    for entry in chosen["configurations"]:
        entry["judges"] = {EVIL: 0.5}
    chosen["controls"] = {
        name: entry | {"meaning": EVIL, "judges": {EVIL: 0.25}}
        for name, entry in (chosen["controls"] | {EVIL: chosen["controls"]["start"]}).items()
    }
    for name, array in made.real.items():
        if name.endswith("file"):
            made.real[name] = np.array([EVIL] * len(array))
    run = {"stage": EVIL, "argv": ["ganexplain", EVIL], "version": EVIL, "seed": EVIL}
    write_json(made.folder / "run.json", run)
    report = made.report(EVIL.replace("/", ""))
    config = made.write()
    evidence = read_evidence(unit_files(config)[0], 2)
    return [report, render_index([unit_line(evidence, EVIL)] * 2), evil_attribution(folder)]


def evil_attribution(folder: Path) -> str:
    content = load_data(PRETRAINED / "referee.pt") | {"classes": [EVIL, f"{EVIL}2"]}
    network = folder / f"{EVIL.replace('/', '')}.pt"
    torch.save(content, network)
    sound = write_sound(folder / f"{EVIL.replace('/', '')}.wav", noise(2.0))
    config = AttributeConfig(
        inputs=(f"{sound}@1",), classifier=str(network), method=("random",), segments=("3x2",)
    )
    return attribute(config, folder / "attribute", NullProgress()).report.read_text()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return evil_pages(tmp_path_factory.mktemp("evil"))


def test_names_stay_text(pages: list[str]) -> None:
    for page in pages:
        found = Elements(page)
        assert len(found.of("script")) == 1
        assert not [e for e in found.of("img") if e.attributes.get("src") == "x"]
        assert html.escape("<script>pwned", quote=True) in page
        assert "<script>pwned" not in page


def test_nothing_runs_in_a_browser(pages: list[str], tmp_path: Path) -> None:
    pytest.importorskip("websockets")
    from support.browser import CHROMIUM, browser

    if CHROMIUM is None:
        pytest.skip("Chromium is absent")
    with browser(tmp_path / "profile") as page:
        for number, text in enumerate(pages):
            path = tmp_path / f"{number}.html"
            path.write_text(text)
            page.open(path)
            assert page.evaluate("typeof pwned") == "undefined"
            assert page.evaluate("document.scripts.length") == 1
            assert "<script>pwned=1</script>" in page.evaluate("document.body.textContent")
        assert page.complaints == []


def test_a_notebook_shows_names_as_text() -> None:
    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("<script>pwned=1</script>", nn.Linear(80, 2))

        def forward(self, mel: torch.Tensor) -> torch.Tensor:
            return next(self.children())(mel.mean(2))

    gan = PRETRAINED / "gan.pt"
    found = ganexplain.explain(
        Layers(), gan, "<script>pwned=1</script>:0", learning_rate=(0.1,), prior_weight=(0.1,),
        iterations=(1,), examples=2,
    )  # fmt: skip
    shown = found._repr_html_()
    assert "&lt;script&gt;pwned" in shown and "<script" not in shown
