"""Training classifiers: of several classes, with the loss the paper has, and really learning."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.commands import Run
from support.recordings import RATE, noise, tone, write_sound

from ganexplain.classifiers.training import smoothed_loss
from ganexplain.files.checkpoints import read_checkpoint


@pytest.mark.parametrize("outputs", [1, 2, 3, 7])
def test_the_loss_is_smallest_at_ninety_eight_percent(outputs: int) -> None:
    """Targets 0.02 and 0.98: there, and only there, the gradient vanishes."""
    if outputs == 1:
        logits = torch.tensor([[np.log(0.98 / 0.02)]])
        label = torch.tensor([1])
    else:
        others = 0.02 / (outputs - 1)
        logits = torch.log(torch.tensor([[0.98] + [others] * (outputs - 1)]))
        label = torch.tensor([0])
    logits = logits.float().requires_grad_(True)
    smoothed_loss(logits, label).sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().max().item() < 1e-6


def three_classes(root: Path) -> Path:
    """A manifest of noise under a low, a middle or a high tone, files of 2 and 3 s."""
    rows = ["path,start,end,label,split"]
    for number, (label, hertz) in enumerate((("low", 150), ("middle", 900), ("high", 4000))):
        for split, seconds in (("train", 3.0), ("valid", 2.0), ("test", 2.0)):
            name = f"{label} {split}.wav"
            sound = noise(seconds, level=0.01, seed=number) + tone(hertz, seconds)
            write_sound(root / name, sound, RATE)
            rows.append(f"{name},,,{label},{split}")
    manifest = root / "manifest.csv"
    manifest.write_text("\n".join(rows) + "\n")
    return manifest


def test_figures_of_a_song_without_singing_are_left_empty(command: Run, tmp_path: Path) -> None:
    rows = ["path,start,end,label,split"]
    for split in ("train", "valid", "test"):
        for label, sound in (("off", noise(2.0, seed=1)), ("on", noise(2.0) + tone(400, 2.0))):
            write_sound(tmp_path / f"{label} {split}.wav", sound, RATE)
            rows.append(f"{label} {split}.wav,,,{label},{split}")
    (tmp_path / "m.csv").write_text("\n".join(rows) + "\n")
    words = "--preset paper --augment 0 --epochs 1 --updates-per-epoch 2 --batch-size 4 -q".split()
    done = command("train-classifier", tmp_path / "m.csv", "--out", tmp_path / "c", *words)
    assert done.code == 0, done.err
    with (tmp_path / "c" / "test.csv").open(newline="") as stream:
        songs = {row["file"]: row for row in csv.DictReader(stream)}
    without, sung = songs["off test.wav"], songs["on test.wav"]
    assert [without[name] for name in ("precision", "recall", "f1", "auroc")] == [""] * 4
    assert 0 <= float(without["specificity"]) <= 1
    assert sung["specificity"] == sung["auroc"] == ""
    assert 0 <= float(sung["recall"]) <= 1


@pytest.mark.slow
@pytest.mark.usefixtures("brief_validation")
def test_three_classes_are_learnt_and_their_units_explained(command: Run, tmp_path: Path) -> None:
    manifest = three_classes(tmp_path / "sounds")
    classifier, gan = tmp_path / "c", tmp_path / "g"
    words = "--epochs 1 --updates-per-epoch 120 --batch-size 8 --no-batch-norm -q".split()
    words += "--augment 0 --level 0 --mix 0 --no-masks --precision float32".split()
    done = command("train-classifier", manifest, "--out", classifier, *words, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["test"]["frame_error"] < 0.1
    content = read_checkpoint(classifier / "classifier.pt", "classifier")
    assert content["classes"] == ["high", "low", "middle"] and content["outputs"] == 3
    done = command("train-gan", manifest, "--out", gan,
                   *"--autoencoder-steps 1 --encoder-steps 1 --steps 1".split(),
                   *"--batch-size 2 -q".split())  # fmt: skip
    assert done.code == 0, done.err
    done = command("explain", "--classifier", classifier / "classifier.pt", "--gan",
                   gan / "gan.pt", "--neuron", "2", "--out", tmp_path / "e",
                   *"--iterations 2 --examples 2 --learning-rate 0.1 -q".split())  # fmt: skip
    assert done.code == 0, done.err
    done = command("select", tmp_path / "e" / "explanations.npz", "--corpus", manifest,
                   "--out", tmp_path / "s", "--json", "-q")  # fmt: skip
    assert done.code == 0, done.err
    assert json.loads(done.out)["unit"] == "middle"


def test_outputs_that_the_classes_do_not_allow(command: Run, tmp_path: Path) -> None:
    manifest = three_classes(tmp_path / "sounds")
    done = command("train-classifier", manifest, "--out", tmp_path / "c", "--outputs", "2", "-q")
    assert done.code == 2
    assert "--outputs 2: the corpus has 3 classes; use 3" in done.error_line()
