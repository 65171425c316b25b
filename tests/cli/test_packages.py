"""A method, a score, a loss and an input of a package outside the tree, used from the shell."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import Finished, Run, finished_fork
from support.paths import PRETRAINED, ROOT, SAMPLE
from support.recordings import JamendoFolder

MODULE = """
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ganexplain.attribution.methods.base import Attribution, Method, Question
from ganexplain.gans.losses import Loss, Recipe
from ganexplain.metrics.scores import ScoreKind


@dataclass(frozen=True)
class Rising(Method):
    \"\"\"Weights that rise with the number of the segment.\"\"\"

    samples: int  # an option of `attribute`
    power: int = 2

    def ask(self, question: Question, seed: int) -> Attribution:
        weights = np.arange(question.parts.count) ** float(self.power)
        details = {"asked_for": self.samples}
        return Attribution.from_weights(question, weights, details=details)


class LeastSquares(Loss):
    recipe = Recipe(2, 1e-4, (0.5, 0.99))

    def discriminator(self, on_real: Tensor, on_fake: Tensor) -> Tensor:
        return (on_real - 1).square().mean() + on_fake.square().mean()

    def generator(self, on_fake: Tensor, on_real: Tensor) -> Tensor:
        return (on_fake - 1).square().mean()


LEAST_SQUARES = LeastSquares()

def gap(pair):
    return float(abs(np.median(pair.examples.response) - np.median(pair.real.response)))


def gaps(pair, rows):
    return abs(np.median(pair.examples.response[rows], axis=1) - np.median(pair.real.response))


GAP = ScoreKind("median_gap", "median gap", "how far the median responses lie apart", "low",
                gap, gaps, rule="median-gap")
"""
POINTS = {
    "ganexplain.methods": {"rising": "rising:Rising"},
    "ganexplain.scores": {"median_gap": "rising:GAP"},
    "ganexplain.losses": {"least-squares": "rising:LEAST_SQUARES"},
}
SOUND = SAMPLE / "audio" / "alone_ana_dorian_dry.ogg"
WITH_SHIPPED = ("--classifier", PRETRAINED / "classifier.pt", "-q")


def install(folder: Path, name: str, points: dict[str, dict[str, str]], module: str = "") -> None:
    """A package as pip leaves one: a module, and entry points beside it."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    groups = (
        "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())])
        for group, entries in points.items()
    )
    (metadata / "entry_points.txt").write_text("\n".join(groups))
    (folder / f"{name}.py").write_text(module)


@pytest.fixture
def packaged(corpus_cache: Path, tmp_path: Path) -> Callable[..., Finished]:
    """Runs the command where the packages in the folder `site` are installed."""
    (tmp_path / "site").mkdir()
    paths = [str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]

    def run(*words: str | Path) -> Finished:
        return finished_fork(words, corpus_cache, {"PYTHONPATH": os.pathsep.join(paths)})

    return run


@pytest.mark.slow
def test_a_package_adds_a_method(packaged: Run, tmp_path: Path) -> None:
    install(tmp_path / "site", "rising", POINTS, MODULE)
    listed = packaged("attribute", "--help")
    assert "From other packages: rising." in " ".join(listed.out.replace("│", " ").split())
    done = packaged("attribute", f"{SOUND}@3", "--method", "rising", "--samples", "77",
                    *WITH_SHIPPED, "--out", tmp_path / "a")  # fmt: skip
    assert done.code == 0, done.err
    assert "rising, 6x4, mean" in done.out
    assert "rising" in (tmp_path / "a" / "report.html").read_text()
    (entry,) = json.loads((tmp_path / "a" / "attributions.json").read_text())["inputs"]
    assert entry["results"][0]["details"] == {"asked_for": 77}
    assert entry["results"][0]["kept"] == [21, 22, 23]
    unknown = packaged("attribute", f"{SOUND}@3", "--method", "risen", *WITH_SHIPPED,
                       "--out", tmp_path / "b")  # fmt: skip
    assert "did you mean 'rising'?" in unknown.error_line()


@pytest.mark.slow
def test_a_package_adds_a_score(packaged: Run, some_of_the_sample: Path, tmp_path: Path) -> None:
    install(tmp_path / "site", "rising", POINTS, MODULE)
    explained, out = tmp_path / "explain" / "explanations.npz", tmp_path / "select"
    networks = (*WITH_SHIPPED, "--gan", PRETRAINED / "gan.pt")
    done = packaged("explain", *networks, *"--examples 4 --learning-rate 0.1".split(),
                    *"--prior-weight 0.1 --iterations 1 --iterations 3 --jobs 1".split(),
                    "--out", explained.parent)  # fmt: skip
    assert done.code == 0, done.err
    asked = ("select", explained, "--corpus", some_of_the_sample, "--hop-frames", "200",
             "--top", "4", "-q")  # fmt: skip
    unknown = packaged(*asked, "--by", "median-gaps", "--out", out)
    assert "did you mean 'median-gap'?" in unknown.error_line()
    done = packaged(*asked, "--by", "median-gap", "--no-controls", "--out", out)
    assert done.code == 0, done.err
    assert "median gap" in done.out and "by median-gap:" in done.out
    rows = json.loads((out / "selection.json").read_text())["configurations"]
    best = min(rows, key=lambda row: row["median_gap"])
    assert best["rank"] == 1 and best["median_gap_interval"][0] <= best["median_gap"]
    done = packaged("report", explained, "--selection", out, "--out", tmp_path / "r", "-q")
    assert done.code == 0, done.err
    page = (tmp_path / "r" / "report.html").read_text()
    assert "median gap" in page and "how far the median responses lie apart" in page


