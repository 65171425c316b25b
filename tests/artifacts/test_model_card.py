"""Model cards have the command that repeats a training, the hours of its data, and its measures."""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from support.commands import Run

from ganexplain.artifacts.model_card import Figures, ModelCard, seconds_of
from ganexplain.config import TrainClassifierConfig, TrainExplainerConfig, TrainGanConfig
from ganexplain.config.setting import command_text
from ganexplain.corpora.interfaces import AnySplit
from ganexplain.corpora.picture_folders import ImageSplit, Picture
from ganexplain.corpora.recordings import Recording
from ganexplain.corpora.splits import Split
from ganexplain.corpora.waveform_split import WaveformSplit
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput

SONGS = tuple(Recording(Path(f"{k}.ogg"), "train", (), Path("l")) for k in "ab")


def log_mels() -> Split:
    """Recordings of 700 and 1,400 frames, 70 a second."""
    mels = tuple(np.zeros((frames, 80), np.float32) for frames in (700, 1400))
    return Split(SONGS, mels, (), FrontEnd(sample_rate=22_050, hop_length=315))


def test_the_length_of_the_data_is_that_of_the_recordings() -> None:
    assert seconds_of(log_mels()) == pytest.approx(30)
    sounds = tuple(np.zeros(8000 * seconds, np.int16) for seconds in (3, 5))
    waveforms = WaveformSplit(SONGS, sounds, WaveformInput(sample_rate=8000, samples=4096))
    assert seconds_of(waveforms) == pytest.approx(8)
    pictures = ImageSplit(
        (Picture(Path("a/b.png"), "train", 0),), np.zeros((1, 1, 8, 8), np.float32), np.zeros(1),
        ImageInput(channels=1, height=8, width=8),
    )  # fmt: skip
    assert seconds_of(pictures) == 0


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("train-classifier", TrainClassifierConfig(corpus=("a b", "c"), masks=False, seed=3)),
        ("train-classifier", TrainClassifierConfig(corpus=("x",), optimiser="sgd")),
        ("train-gan", TrainGanConfig(corpus=("a",), preset="large", channels=512, augment=True)),
        ("train-explainer", TrainExplainerConfig(corpus=("a",), classifier=("b.pt", "c.pt"))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_command_has_all_settings(
    command: Run, name: str, config: TrainClassifierConfig
) -> None:
    words = shlex.split(command_text(name, config))
    assert words[:2] == ["ganexplain", name] and words[-2:] == ["--out", "OUT"]
    done = command(*words[1:], "--dry-run")
    assert done.code == 0, done.err
    wanted = {key.replace("_", "-"): value for key, value in asdict(config).items()}
    found = tomllib.loads(done.out)
    assert {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()} == wanted


def test_where_a_training_ran_is_no_matter() -> None:
    config = TrainClassifierConfig(corpus=("a",), workers=3, device="cuda:1", cache="/home/me")
    assert command_text("train-classifier", config) == "ganexplain train-classifier a --out OUT"


def test_a_card_has_what_its_reader_asks_for(tmp_path: Path) -> None:
    split: AnySplit = log_mels()
    config = TrainClassifierConfig(corpus=("songs {x}",), seed=7)
    figures: Figures = {"valid": {"error": 0.12345, "auroc": 0.9}, "epoch": 3}
    path = tmp_path / "classifier.pt"
    ModelCard(path, "A classifier.", config, {"train": split, "valid": split}, figures).write()
    text = (tmp_path / "README.md").read_text()
    head = text.split("---")[1]
    assert "license: unknown" in head and "library_name: ganexplain" in head
    for part in (
        "log-mel, bands 80 x frames 115, 1.68 s",
        "ganexplain train-classifier 'songs {x}' --seed 7 --out OUT",
        "| train | 2 | 0.01 |",
        "| valid: error | 0.1235 |",
        "| epoch | 3 |",
        "hf://OWNER/NAME",
        "To be filled in",
    ):
        assert part in text, part
