"""Training that stops, by count, by Ctrl-C or by SIGKILL, and is taken up again."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from support.commands import Run, Started, start_fork, wait_for, with_options
from support.recordings import JamendoFolder
from support.resumed import assert_equal

from ganexplain.files.checkpoints import read_checkpoint

GAN = ("--batch-size", "4", "--sample-every", "4", "--autoencoder-steps", "3", "--checkpoint-every",
       "2", "--encoder-steps", "2", "--channels", "16", "--quiet")  # fmt: skip
KILLED = with_options(GAN, "--sample-every", "20")
CLASSIFIER = ("--updates-per-epoch", "3", "--batch-size", "4", "--checkpoint-every", "2", "--quiet")

pytestmark = pytest.mark.usefixtures("brief_validation")


def tensors(path: Path, kind: str, key: str) -> dict[str, torch.Tensor]:
    return read_checkpoint(path, kind)[key]


@pytest.mark.parametrize("loss", ["non-saturating", "hinge", "wgan-gp", "relativistic"])
def test_a_gan_trained_in_two_parts_is_that_trained_in_one(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, loss: str
) -> None:
    (tmp_path / "mel.toml").write_text("mel_bands = 16\nexcerpt_frames = 24\n")
    words = ("train-gan", jamendo.root, "--input", tmp_path / "mel.toml", "--loss", loss, *GAN)
    assert command(*words, "--steps", "6", "--out", tmp_path / "one").code == 0
    assert command(*words, "--steps", "3", "--out", tmp_path / "two").code == 0
    assert command(*words, "--steps", "6", "--out", tmp_path / "two", "--resume").code == 0
    one, two = (tensors(tmp_path / n / "gan.pt", "gan", "generator") for n in ("one", "two"))
    assert_equal(one, two)
    last = [json.loads((tmp_path / n / "metrics.jsonl").read_text().splitlines()[-1])
            for n in ("one", "two")]  # fmt: skip
    assert last[0] == last[1]


@pytest.mark.parametrize(
    "recipe",
    [
        "--preset paper --learning-rate 0.001",
        "--preset best --schedule step --mixup 0.2 --workers 2 --balance",
    ],
)
def test_a_classifier_trained_in_two_parts_is_that_trained_in_one(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, recipe: str
) -> None:
    words = ("train-classifier", jamendo.root, *CLASSIFIER, *recipe.split())
    assert command(*words, "--epochs", "4", "--out", tmp_path / "one").code == 0
    assert command(*words, "--epochs", "2", "--out", tmp_path / "two").code == 0
    assert command(*words, "--epochs", "4", "--out", tmp_path / "two", "--resume").code == 0
    one, two = (
        tensors(tmp_path / n / "classifier.pt", "classifier", "weights") for n in ("one", "two")
    )
    assert_equal(one, two)
    metrics = [(tmp_path / n / "metrics.jsonl").read_text() for n in ("one", "two")]
    epochs = [json.loads(line)["epoch"] for line in metrics[0].splitlines()]
    record = json.loads((tmp_path / "one" / "run.json").read_text())
    assert epochs == [1, 2, 3, 4] and record["results"]["epoch"] in epochs
    assert metrics[0] == metrics[1] and metrics[0].count("\n") == 4


def test_another_setting_or_stage_is_refused(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = ("train-gan", jamendo.root, *GAN, "--steps", "1", "--out", out)
    assert command(*words).code == 0
    other = with_options(words, "--ema-decay", "0.5", "--batch-size", "3")
    done = command(*other, "--resume")
    assert done.code == 2 and "--batch-size was 4 in" in done.error_line()
    assert ", now 3 (changed, too: --ema-decay); give the same" in done.error_line()
    done = command("train-classifier", jamendo.root, "--out", out, "--resume")
    assert done.code == 2 and "contains a run of train-gan" in done.error_line()
    jamendo.add("train", "five.wav", 3 * np.random.default_rng(0).uniform(-0.3, 0.3, 4 * 22050))
    done = command(*words, "--resume")
    assert done.code == 1 and "not those of the run to resume" in done.error_line()


def test_a_cosine_schedule_is_not_made_longer(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    words = ("train-classifier", jamendo.root, *CLASSIFIER, "--out", tmp_path / "run")
    assert command(*words, "--epochs", "1").code == 0
    done = command(*words, "--epochs", "2", "--resume")
    assert done.code == 2 and "made for 3 updates" in done.error_line()


def test_resume_without_an_earlier_run_starts_one(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    words = ("train-gan", jamendo.root, *GAN, "--steps", "1", "--resume")
    assert command(*words, "--out", tmp_path / "new").code == 0


def start(jamendo: JamendoFolder, out: Path, cache: Path, steps: int) -> Started:
    words = ("train-gan", jamendo.root, *KILLED, "--steps", str(steps), "--out", out, "--resume")
    return start_fork(words, cache)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_at_random_moments_it_ends_as_if_undisturbed(
    ganexplain: Run, jamendo: JamendoFolder, tmp_path: Path, number: signal.Signals
) -> None:
    steps, out, cache = 40, tmp_path / "killed", tmp_path / "cache"
    moments = np.random.default_rng(int(number)).uniform(0, 0.4, 3)
    for moment in moments:
        started = time.time()
        process = start(jamendo, out, cache, steps)
        wait_for(out / "run.json", process, started)
        wait_for(out / "training.pt", process)
        time.sleep(moment)
        process.signal(number)
        assert process.finished().code in (-number, 130, 0)
        read_checkpoint(out / "training.pt", "training")  # whole, whatever happened
        inputs = json.loads((out / "run.json").read_text())["inputs"]
        assert {"train recordings", "valid recordings"} <= inputs.keys()
    assert start(jamendo, out, cache, steps).finished().code == 0
    words = ("train-gan", jamendo.root, *KILLED, "--steps", steps, "--out", tmp_path / "whole")
    assert ganexplain(*words).code == 0
    assert_equal(
        tensors(out / "gan.pt", "gan", "generator"),
        tensors(tmp_path / "whole" / "gan.pt", "gan", "generator"),
    )
    assert (out / "metrics.jsonl").read_text() == (tmp_path / "whole" / "metrics.jsonl").read_text()
