"""Reports of several units: a page each, an index, and which files belong to which unit."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest
from support.commands import Run
from support.elements import Elements
from support.parted import check_parts
from support.paths import PRETRAINED

from ganexplain.artifacts.unit_files import unit_files
from ganexplain.config import ExplainConfig, ReportConfig, SelectConfig
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.atomic import read_json, write_json
from ganexplain.report.html.notation import number
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.explain import explain
from ganexplain.stages.report import write_report
from ganexplain.stages.select import select

UNITS = ["fc8-3-max", "fc8-3-min"]
pytestmark = pytest.mark.slow  # they share two selections


@pytest.fixture(scope="module")
def runs(some_of_the_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`explain` and `select` of both directions of a hidden unit of the shipped classifier."""
    root = tmp_path_factory.mktemp("units")
    explain(
        ExplainConfig(
            classifier=str(PRETRAINED / "classifier.pt"), gan=str(PRETRAINED / "gan.pt"),
            layer=("fc8",), neuron="3", direction="both", learning_rate=(0.1, 0.01),
            prior_weight=(0.01,), iterations=(2, 4), examples=3, workers="1",
        ),
        root / "explain", NullProgress(),
    )  # fmt: skip
    select(
        SelectConfig(
            explanations=str(root / "explain"), corpus=(str(some_of_the_sample),),
            hop_frames=2000, cache=str(root / "cache"), workers="1",
        ),
        root / "select", NullProgress(),
    )  # fmt: skip
    return root


def config(runs: Path, **changes: object) -> ReportConfig:
    values = {"explanations": str(runs / "explain"), "selection": str(runs / "select")}
    fixed = {"examples": 2, "heard": 1, "griffin_lim_iterations": 3}
    return ReportConfig(**{**values, **fixed, **changes})  # type: ignore[arg-type]


def test_pages_are_the_same_whoever_makes_them(runs: Path, tmp_path: Path) -> None:
    check_parts(write_report, config(runs), tmp_path, parts=2)


def test_every_unit_has_a_page_and_a_line_in_the_index(runs: Path, tmp_path: Path) -> None:
    path = write_report(config(runs), tmp_path / "out", NullProgress())
    assert path == tmp_path / "out" / "index.html"
    index = Elements(path.read_text())
    links = [unquote(e.attributes["href"]) for e in index.of("a")]
    assert links == [f"{unit}/report.html" for unit in UNITS]
    lines = index.of("tr")[1:]
    assert len(lines) == len(UNITS)
    assert [e.text for e in index.of("h1")] == ["What drives 1 unit"]  # in both directions
    texts = [e.text for e in index.of("td")]
    for unit, way in zip(UNITS, ("upwards", "downwards"), strict=True):
        page = (path.parent / unit / "report.html").read_text()
        assert f"What drives fc8, neuron 3, {way}" in page
        chosen = read_json(runs / "select" / unit / "selection.json")
        entry = chosen["configurations"][chosen["chosen"]]
        assert any(
            text.startswith(f"FID response {number(entry['fid_response'])}") for text in texts
        )
    pictures = index.of("img")
    assert len(pictures) == 2 * len(UNITS)
    assert all(e.attributes["src"].startswith("data:image/png") for e in pictures)
    assert all(e.attributes["alt"] for e in pictures)
    inputs = read_json(path.parent / "run.json")["inputs"]
    assert set(inputs) >= {f"{u} {n}" for u in UNITS for n in ("explanations", "selection")}


def test_one_unit_of_a_run_by_itself(runs: Path, tmp_path: Path) -> None:
    one = str(runs / "explain" / UNITS[1] / "explanations.npz")
    path = write_report(config(runs, explanations=one), tmp_path / "one", NullProgress())
    assert path == tmp_path / "one" / "report.html"
    assert "neuron 3, downwards" in path.read_text()
    assert not (tmp_path / "one" / "index.html").exists()


def test_the_files_of_a_unit_are_in_folders_of_its_name(runs: Path, tmp_path: Path) -> None:
    first, second = unit_files(config(runs))
    assert [first.name, second.name] == UNITS
    assert second.selection == runs / "select" / UNITS[1] / "selection.json"
    assert second.responses == runs / "select" / UNITS[1] / "responses.npz"
    (tmp_path / "r" / "fc8-3").mkdir(parents=True)
    shutil.copy(first.responses, tmp_path / "r" / "fc8-3")
    for unit in unit_files(config(runs, responses=str(tmp_path / "r"))):
        assert unit.responses == tmp_path / "r" / "fc8-3" / "responses.npz"


def test_several_units_need_the_directory_of_select(runs: Path, tmp_path: Path) -> None:
    one = str(runs / "select" / UNITS[0] / "selection.json")
    with pytest.raises(UsageError, match="holds 2 units; name the directory"):
        write_report(config(runs, selection=one), tmp_path / "out", NullProgress())
    (tmp_path / "s" / UNITS[0]).mkdir(parents=True)
    for name in ("selection.json", "responses.npz"):
        shutil.copy(runs / "select" / UNITS[0] / name, tmp_path / "s" / UNITS[0])
    with pytest.raises(UsageError, match=f"{UNITS[1]}/selection.json: no such file"):
        write_report(config(runs, selection=str(tmp_path / "s")), tmp_path / "out", NullProgress())
    assert not (tmp_path / "out").exists()


def test_a_selection_of_another_unit_is_named(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "select", tmp_path / "s")
    wrong = tmp_path / "s" / UNITS[1] / "selection.json"
    write_json(wrong, read_json(wrong) | {"neuron": 4})
    with pytest.raises(GanexplainError, match=f"{UNITS[1]}/selection.json: neuron is 4, but 3"):
        write_report(config(runs, selection=str(tmp_path / "s")), tmp_path / "out", NullProgress())


def test_the_command_prints_the_page_to_open(runs: Path, command: Run, tmp_path: Path) -> None:
    done = command("report", runs / "explain", "--selection", runs / "select", "--examples", "1",
                   "--heard", "0", "--griffin-lim-iterations", "1", "-q",
                   "--out", tmp_path / "out")  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert done.out.strip() == str(tmp_path / "out" / "index.html")
