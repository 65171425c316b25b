"""Files written before the package was divided into rooms are read, and score the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import Run
from support.paths import PRETRAINED, ROOT

from ganexplain.artifacts.explanations import read_explanations
from ganexplain.artifacts.responses import read_responses
from ganexplain.config import ReportConfig
from ganexplain.files.arrays import read_arrays, write_arrays
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.report import write_report

BEFORE = ROOT / "tests" / "data" / "before_rooms"
EXPLANATIONS = BEFORE / "explain" / "explanations.npz"
SELECTION, RESPONSES = (BEFORE / "select" / name for name in ("selection.json", "responses.npz"))
ROUNDING = 1e-5  # of another processor, relative


def numbers(value: Any, key: str = "") -> dict[str, float]:
    """The numbers in a document by their keys."""
    if isinstance(value, list):
        value = {str(n): part for n, part in enumerate(value)}
    if isinstance(value, dict):
        parts = (numbers(part, f"{key}/{name}") for name, part in value.items())
        return {name: number for part in parts for name, number in part.items()}
    return {key: float(value)} if isinstance(value, int | float) else {}


def test_select_scores_earlier_explanations_as_before(command: Run, tmp_path: Path) -> None:
    done = command("select", EXPLANATIONS, "--responses", RESPONSES, "--no-controls",
                   "--classifier", PRETRAINED / "classifier.pt",
                   "--gan", PRETRAINED / "gan.pt", "--out", tmp_path / "select")  # fmt: skip
    assert done.code == 0, done.err
    written = tmp_path / "select" / "selection.json"
    now, before = (json.loads(path.read_text()) for path in (written, SELECTION))
    assert now.keys() >= before.keys()  # scores that were added since stand beside them
    found, wanted = numbers(now), numbers(before)
    assert {key: found[key] for key in wanted} == pytest.approx(wanted, rel=ROUNDING, abs=ROUNDING)
    names = before.keys() - {"tie_rule"}  # an explanation, which may be said in other words
    words = {key: before[key] for key in names if isinstance(before[key], str)}
    assert {key: now[key] for key in words} == words
    new, old = (np.load(path.with_suffix(".npz")) for path in (written, SELECTION))
    assert {key: new[key].dtype for key in old} == {key: old[key].dtype for key in old}


def test_report_shows_an_earlier_selection(tmp_path: Path) -> None:
    config = ReportConfig(
        explanations=str(EXPLANATIONS), selection=str(SELECTION), responses=str(RESPONSES),
        examples=1, heard=0, griffin_lim_iterations=2,
    )  # fmt: skip
    page = write_report(config, out=tmp_path / "report", progress=NullProgress())
    assert "composite" in page.read_text()


def test_real_excerpts_of_one_corpus_as_a_text_are_read(tmp_path: Path) -> None:
    """As the first versions wrote it."""
    arrays, meta = read_arrays(RESPONSES, "responses", ())
    write_arrays(tmp_path / "responses.npz", "responses", arrays, {**meta, "corpus": "songs.csv"})
    explanations = read_explanations(EXPLANATIONS)
    wanted = explanations.meta.measured
    real = read_responses(tmp_path / "responses.npz", EXPLANATIONS, wanted, explanations.sizes)
    assert real.meta.corpus == ("songs.csv",)
