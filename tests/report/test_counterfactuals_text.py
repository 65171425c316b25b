"""What `counterfactual` says of a changed excerpt, and the record of its run in Python."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.paths import PRETRAINED

from ganexplain.api.records import Counterfactual
from ganexplain.artifacts.counterfactuals import Counterfactuals
from ganexplain.artifacts.edits import EditedExcerpt, EditStates, JudgedEdit
from ganexplain.audio.difference import LevelChange
from ganexplain.counterfactuals.boundary import class_margin, output_level
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import load_target
from ganexplain.report.counterfactuals import counterfactuals_text

EDITED = EditedExcerpt(
    excerpt="lea.ogg@3.5",
    span_s=(3.5, 5.17),
    sides=EditStates("sing", "nosing", "sing"),
    responses=EditStates(4.38, 0.01, 7.08),
    iterations=48,
    no_gradient=False,
    cells=0.197,
    mean_db=2.4,
    change=LevelChange({}, (1778, 2370), -2.0, (0.72, 0.97), 2.0),
    elsewhere=0.0,
    gan_off_db=(),
    judges=(JudgedEdit("judge", ("sing", "sing"), (2.67, 1.89), True),),
    sounds=("runs/lea-original.flac", "runs/lea-edited.flac", "runs/lea-edit.flac"),
    picture="runs/lea.png",
)
FOUND = Counterfactuals("classifier.pt", "", "fc9", 0, "sing", "decision", (EDITED,), 0.04)


def test_the_text_names_the_level_of_the_decision_and_the_files() -> None:
    title, first, *_, heard, seen = counterfactuals_text(FOUND).splitlines()
    assert title == "lea.ogg@3.5, 3.50 to 5.17 s"
    decision = "sing 4.38, edited nosing 0.01 after 48 steps"
    assert first.strip() == f"{decision}; the decision changes at 0.04"
    assert heard.strip() == "to hear: runs/lea-edited.flac"
    assert seen.strip() == "to see: runs/lea.png"
    unknown = counterfactuals_text(replace(FOUND, level=None))
    assert unknown.splitlines()[1].strip() == decision


def test_print_in_python_shows_what_the_command_prints() -> None:
    shown = str(Counterfactual(Path("runs/flip"), None, FOUND))
    assert shown == f"Counterfactual('runs/flip')\n{counterfactuals_text(FOUND)}"


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_the_margin_is_zero_at_the_level_of_the_decision(kind: str) -> None:
    """The shipped classifier has one output, and its threshold is 0.51."""
    explained = load_target(
        NetworkSource(classifier=str(PRETRAINED / "classifier.pt")), None, torch.device("cpu")
    )
    level = {"logits": math.log(0.51 / 0.49), "probabilities": 0.51}[kind]
    explained = replace(explained, threshold=level)
    assert output_level(explained, kind) == pytest.approx(level)
    margin = class_margin(explained, 0, kind)(torch.tensor([[level]], dtype=torch.float64))
    assert margin.item() == pytest.approx(0, abs=1e-6)