@pytest.mark.slow
def test_a_package_adds_a_loss(packaged: Run, jamendo: JamendoFolder, tmp_path: Path) -> None:
    install(tmp_path / "site", "rising", POINTS, MODULE)
    words = ("train-gan", jamendo.root, "--out", tmp_path / "gan", "-q", "--steps", "1",
             "--autoencoder-steps", "0", "--encoder-steps", "1", "--channels", "16")  # fmt: skip
    unknown = packaged(*words, "--loss", "least-square")
    assert "did you mean 'least-squares'?" in unknown.error_line()
    done = packaged(*words, "--loss", "least-squares")
    assert done.code == 0, done.err
    assert (tmp_path / "gan" / "gan.pt").is_file()


NETWORK = """
import torch
from torch import nn


class Loudness(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.act, self.fc = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.act(self.conv(x[:, None])).flatten(2).mean(2))


def network():
    torch.manual_seed(0)
    return Loudness()
"""
SPECIFICATION = """
kind = "envelope"
sample_rate = 8000
hop = 100
bands = 8
frames = 16
[network]
classes = ["soft", "loud"]
"""


@pytest.mark.slow
def test_a_package_adds_a_kind_of_input(
    packaged: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    module = (ROOT / "tests" / "support" / "envelope.py").read_text() + NETWORK
    points = {"ganexplain.inputs": {"envelope": "envelopes:Envelope"}}
    install(tmp_path / "site", "envelopes", points, module)
    (tmp_path / "envelope.toml").write_text(SPECIFICATION)
    taken = ("--input", tmp_path / "envelope.toml")
    network, corpus = ("--model", "envelopes:network", *taken), ("--corpus", jamendo.root)
    recording = sorted((jamendo.root / "audio").iterdir())[0]
    runs = {name: tmp_path / name for name in ("gan", "explain", "select", "report", "attribute")}
    commands: tuple[tuple[str | Path, ...], ...] = (
        ("layers", "envelopes:network", *taken, "--example", recording),
        ("train-gan", jamendo.root, *taken, "--out", runs["gan"], "--steps", "2",
         "--sample-every", "2", "--autoencoder-steps", "1", "--encoder-steps", "1",
         "--batch-size", "4", "--channels", "16"),
        ("explain", *network, "--gan", runs["gan"] / "gan.pt", "--layer", "conv", "--neuron", "1",
         "--examples", "3", "--iterations", "2", "--learning-rate", "0.01", "--prior-weight", "0.1",
         "--jobs", "1", "--out", runs["explain"]),
        ("select", runs["explain"], "--classifier", "envelopes:network", *corpus,
         "--hop-frames", "20", "--out", runs["select"]),
        ("report", runs["explain"], "--selection", runs["select"], "--out", runs["report"]),
        ("attribute", recording, *network, "--method", "occlusion", "--out", runs["attribute"]),
    )  # fmt: skip
    for words in commands:
        done = packaged(*words, "--quiet")
        assert done.code == 0, done.err
    assert list(runs["gan"].glob("samples-*.png")) and list(runs["gan"].glob("samples-*.flac"))
    page = (runs["report"] / "report.html").read_text()
    assert "16 x 8 pixels, grey" in page and "data:audio/flac" in page and "real excerpts" in page
    assert "Why " in (runs["attribute"] / "report.html").read_text()


@pytest.mark.slow
def test_a_broken_package_is_one_line_where_it_is_asked_for(packaged: Run, tmp_path: Path) -> None:
    points = {group: {"crooked": "crooked:ENTRY"} for group in POINTS}
    install(tmp_path / "site", "crooked", points, "raise ValueError('bent')")
    helped = packaged("--help")
    assert helped.code == 0 and "attribute" in helped.out
    listed = packaged("train-gan", "--help")
    assert "From other packages: crooked." in " ".join(listed.out.replace("│", " ").split())
    done = packaged("attribute", f"{SOUND}@3", "--method", "crooked", *WITH_SHIPPED,
                    "--out", tmp_path / "a")  # fmt: skip
    assert done.error_line().startswith("package crooked: 'crooked' of its entry points")
    assert "(bent); repair or uninstall it" in done.error_line()
    done = packaged("attribute", f"{SOUND}@3", "--method", "random", *WITH_SHIPPED,
                    "--out", tmp_path / "b")  # fmt: skip
    assert done.code == 0, done.err  # what is not asked for is not loaded
