"""Recordings far from the levels a classifier was trained on are named, others are not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from support.commands import Run
from support.paths import ROOT

from ganexplain.audio.levels import level_against_training

CLASSIFIER = ROOT / "sample_data" / "pretrained" / "classifier.pt"
SONGS = ("alone_lea_hijaz_hall", "band_freedom_guitar")  # a voice alone, and the loudest
MEAN, DEVIATION = np.linspace(-3, 0.5, 40), np.linspace(1.8, 2.4, 40)


def like_training(seed: int) -> np.ndarray:
    """Log-mel (T, F) of the same mean and deviation as all of the training."""
    return np.random.default_rng(seed).normal(MEAN, DEVIATION, (900, 40))


@pytest.mark.parametrize("gain_db", [-60.0, -30.0, 30.0])
def test_level_is_what_a_recording_was_turned_by(gain_db: float) -> None:
    nat = gain_db / 20 * np.log(10)
    for seed in range(5):
        assert level_against_training(like_training(seed), MEAN, DEVIATION) == 0
        found = level_against_training(like_training(seed) + nat, MEAN, DEVIATION)
        assert found == pytest.approx(gain_db, abs=15)  # it says "about"


def test_pauses_and_missing_bands_do_not_make_a_recording_quiet() -> None:
    sound = like_training(0)
    silence = np.full_like(sound, -16.0)
    assert level_against_training(np.concatenate([sound[:60], silence]), MEAN, DEVIATION) == 0
    alone = np.where(np.arange(40) < 5, sound, -9.0)
    assert level_against_training(alone, MEAN, DEVIATION) == 0


def turned(folder: Path, song: str, gain_db: float) -> Path:
    sound, rate = sf.read(ROOT / "sample_data" / "audio" / f"{song}.ogg")
    path = folder / f"{song}{gain_db:+.0f}.wav"
    sf.write(path, sound[: 12 * rate] * 10 ** (gain_db / 20), rate, subtype="FLOAT")
    return path


def test_predict_names_what_is_far_too_quiet_or_loud(tmp_path: Path, command: Run) -> None:
    far = [turned(tmp_path, "gig_quin_blues", gain) for gain in (-30.0, 20.0)]
    near = [turned(tmp_path, song, 0.0) for song in SONGS]
    done = command("predict", *far, *near, "--classifier", CLASSIFIER, "--out", tmp_path / "p")
    assert done.code == 0, done.err
    warnings = json.loads((tmp_path / "p" / "run.json").read_text())["warnings"]
    assert [w.split(": ")[0] for w in warnings] == [str(path) for path in far]
    words = [w.split(": about ")[1].split(" than ")[0] for w in warnings]
    for text, gain, side in zip(words, (30, 20), ("quieter", "louder"), strict=True):
        level, unit, word = text.split()
        assert abs(float(level) - gain) < 10
        assert (unit, word) == ("dB", side)
    for warning in warnings:
        assert done.err.count(warning) == 1


def test_attribute_names_it_too(tmp_path: Path, command: Run) -> None:
    quiet = turned(tmp_path, "gig_quin_blues", -35.0)
    words = ("--method", "grad-cam", "--fill", "zero", "--classifier", CLASSIFIER)
    done = command("attribute", f"{quiet}@5", *words, "--out", tmp_path / "a")
    assert done.code == 0, done.err
    assert f"{quiet}: about" in done.err
    assert "dB quieter than the recordings that the classifier was trained on" in done.err
