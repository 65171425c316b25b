"""Metrics go to TensorBoard where it is installed."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from ganexplain.config import TrainGanConfig
from ganexplain.pipeline.steps import Step
from ganexplain.runs import directory, record


class Writer:
    """Stands for torch's SummaryWriter."""

    scalars: list[tuple[str, float, int]]

    def __init__(self, folder: str) -> None:
        self.folder, self.scalars = folder, []
        written.append(self)

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.append((name, value, step))

    def flush(self) -> None:
        pass


written: list[Writer] = []


def test_scalars_are_written_at_their_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(record, "find_spec", lambda name: object())
    with directory.RunDirectory(tmp_path / "run", "train-gan", TrainGanConfig(corpus=())) as run:
        run.metric(step=100, generator=1.5)
        run.metric(epoch=2, loss=0.5, name="text")
    (writer,) = written
    assert writer.folder == str(tmp_path / "run" / "tensorboard")
    assert ("generator", 1.5, 100) in writer.scalars and ("loss", 0.5, 2) in writer.scalars
    assert "name" not in {name for name, _, _ in writer.scalars}


def test_without_it_metrics_are_lines_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "find_spec", lambda name: None)
    with directory.RunDirectory(tmp_path / "run", "train-gan", TrainGanConfig(corpus=())) as run:
        run.metric(step=1, generator=1.5)
    assert not (tmp_path / "run" / "tensorboard").exists()
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == '{"step": 1, "generator": 1.5}\n'


def test_a_stage_with_its_folder_is_done(tmp_path: Path) -> None:
    step = Step("train-gan", print, "", "gan.pt", config=TrainGanConfig(corpus=()))
    with directory.RunDirectory(tmp_path / "train-gan", step.name, step.config) as run:
        (run.path / "tensorboard").mkdir(exist_ok=True)
    assert not step.is_done(tmp_path)
    (run.path / "gan.pt").touch()
    assert step.is_done(tmp_path)
