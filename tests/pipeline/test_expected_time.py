"""How long `run` expects its stages to take: the amount of work times a measured pace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.paths import PRETRAINED
from support.recordings import SECONDS, JamendoFolder
from torch import nn

from ganexplain.config import ExplainConfig, RunConfig, TrainGanConfig
from ganexplain.corpora.load import open_corpus
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.pipeline import expected_time
from ganexplain.pipeline.expected_time import ExpectedTime, seconds_per_iteration
from ganexplain.pipeline.expected_training import TriedGan
from ganexplain.pipeline.steps import range_of_time


class Clock(nn.Module):
    """A network that takes a given time, by a clock that it moves itself."""

    def __init__(self, seconds: list[float]) -> None:
        super().__init__()
        self.seconds, self.now = seconds, 0.0

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        self.now += self.seconds.pop()
        return latent


def test_the_pace_is_the_mean_without_the_first_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([4.0, 2.0, 9.0])  # from the last to the first
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    found = seconds_per_iteration(clock, nn.Identity(), torch.zeros(4, 1))
    assert found == pytest.approx(3 * 3.0 / 4)  # three passes an iteration, four rows a pass


def test_a_gan_has_as_many_updates_as_there_is_time_for() -> None:
    generator = nn.Identity()
    tried = TriedGan(generator, FrontEnd(), update=0.5, coder=0.1)  # type: ignore[arg-type]
    usual = TrainGanConfig(corpus=("x",))  # 1000 updates of the decoder, 500 of the encoder
    long = tried.settings(usual, 10)
    assert (long.autoencoder_steps, long.encoder_steps, long.steps) == (1000, 500, 900)
    assert tried.seconds(long) == pytest.approx(600)
    short = tried.settings(usual, 1)  # 15 s, 6 s, and the 39 s that are left
    assert (short.autoencoder_steps, short.encoder_steps, short.steps) == (150, 60, 78)
    further = tried.settings(replace(usual, start="gan.pt"), 1)
    assert (further.autoencoder_steps, further.encoder_steps, further.steps) == (1000, 60, 108)
    assert tried.seconds(further) == pytest.approx(60)  # the decoder is not trained
    assert tried.settings(usual, 0.0001).steps == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 to 1 s"), (12, "6 to 24 s"), (70, "1 to 2 min"), (600, "5 to 20 min")],
)
def test_an_expected_time_is_given_from_half_to_twice(seconds: float, words: str) -> None:
    assert range_of_time(seconds) == words


def test_stages_take_as_long_as_their_work(
    jamendo: JamendoFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected_time, "seconds_per_iteration", lambda *networks: 1.0)
    names: dict[str, Any] = {
        "classifier": str(PRETRAINED / "classifier.pt"),
        "gan": str(PRETRAINED / "gan.pt"),
        "examples": 10,
    }
    config = RunConfig(corpus=(str(jamendo.root),), encoder=("descriptors",), **names)
    search = ExplainConfig(search="adaptive", iterations=(100,), **names)
    corpus = open_corpus(config.corpus)
    found = ExpectedTime.of(config, search, corpus).seconds()
    assert found["responses"] == pytest.approx(2.0 * 4 * SECONDS)  # four recordings
    assert found["validate"] == pytest.approx(0.8 * SECONDS)  # one of them
    assert found["explain"] == pytest.approx(60 * 10)
    short = ExpectedTime.of(config, replace(search, iterations=(50,)), corpus).seconds()
    assert short["explain"] == pytest.approx(0.1 * 9 * 10 * 50)
    grid = ExpectedTime.of(config, replace(search, search="grid"), corpus).seconds()
    assert grid["explain"] == pytest.approx(9 * 10 * 100)
    both = ExpectedTime.of(config, replace(search, direction="both"), corpus).seconds()
    assert both["explain"] == 2 * found["explain"] and both["responses"] == found["responses"]
    for direction in ("max", "both"):  # a search of elites is for all units at once
        elites = replace(search, search="elites", calls=5, direction=direction)
        assert ExpectedTime.of(config, elites, corpus).seconds()["explain"] == 9 * 10 * 100 * 5
