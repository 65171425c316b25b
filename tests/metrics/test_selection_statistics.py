"""How often `select` and the page call sets different, by simulations whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from ganexplain.metrics.scores import Examples
from ganexplain.report.unit.findings import standing
from ganexplain.selection.ranking import ChosenSetting, score_control

KEYS = ("fid_response", "kid", "nearest_real")


@pytest.fixture(autouse=True)
def few_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sliced distance is resampled with the others, but not among `KEYS`."""
    monkeypatch.setattr("ganexplain.metrics.transport.DIRECTIONS", 2)


def examples(stream: np.random.Generator, response: np.ndarray) -> Examples:
    """Examples with these responses, features near them and mels of one cell."""
    features = response[:, None] + stream.normal(0, 1, (len(response), 2))
    return Examples(response[:, None, None], response, features)


def called_different(
    count: int, step: float, shared: float, seed: int, name: str, draws: int = 100
) -> np.ndarray:
    """Shares of draws, by `KEYS`: a control whose responses lie `step` lower than the chosen ones.

    `shared` is the part of the variance that both owe to their common starts. The responses are
    skewed, as those of searches of which some stay behind are.
    """
    stream = np.random.default_rng(seed)
    real = examples(stream, stream.normal(6, 0.5, 30))
    different = np.zeros(len(KEYS))
    for draw in range(draws):
        starts, ours, theirs = (stream.gamma(4, 0.5, count) - 2 for _ in range(3))
        chosen = 4 - np.sqrt(shared) * starts - np.sqrt(1 - shared) * ours
        control = 4 - step - np.sqrt(shared) * starts - np.sqrt(1 - shared) * theirs
        compared = examples(stream, control)
        baseline = ChosenSetting(examples(stream, chosen), real, draw)
        found = score_control(compared, baseline, name)
        different += [standing(found.differences[key], "low") != "alike" for key in KEYS]
    return different / draws


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "shared", "name"), [(12, 0.8, "start"), (50, 0.5, "start"), (20, 0.0, "held_out")]
)
def test_a_control_of_the_same_distribution_is_as_good(
    count: int, shared: float, name: str
) -> None:
    """By 95 % intervals one in twenty is called different; by bare points it was one in four."""
    shares = [called_different(count, 0.0, shared, seed, name) for seed in range(3)]
    assert np.mean(shares, axis=0).max() < 0.11


def test_a_control_that_is_further_is_called_different() -> None:
    """Pairs show a step that unpaired intervals of twelve examples would not."""
    assert called_different(12, 0.6, 0.9, 0, "start")[0] > 0.75
    assert called_different(12, 0.6, 0.9, 0, "held_out")[0] < 0.5
