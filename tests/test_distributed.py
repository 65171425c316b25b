"""One training in two processes is that training in one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import JamendoFolder, Run, cli_environment

from ganexplain.artifacts import read_checkpoint

RECIPE = ("--preset paper --level 6 --mix 0.5 --masks --mixup 0.3 --epochs 1 --updates-per-epoch 3 "
          "--batch-size 8 --checkpoint-every 2 --quiet").split()  # fmt: skip


def train(cache: Path, processes: int, *words: str | Path) -> subprocess.CompletedProcess[str]:
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    script = Path(__file__).with_name("without_dropout.py")
    return subprocess.run(
        [sys.executable, *(start if processes > 1 else []), str(script), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        env=cli_environment(cache),
    )


def test_two_processes_take_the_steps_of_one(jamendo: JamendoFolder, tmp_path: Path) -> None:
    """Same gradients, so same weights: momentum carries a difference in any of three steps on."""
    words = ("train-classifier", jamendo.root, *RECIPE, "--out")
    done = train(tmp_path / "cache", 1, *words, tmp_path / "one")
    assert done.returncode == 0, done.stderr
    done = train(tmp_path / "cache", 2, *words, tmp_path / "two")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "two" / "classifier.pt")]
    one, two = (
        read_checkpoint(tmp_path / name / "training.pt", "training")["state"]["network"]
        for name in ("one", "two")
    )
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-6)
    start = torch.zeros_like(one["fc9.bias"])
    assert (one["fc9.bias"] - start).abs().max() > 1e-5  # it moved at all
    again = train(tmp_path / "cache", 2, *words, tmp_path / "two", "--resume")
    assert again.returncode == 0, again.stderr


def test_a_batch_that_cannot_be_divided_and_a_stage_that_is_not_are_refused(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = command("explain", "--classifier", "c", "--gan", "g", "--out", tmp_path / "e")
    assert done.code == 2 and "torchrun divides trainings only" in done.error_line()
