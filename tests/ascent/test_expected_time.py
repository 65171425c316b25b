"""How long `run` expects its stages to take: the amount of work times a measured pace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.paths import PRETRAINED
from support.recordings import SECONDS, JamendoFolder
from torch import nn

from ganexplain.ascent import expected_time
from ganexplain.ascent.expected_time import expected_seconds, seconds_per_iteration
from ganexplain.config import ExplainConfig, RunConfig
from ganexplain.corpora.load import open_corpus
from ganexplain.stages.run import range_of_time


class Clock(nn.Module):
    """A network that takes a given time, by a clock that it moves itself."""

    def __init__(self, seconds: list[float]) -> None:
        super().__init__()
        self.seconds, self.now = seconds, 0.0

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        self.now += self.seconds.pop()
        return latent


def test_the_pace_is_that_of_the_fastest_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([5.0, 2.0, 9.0])
    monkeypatch.setattr(expected_time.time, "perf_counter", lambda: clock.now)
    found = seconds_per_iteration(clock, nn.Identity(), torch.zeros(4, 1))
    assert found == pytest.approx(3 * 2.0 / 4)  # three passes an iteration, four rows a pass


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
    found = expected_seconds(config, search, corpus)
    assert found["responses"] == pytest.approx(2.0 * 4 * SECONDS)  # four recordings
    assert found["validate"] == pytest.approx(0.8 * SECONDS)  # one of them
    assert found["explain"] == pytest.approx(0.5 * 0.1 * 9 * 10 * 100)
    grid = expected_seconds(config, replace(search, search="grid"), corpus)
    assert grid["explain"] == pytest.approx(9 * 10 * 100)
    both = expected_seconds(config, replace(search, direction="both"), corpus)
    assert both["explain"] == 2 * found["explain"] and both["responses"] == found["responses"]
