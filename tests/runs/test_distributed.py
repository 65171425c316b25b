"""One training in two processes is that training in one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import Run, cli_environment, torchrun_sets
from support.paths import ROOT
from support.recordings import JamendoFolder

from ganexplain.files.checkpoints import read_checkpoint
from ganexplain.runs.distributed import rank_and_world_size

CLASSIFIER: list[str] = ("--preset paper --learning-rate 0.001 --level 6 --mix 0.5 --masks "
              "--mixup 0.3 --epochs 1 --updates-per-epoch 3 --batch-size 8 "
              "--checkpoint-every 2 -q").split()  # fmt: skip
GAN: list[str] = ("--loss wgan-gp --precision float32 --augment --autoencoder-steps 0 --steps 2 "
       "--batch-size 6 --encoder-steps 0 --sample-every 2 --quiet").split()  # fmt: skip


def train(cache: Path, processes: int, *words: str | Path) -> subprocess.CompletedProcess[str]:
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    script = ROOT / "tests" / "support" / "divisible.py"
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


@pytest.mark.slow
def test_a_classifier_s_steps_in_two_processes_are_those_of_one(
    jamendo: JamendoFolder, tmp_path: Path
) -> None:
    """The momentum, which sums the gradients of all three steps, is the same but for rounding.

    Sums over halves of a batch round otherwise, and where a rectifier is near 0 this shows: 4e-6
    to 5e-3 of its length were seen for eight seeds. Gradients of one half differ by half of it.
    """
    words: tuple[str | Path, ...] = ("train-classifier", jamendo.root, *CLASSIFIER)
    one, two = one_and_two(tmp_path, *words)
    for name, weights in one["network"].items():
        torch.testing.assert_close(two["network"][name], weights, rtol=1e-3, atol=1e-4)
    moments = (state["optimiser"]["state"] for state in (one, two))
    for alone, shared in zip(*(found.values() for found in moments), strict=True):
        difference = shared["momentum_buffer"] - alone["momentum_buffer"]
        assert alone["momentum_buffer"].norm() > 0
        assert difference.norm() < 0.02 * alone["momentum_buffer"].norm()
    again = train(tmp_path / "cache", 2, *words, "--out", tmp_path / "2", "--resume")
    assert again.returncode == 0, again.stderr


@pytest.mark.slow
def test_a_gan_s_steps_in_two_processes_are_those_of_one(
    jamendo: JamendoFolder, tmp_path: Path
) -> None:
    """Adam's means of gradients: in the weights rounding shows, as it scales tiny ones up."""
    words: tuple[str | Path, ...] = ("train-gan", jamendo.root, *GAN)
    one, two = (state["optimisers"] for state in one_and_two(tmp_path, *words))
    for name in ("generator", "discriminator"):
        for number, mean in one[name]["state"].items():
            expected = mean["exp_avg"]
            found = two[name]["state"][number]["exp_avg"]
            assert (found - expected).norm() <= 0.03 * expected.norm()


def test_a_batch_that_cannot_be_divided_and_a_stage_that_is_not_are_refused(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchrun_sets(monkeypatch, 0, 2)
    done = command("select", "e.npz", "--corpus", "c", "--out", tmp_path / "s")
    assert done.code == 2 and "torchrun divides only trainings and explain" in done.error_line()


STRAY = [
    {"RANK": "1"},
    {"WORLD_SIZE": "4"},
    {"WORLD_SIZE": ""},
    {"RANK": "1", "WORLD_SIZE": "4"},
    {"RANK": "one", "WORLD_SIZE": "many"},
    {"RANK": "7", "WORLD_SIZE": "4", "MASTER_PORT": "29500"},
    {"MASTER_ADDR": "node1", "MASTER_PORT": "29500", "WORLD_SIZE": "2"},
    {"RANK": "", "WORLD_SIZE": "", "MASTER_ADDR": "", "MASTER_PORT": ""},
    {"LOCAL_RANK": "3", "LOCAL_WORLD_SIZE": "x", "SLURM_PROCID": "2", "SLURM_NTASKS": "8",
     "PMI_RANK": "1", "PMI_SIZE": "4", "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "4"},
]  # fmt: skip


@pytest.mark.parametrize("stray", STRAY, ids=lambda stray: "-".join(stray))
def test_what_others_than_torchrun_set_makes_no_part_of_many(
    monkeypatch: pytest.MonkeyPatch, stray: dict[str, str]
) -> None:
    for name, value in stray.items():
        monkeypatch.setenv(name, value)
    assert rank_and_world_size() == (0, 1)


def test_with_stray_variables_all_units_are_explained(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    pretrained = ROOT / "sample_data" / "pretrained"
    done = command(
        "explain", "--classifier", pretrained / "classifier.pt", "--gan", pretrained / "gan.pt",
        "--layer", "fc8", "--neuron", "0,1", "--learning-rate", "0.1", "--prior-weight", "0.01",
        "--iterations", "1", "--examples", "2", "-q", "--out", tmp_path / "e",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert all((tmp_path / f"e/fc8-{n}-max/explanations.npz").is_file() for n in (0, 1))


@pytest.mark.parametrize(
    ("rank", "world", "part"),
    [("4", "4", "RANK=4 with WORLD_SIZE=4"), ("x", "2", "RANK=x"), ("-1", "2", "RANK=-1"),
     ("0", "0", "WORLD_SIZE=0"), ("0", "2.5", "WORLD_SIZE=2.5"), ("\u00b2", "3", "RANK=")],
)  # fmt: skip
def test_values_that_torchrun_never_sets_are_refused(
    command: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rank: str,
    world: str,
    part: str,
) -> None:
    torchrun_sets(monkeypatch, 0, 2)
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", world)
    done = command("train-classifier", tmp_path, "--out", tmp_path / "run")
    line = done.error_line()
    assert done.code == 2 and part in line and "start the processes with torchrun" in line
    assert not (tmp_path / "run").exists()


def test_processes_that_cannot_meet_end_in_a_line(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchrun_sets(monkeypatch, 1, 2)
    monkeypatch.setenv("MASTER_PORT", "no port")
    done = command("train-classifier", jamendo.root, "--out", tmp_path / "run")
    assert done.code == 1 and "do not meet" in done.error_line()
