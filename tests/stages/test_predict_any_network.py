"""`predict --model`: networks of the user's own, against their plain computation."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.commands import Finished, Run
from support.paths import PRETRAINED
from support.recordings import RATE, noise, song, write_sound

from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.networks.decisions import class_names, class_probabilities, probability_threshold

CODE = """
import torch
from torch import nn

class Waves(nn.Module):
    '''Logits (B, 3) of half a second at 8 kHz: levels of its halves, and a constant.'''
    def forward(self, x):
        first, second = x.chunk(2, dim=1)
        levels = torch.stack([first.square().mean(1), second.square().mean(1)], 1).log()
        return torch.cat([levels, levels.new_full((len(x), 1), -8.0)], 1)

class Mels(nn.Module):
    '''The probability (B, 1) that the middle bands are louder than the rest.'''
    def forward(self, x):
        return torch.sigmoid(x[:, 10:30].mean((1, 2)) - x.mean((1, 2)))[:, None]

class Frames(nn.Module):
    '''Activations (B, 2, T) of two bands.'''
    def forward(self, x):
        return torch.sigmoid(x[:, (3, 40)] + 4)

class Colours(nn.Module):
    '''Logits (B, 3): the mean of each channel.'''
    def forward(self, x):
        return 9 * x.mean((2, 3))

class Nothing(nn.Module):
    def forward(self, x):
        return x.mean(1)[:, :2] * torch.nan
