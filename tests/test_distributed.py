"""One training in two processes is that training in one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import JamendoFolder, Run, cli_environment

from ganexplain.artifacts import read_checkpoint

CLASSIFIER = ("--preset paper --level 6 --mix 0.5 --masks --mixup 0.3 --epochs 1 "
              "--updates-per-epoch 3 --batch-size 8 --checkpoint-every 2 -q").split()  # fmt: skip
GAN = ("--loss wgan-gp --precision float32 --augment --autoencoder-steps 0 --steps 2 "
       "--batch-size 6 --encoder-steps 0 --sample-every 2 --quiet").split()  # fmt: skip


def train(cache: Path, processes: int, *words: str | Path) -> subprocess.CompletedProcess[str]:
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    script = Path(__file__).with_name("divisible.py")
    return subprocess.run(
        [sys.executable, *(start if processes > 1 else []), str(script), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        env=cli_environment(cache),
    )


def one_and_two(tmp_path: Path, *words: str | Path) -> list[dict[str, Any]]:
    """What one process has after a training, and what the first of two has."""
    states = []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        done = train(tmp_path / "cache", processes, *words, "--out", out)
        assert done.returncode == 0, done.stderr
        (path,) = done.stdout.splitlines()
        assert Path(path).parent == out and Path(path).is_file()
        states.append(read_checkpoint(out / "training.pt", "training")["state"])
    return states


def test_a_classifier_s_steps_in_two_processes_are_those_of_one(
    jamendo: JamendoFolder, tmp_path: Path
) -> None:
    """Same gradients, so same weights: momentum carries a difference in any of three steps on."""
    words = ("train-classifier", jamendo.root, *CLASSIFIER)
    one, two = (state["network"] for state in one_and_two(tmp_path, *words))
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-6)
    assert one["fc9.bias"].abs().max() > 1e-5  # it moved at all
    again = train(tmp_path / "cache", 2, *words, "--out", tmp_path / "2", "--resume")
    assert again.returncode == 0, again.stderr


def test_a_gan_s_steps_in_two_processes_are_those_of_one(
    jamendo: JamendoFolder, tmp_path: Path
) -> None:
    """Adam's means of gradients: in the weights rounding shows, as it scales tiny ones up."""
    words = ("train-gan", jamendo.root, *GAN)
    one, two = (state["optimisers"] for state in one_and_two(tmp_path, *words))
    for name in ("generator", "discriminator"):
        for number, mean in one[name]["state"].items():
            expected = mean["exp_avg"]
            found = two[name]["state"][number]["exp_avg"]
            assert (found - expected).norm() <= 0.03 * expected.norm()


def test_a_batch_that_cannot_be_divided_and_a_stage_that_is_not_are_refused(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = command("select", "e.npz", "--corpus", "c", "--out", tmp_path / "s")
    assert done.code == 2 and "torchrun divides trainings and explain" in done.error_line()
