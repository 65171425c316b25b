"""A detector whose excerpts are longer than the paper's, and one that hears no level."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.commands import Run
from support.paths import SAMPLE
from support.recordings import JamendoFolder

from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.base import initialise
from ganexplain.classifiers.checkpoint import Classifier, build_classifier, write_classifier
from ganexplain.classifiers.prediction import predict_frames
from ganexplain.classifiers.temporalnet import TemporalNet
from ganexplain.classifiers.training_form import (
    hears_level,
    to_plain_form,
    use_zero_mean_filters,
)
from ganexplain.config import TrainClassifierConfig, TrainGanConfig
from ganexplain.gans.checkpoint import GanFile, write_gan
from ganexplain.gans.networks import generator_for
from ganexplain.inputs.log_mel import FrontEnd

LONG = TemporalNet.front_end


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    network = TemporalNet()
    initialise(network, 0)
    path = tmp_path / "classifier.pt"
    classifier = Classifier(network, LONG, ("nosing", "sing"), 0.5, {})
    write_classifier(path, classifier, TrainClassifierConfig(corpus=("nowhere",)))
    return path


def gan_of(front_end: FrontEnd, path: Path) -> Path:
    generator = generator_for(front_end, channels=16)
    gan = GanFile(generator.state_dict(), 16, 1, {}, front_end)
    write_gan(path, gan, TrainGanConfig(corpus=("nowhere",)))
    return path


def test_a_detector_of_long_excerpts_predicts_and_has_responses(
    command: Run, detector: Path, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    (song,) = [path for path in sorted((jamendo.root / "audio").iterdir())][:1]
    done = command("predict", song, "--classifier", detector, "--out", tmp_path / "p", "-q")
    assert done.code == 0, done.err
    rows = (tmp_path / "p" / f"{song.stem}.csv").read_text().splitlines()[1:]
    mel = log_mel(load_mono(song, LONG.sample_rate), LONG)
    assert len(rows) == len(mel)
    done = command("responses", jamendo.root, "--classifier", detector, "--layer", "fc9", "--out",
                   tmp_path / "r", "-q")  # fmt: skip
    assert done.code == 0, done.err


def test_a_detector_of_long_excerpts_is_explained_by_a_gan_of_such(
    command: Run, detector: Path, tmp_path: Path
) -> None:
    long, short = (gan_of(each, tmp_path / f"{each.excerpt_frames}.pt") for each in
                   (LONG, FrontEnd()))  # fmt: skip
    words = "--learning-rate 0.1 --prior-weight 0.1 --iterations 1 --examples 2 -q --json".split()
    given = ("explain", "--classifier", detector, *words)
    done = command(*given, "--gan", long, "--out", tmp_path / "e")
    assert done.code == 0, done.err
    assert json.loads(done.out)
    done = command(*given, "--gan", short, "--out", tmp_path / "f")
    assert done.code == 2 and "excerpt_frames is 343 and 115" in done.error_line()


def test_decisions_of_a_level_invariant_detector_are_the_same_forty_decibels_down() -> None:
    """Of whole excerpts of real sound: at the ends the silence around it hears the level."""
    network = build_classifier("svdnet", 1, FrontEnd())
    initialise(network, 0)
    sound = load_mono(SAMPLE / "audio" / "gig_rob_folk.ogg", FrontEnd().sample_rate)[: 22050 * 8]
    mel = log_mel(sound, FrontEnd())
    network.mean.copy_(torch.from_numpy(mel.mean(axis=0)))
    network.deviation.copy_(torch.from_numpy(mel.std(axis=0)))
    assert hears_level(network)
    plain = to_plain_form(use_zero_mean_filters(network))
    assert not hears_level(plain)
    quiet = log_mel(sound * np.float32(0.01), FrontEnd())
    curves = [predict_frames(plain, each, FrontEnd())[:, 1] for each in (mel, quiet)]
    whole = slice(FrontEnd().excerpt_frames // 2, -(FrontEnd().excerpt_frames // 2))
    decided = [each[whole] > np.median(curves[0]) for each in curves]
    assert 0.2 < decided[0].mean() < 0.8
    assert np.mean(decided[0] != decided[1]) < 0.005
