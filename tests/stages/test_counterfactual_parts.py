"""The excerpts of `counterfactual`: changed by any workers, kept for a resumed run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.parted import check_parts
from support.paths import PRETRAINED, SAMPLE

from ganexplain.config import CounterfactualConfig
from ganexplain.counterfactuals.changed_excerpts import ExcerptChange, ExcerptChanger
from ganexplain.errors import GanexplainError
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.counterfactual import counterfactual

pytestmark = pytest.mark.usefixtures("one_thread")
AUDIO = SAMPLE / "audio"
CONFIG = CounterfactualConfig(
    start_from=(f"{AUDIO / 'alone_ria_major_dry.ogg'}@5", f"{AUDIO / 'band_apex.ogg'}@3.25"),
    on="gan", classifier=str(PRETRAINED / "classifier.pt"), gan=str(PRETRAINED / "gan.pt"),
    refine_steps=2, iterations=2, griffin_lim_iterations=2,
)  # fmt: skip


def test_excerpts_are_changed_the_same_by_any_workers(tmp_path: Path) -> None:
    notes = check_parts(counterfactual, CONFIG, tmp_path, parts=2)
    assert len(notes) == 2 and all("changed side" in note for note in notes)
    moved = (tmp_path / "one").rename(tmp_path / "moved")
    found = counterfactual(CONFIG, moved, progress := NullProgress(), resume=True)
    assert "moved: was done before" in progress.notes[-1]
    for entry in found.excerpts:
        assert {Path(path).parent for path in (*entry.sounds, entry.picture)} == {moved}


@pytest.mark.slow
def test_recordings_are_edited_the_same_by_any_workers(tmp_path: Path) -> None:
    own = {"on", "gan", "refine_steps", "griffin_lim_iterations"}
    defaults = {name: getattr(CounterfactualConfig, name) for name in own}
    notes = check_parts(
        counterfactual, replace(CONFIG, **defaults, iterations=4), tmp_path, parts=2
    )
    assert len(notes) == 1 and "never changed side" in notes[0]
    with np.load(tmp_path / "one" / "counterfactual.npz") as arrays:
        assert np.all(np.abs(arrays["edit_db"]).max((1, 2)) > 1)  # no comparison of nothing


def test_where_nothing_can_be_changed_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = ExcerptChanger.change

    def dead(*arguments: Any) -> ExcerptChange:
        found = change(*arguments)
        return replace(found, arrays={**found.arrays, "no_gradient": np.array(True)})

    monkeypatch.setattr(ExcerptChanger, "change", dead)
    with pytest.raises(GanexplainError, match="no gradient at any of the 2 excerpts"):
        counterfactual(CONFIG, tmp_path / "run", NullProgress())
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.toml", "log.txt", "run.json",
    }  # fmt: skip
