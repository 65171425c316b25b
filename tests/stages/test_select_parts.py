"""The units of `select`: ranked by any workers, kept for a resumed run, the same files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.parted import check_parts
from support.paths import PRETRAINED
from support.recordings import JamendoFolder

from ganexplain.config import ExplainConfig, SelectConfig
from ganexplain.runs.progress import NullProgress
from ganexplain.selection import controls
from ganexplain.stages.explain import explain
from ganexplain.stages.select import select

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def config(jamendo: JamendoFolder, tmp_path: Path) -> SelectConfig:
    """Both directions of a unit, by two settings of three examples and two iterations."""
    explained = ExplainConfig(
        classifier=str(PRETRAINED / "classifier.pt"), gan=str(PRETRAINED / "gan.pt"),
        layer=("fc8",), neuron="3", direction="both", learning_rate=(0.1, 0.01),
        prior_weight=(0.01,), iterations=(2,), examples=3, workers="1",
    )  # fmt: skip
    explain(explained, tmp_path / "explain", NullProgress())
    return SelectConfig(
        explanations=str(tmp_path / "explain"), corpus=(str(jamendo.root),), hop_frames=5,
        cache=str(tmp_path / "cache"), workers="1",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("by", ["controls", "prediction"])
def test_units_are_ranked_the_same_by_any_workers(
    by: str, config: SelectConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "INPUT_ITERATIONS", 2)
    changed: dict[str, Any] = {"controls": False, "by": by} if by == "prediction" else {}
    check_parts(select, replace(config, **changed), tmp_path, parts=2)