"""
WAVES = 'kind = "waveform"\nsample_rate = 8000\nsamples = 4000\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(CODE)
    write_sound(tmp_path / "song.wav", song(0))
    write_sound(tmp_path / "brief.wav", noise(0.3))
    (tmp_path / "waves.toml").write_text(
        f'{WAVES}\n[network]\nclasses = ["early", "late", "silence"]\n'
    )
    (tmp_path / "mels.toml").write_text('[network]\nclasses = ["rest", "middle"]\n')
    (tmp_path / "above.toml").write_text('[network]\nclasses = ["rest", "middle"]\nthreshold=0.6\n')
    return tmp_path


def predicted(
    command: Run, folder: Path, network: str, described: str, *more: str | Path
) -> Finished:
    model = f"{folder}/nets.py:{network}"
    given = ("--input", folder / described) if described else ()
    out = ("--out", folder / "out", "--overwrite", "-q")
    return command("predict", "--model", model, *given, *more, *out)


def curve(folder: Path, name: str) -> tuple[list[str], np.ndarray]:
    with (folder / "out" / f"{name}.csv").open() as stream:
        header, *rows = csv.reader(stream)
    return header, np.array(rows, dtype=float)


def test_waveforms_are_predicted_excerpt_by_excerpt(command: Run, folder: Path) -> None:
    done = predicted(command, folder, "Waves", "waves.toml", folder / "song.wav")
    assert done.code == 0, done.err
    header, rows = curve(folder, "song")
    assert header == ["time_s", "early", "late", "silence"]
    sound = load_mono(folder / "song.wav", 8000)
    starts = np.round((rows[:, 0] - 0.25) * 8000).astype(int)
    assert set(np.diff(starts)) <= {4 * 114, 3 * 114}  # a tenth of 0.5 s, in 1/70 s
    assert starts[0] == 0 and starts[-1] > sound.size - 4000 - 4 * 114
    for start, found in zip(starts, rows[:, 1:], strict=True):
        halves = sound[start : start + 4000].reshape(2, 2000).astype(float)
        logits = np.array([*np.log((halves**2).mean(axis=1)), -8.0])
        wanted = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(found, wanted, atol=2e-6)
    assert (folder / "out" / "song.png").stat().st_size > 1000
    labels = (folder / "out" / "song.lab").read_text().split()
    assert float(labels[-2]) == pytest.approx(4.0) and set(labels[2::3]) <= set(header[1:])


def test_one_probability_means_two_classes(command: Run, folder: Path) -> None:
    done = predicted(
        command, folder, "Mels", "mels.toml", folder / "song.wav", "--hop-seconds", "0.4", "--json"
    )
    document = json.loads(done.out)
    assert (document["threshold"], document["classes"]) == (0.5, ["rest", "middle"])
    assert document["classifier"] == f"{folder}/nets.py:Mels"
    _, rows = curve(folder, "song")
    np.testing.assert_allclose(np.diff(rows[:, 0]), 0.4)
    mel = log_mel(load_mono(folder / "song.wav", RATE), FrontEnd()).T
    for at, (time, *found) in enumerate(rows):
        part = mel[:, at * 28 : at * 28 + 115]
        chance = 1 / (1 + np.exp(part.mean() - part[10:30].mean()))
        np.testing.assert_allclose(found, [1 - chance, chance], atol=2e-6)
        middle = (at * 28 * 315 + (114 * 315 + 1024) / 2) / RATE
        assert time == pytest.approx(middle, abs=1e-4)
    shares = document["files"][0]["shares"]
    above = predicted(command, folder, "Mels", "above.toml", folder / "song.wav", "--json")
    assert json.loads(above.out)["threshold"] == 0.6
    assert json.loads(above.out)["files"][0]["shares"]["middle"] <= shares["middle"]


def test_outputs_of_several_places_are_averaged(command: Run, folder: Path) -> None:
    done = predicted(command, folder, "Frames", "", folder / "song.wav", "--hop-seconds", "9")
    assert done.code == 0, done.err
    header, rows = curve(folder, "song")
    assert header == ["time_s", "0", "1"]
    mel = log_mel(load_mono(folder / "song.wav", RATE), FrontEnd()).T[:, :115]
    wanted = (1 / (1 + np.exp(-mel[[3, 40]] - 4))).mean(axis=1)
    np.testing.assert_allclose(rows[0, 1:], wanted, atol=2e-6)
    assert len(rows) == 1  # of the first excerpt, not of the middle of the recording
    assert rows[0, 0] == pytest.approx((114 * 315 + 1024) / 2 / RATE, abs=1e-4)


def test_a_recording_shorter_than_an_excerpt_has_one_prediction(command: Run, folder: Path) -> None:
    done = predicted(
        command, folder, "Waves", "waves.toml", folder / "song.wav", folder / "brief.wav"
    )
    assert done.code == 0, done.err
    _, rows = curve(folder, "brief")
    assert len(rows) == 1 and rows[0, 0] == pytest.approx(0.15)
    assert (folder / "out" / "brief.lab").read_text().startswith("0.000 0.300 ")
    inputs = json.loads((folder / "out" / "run.json").read_text())["inputs"]
    assert {"code", "input", str(folder / "brief.wav")} <= set(inputs)


def test_pictures_are_predicted(command: Run, folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 3)).astype(np.uint8)
    for number, each in enumerate(pixels):
        Image.fromarray(each).save(folder / f"{number}.png")
    (folder / "picture.toml").write_text(
        'kind = "image"\nchannels = 3\nheight = 6\nwidth = 5\n[network]\nclasses = ["r","g","b"]\n'
    )
    names = [folder / f"{number}.png" for number in range(3)]
    done = predicted(command, folder, "Colours", "picture.toml", *names)
    assert done.code == 0, done.err
    with (folder / "out" / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for row, each in zip(rows, pixels, strict=True):
        logits = 9 * each.reshape(-1, 3).mean(axis=0) / 255
        wanted = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose([float(row[name]) for name in "rgb"], wanted, atol=2e-6)
        assert row["class"] == "rgb"[int(wanted.argmax())]


def test_what_cannot_be_predicted_is_said_in_one_line(command: Run, folder: Path) -> None:
    song_file = folder / "song.wav"
    assert "--model: returns NaN" in predicted(command, folder, "Nothing", "", song_file).err
    ours = ("predict", song_file, "--classifier", PRETRAINED / "classifier.pt", "-q")
    for option in (("--hop-seconds", "1"), ("--outputs", "logits")):
        done = command(*ours, *option, "--out", folder / "other")
        assert done.error_line() == f"{option[0]}: goes with --model"
    done = command("predict", song_file, "--out", folder / "other")
    assert "--classifier, or --model" in done.error_line()
    done = predicted(command, folder, "Mels", "mels.toml", song_file, "--outputs", "activations")
    assert done.error_line().startswith("classes: 2 names for 1 activations")
    assert not list((folder / "out").glob("song*"))
    done = predicted(command, folder, "Waves", "waves.toml", folder / "absent.wav")
    assert "absent.wav" in done.error_line()


def test_kinds_of_outputs_become_probabilities() -> None:
    z = torch.tensor([[0.3], [-2.0]])
    torch.testing.assert_close(
        class_probabilities(z, "logits")[:, 1], torch.sigmoid(z.double())[:, 0]
    )
    torch.testing.assert_close(
        class_probabilities(torch.tensor([[0.2, 0.8]]), "probabilities"),
        torch.tensor([[0.2, 0.8]]).double(),
    )
    assert class_names((), 1, "logits") == ("negative", "positive")
    assert class_names(("a",), 1, "logits") == ("not a", "a")
    assert (
        probability_threshold(0.0, "probabilities") == probability_threshold(0.0, "logits") == 0.5
    )
    assert probability_threshold(np.log(3.0), "logits") == pytest.approx(0.75)
