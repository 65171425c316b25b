"""Adaptive search against closed forms, brute force over the grid, and `ascend` itself."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.adaptive import search_in_turn

from ganexplain.ascent.candidate import Found, Target
from ganexplain.ascent.engine import Objective, Trajectories, ascend, start_latents
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.errors import Diverged
from ganexplain.metrics.distances import frechet_distance, frechet_distances

SIZE = 4
RATES, WEIGHTS = (0.1, 0.01), (0.1, 0.001)
SETTINGS = AscentSettings(batch_size=16)


def linear(x: torch.Tensor) -> torch.Tensor:
    return x.sum(1)


def bent(x: torch.Tensor) -> torch.Tensor:
    """Steep at first, flat far out: settings differ in the spread of their responses."""
    return (3 * torch.tanh(0.5 * x) + 0.1 * x + 0.2 * torch.sin(3 * x)).sum(1)


def search(
    respond: Objective,
    real: np.ndarray,
    rates: Sequence[float] = RATES,
    weights: Sequence[float] = WEIGHTS,
    examples: int = 10,
    iterations: int = 200,
    seed: int = 0,
    settings: AscentSettings = SETTINGS,
    **limits: Any,
) -> Found:
    start, pairs = start_latents(seed, examples, SIZE), list(itertools.product(rates, weights))
    return search_in_turn(respond, start, pairs, iterations, real, settings, **limits)


def alone(respond: Objective, found: Found, row: int) -> Trajectories:
    """What `ascend` finds with one of the settings returned."""
    start = start_latents(0, found.latent.shape[1], SIZE)
    starts = Starts(start, float(found.learning_rate[row]), float(found.prior_weight[row]))
    return ascend(respond, starts, (int(found.iterations[row]),), SETTINGS)


def test_a_shift_of_all_responses_is_found_at_the_iteration_that_makes_it() -> None:
    """Adam moves each coordinate of a linear response by the learning rate at every step."""
    start = start_latents(0, 10, SIZE)
    real = start.sum(1) + SIZE * 0.1 * 7
    found = search(linear, real, rates=(0.1,), weights=(0.0,), budget=2000)
    assert found.distance[0] < 1e-6
    row = found.learning_rate.tolist().index(0.1)
    assert found.iterations[row] == 7
    assert found.latent[row] == pytest.approx(start + 0.7, abs=1e-3)


def test_every_setting_returned_is_what_ascend_finds_with_it_alone() -> None:
    real = np.random.default_rng(0).normal(7, 1, 20)
    found = search(bent, real)
    assert len(found.distance) >= 3
    for row in range(len(found.distance)):
        single = alone(bent, found, row)
        length = found.iterations[row] + 1
        assert found.latent[row] == pytest.approx(single.latent[0], abs=1e-5)
        assert found.response[row] == pytest.approx(single.response[0], abs=1e-5)
        assert np.array_equal(found.best_iteration[row], single.best_iteration[0])
        for ours, theirs in (
            (found.response_trace, single.response_trace),
            (found.latent_norm_trace, single.latent_norm_trace),
        ):
            assert ours[row, :, :length] == pytest.approx(theirs, abs=1e-5)
            assert np.isnan(ours[row, :, length:]).all()
        distance = frechet_distance(single.response[0], real)
        assert found.distance[row] == pytest.approx(distance, abs=1e-4)
    assert (np.diff(found.distance) >= 0).all()
    assert found.response_trace.shape[2] == found.iterations.max() + 1
    settings_found = list(zip(found.learning_rate, found.prior_weight, strict=True))
    assert len(set(settings_found)) == len(settings_found)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("real", [(5.0, 0.5), (9.0, 1.0), (12.0, 3.0)])
def test_no_worse_than_the_whole_grid_but_for_chance(seed: int, real: tuple[float, float]) -> None:
    sample = np.random.default_rng(seed).normal(*real, 30)
    counts = (20, 100, 200)
    pairs = np.array(list(itertools.product(RATES, WEIGHTS)))
    start = start_latents(100 * seed, 10, SIZE)
    rows = np.repeat(pairs, 10, axis=0)
    starts = Starts(np.tile(start, (len(pairs), 1)), rows[:, 0], rows[:, 1])
    grid = ascend(bent, starts, counts, AscentSettings(batch_size=64))
    both = grid.response.reshape(-1, 10)
    best = both[np.argmin([frechet_distance(r, sample) for r in both])]
    found = search(bent, sample, seed=100 * seed)
    rows = np.random.default_rng(0).integers(10, size=(1000, 10))  # starts, drawn again
    ours, theirs = (
        frechet_distances(r[rows][..., None], sample) for r in (found.response[0], best)
    )
    chance = 2 * (ours - theirs).std()
    assert found.distance[0] <= frechet_distance(best, sample) + chance
    assert found.example_iterations <= len(pairs) * 10 * max(counts) // 10


@settings(max_examples=25, deadline=None)
@given(
    examples=st.integers(2, 6),
    iterations=st.integers(1, 60),
    rates=st.lists(st.sampled_from([1.0, 0.1, 0.03, 0.01]), min_size=1, max_size=3, unique=True),
    weights=st.lists(st.sampled_from([0.0, 0.01, 0.5]), min_size=1, max_size=3, unique=True),
    mean=st.floats(-20, 20),
    rounds=st.integers(4, 100),
)
def test_the_budget_holds_and_all_evaluations_are_counted(
    examples: int, iterations: int, rates: list, weights: list, mean: float, rounds: int
) -> None:
    evaluated, told = 0, 0

    def respond(x: torch.Tensor) -> torch.Tensor:
        nonlocal evaluated
        evaluated += len(x)
        return bent(x)

    def advance(units: int, distance: float) -> None:
        nonlocal told
        told += units

    budget = rounds * examples
    found = search(
        respond, np.array([mean - 1, mean + 1]), examples=examples, iterations=iterations,
        rates=rates, weights=weights, budget=budget, advance=advance,
    )  # fmt: skip
    assert evaluated == told == found.example_iterations <= budget
    assert found.iterations.min() >= 1 and found.iterations.max() <= iterations
    assert np.isfinite(found.distance).all() and np.isfinite(found.response).all()


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_results_do_not_depend_on_the_batch_size(batch_size: int) -> None:
    real = np.random.default_rng(1).normal(8, 1, 20)
    together, apart = (
        search(bent, real),
        search(bent, real, settings=AscentSettings(batch_size=batch_size)),
    )
    assert together.example_iterations == apart.example_iterations
    assert np.array_equal(together.learning_rate, apart.learning_rate)
    assert np.array_equal(together.prior_weight, apart.prior_weight)
    assert np.array_equal(together.iterations, apart.iterations)
    assert together.latent == pytest.approx(apart.latent, abs=1e-5)


def test_minimising_is_maximising_the_negative() -> None:
    real = np.random.default_rng(2).normal(8, 1, 20)
    high = search(bent, real)
    low = search(lambda x: -bent(x), -real, settings=AscentSettings("min", 16))
    assert np.array_equal(high.latent, low.latent)
    assert np.array_equal(high.response, -low.response)
    assert np.array_equal(high.distance, low.distance)
    assert np.array_equal(high.response_trace, -low.response_trace, equal_nan=True)


def test_responses_out_of_reach_give_the_nearest_there_are() -> None:
    """A response below one: the setting returned has the highest of all that were run."""
    found = search(lambda x: torch.tanh(x.sum(1)), np.array([99.0, 101.0]), budget=2000)
    assert found.example_iterations <= 2000
    assert found.response[0].mean() == pytest.approx(found.response.mean(axis=1).max())
    assert found.response[0].min() > 0.9


def test_responses_below_the_starts_give_one_iteration() -> None:
    found = search(linear, np.array([-99.0, -98.0]))
    assert found.iterations[0] == 1
    assert found.example_iterations < 1500


def test_a_learning_rate_that_diverges_is_dropped() -> None:
    """Far from the origin the response is not finite; only the small learning rate stays near."""

    def brittle(x: torch.Tensor) -> torch.Tensor:
        return x.sum(1) / (x.abs().amax(1) < 20)

    real = start_latents(0, 10, SIZE).sum(1) + 2.0
    found = search(brittle, real, rates=(50.0, 0.1), iterations=100)
    assert found.learning_rate.max() < 50
    assert found.distance[0] < 1  # of 4 at the starts


def test_no_finite_response_at_all_is_said() -> None:
    with pytest.raises(Diverged, match="no setting has finite responses"):
        search(lambda x: x.sum(1) * torch.inf, np.array([1.0, 2.0]))


def test_what_cannot_be_searched_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        search(linear, np.array([1.0, 2.0]), budget=39)
    for real in ([1.0], [1.0, np.nan]):
        with pytest.raises(ValueError, match="two"):
            search(linear, np.array(real))


@settings(max_examples=200, deadline=None)
@given(
    kept=st.lists(st.floats(-20, 20), min_size=2, max_size=8),
    rises=st.lists(st.floats(0, 30), min_size=8, max_size=8),
    level=st.floats(-20, 40),
    mean=st.floats(-20, 20),
    std=st.floats(0, 10),
)
def test_no_rise_of_the_responses_comes_below_the_bound(
    kept: list, rises: list, level: float, mean: float, std: float
) -> None:
    """Neither rises at random nor the one that leaves the smallest deviation."""
    target, now = Target(mean, std, 1.0), np.array(kept)
    bound = target.least_later(now)
    for later in (now, now + rises[: len(now)], np.maximum(now, level)):
        assert target.distance(later[None])[0] >= bound - 1e-9 * (1 + bound)


def test_the_bound_rises_with_the_mean_beyond_the_real_one() -> None:
    target = Target(0.0, 1.0, 1.0)
    assert target.least_later(np.array([-3.0, -2.0])) == 0.0
    assert target.least_later(np.array([5.0, 5.0])) == pytest.approx(25.0)
    assert target.least_later(np.array([-9.0, 11.0])) > 10  # the spread alone


def test_a_tight_budget_goes_to_the_best_setting_alone() -> None:
    """Too little to run all three prior weights to the real responses, enough for one."""
    real = start_latents(0, 10, SIZE).sum(1) + SIZE * 0.316 * 8
    found = search(linear, real, rates=(0.1,), weights=(0.1, 0.01, 0.0), budget=180)
    assert found.iterations[0] >= 7
    assert found.distance[0] < 1


def test_settings_that_differ_by_chance_alone_are_not_searched_further() -> None:
    """Weights make no difference to a linear response from few steps: one of them goes on."""
    real = start_latents(0, 10, SIZE).sum(1) + SIZE * 0.1 * 8
    found = search(linear, real, rates=(0.1, 0.01), weights=(1e-4, 1e-3, 1e-5), iterations=1000)
    rates = found.learning_rate.tolist()
    assert rates.count(0.316) == 3 and rates.count(0.1) == 1
    largest = found.learning_rate > 0.3
    distances = [frechet_distance(each, real) for each in found.response[largest]]
    (further,) = set(found.prior_weight[~largest])
    assert further == found.prior_weight[largest][np.argmin(distances)]
    assert len(rates) <= 6


@pytest.mark.parametrize("direction", ["max", "min"])
def test_the_standard_error_of_a_shift_is_that_of_the_mean(direction: str) -> None:
    """A shift c leaves the deviation: distances differ by 2 c (m - M) + c^2, M the real mean."""
    draw = np.random.default_rng(0)
    one, real = draw.normal(2, 3, 200), draw.normal(5, 1, 30)
    target = Target.of(real, direction)
    of_mean = one.std() / np.sqrt(len(one))
    assert target.standard_error(one, one + 0.5) == pytest.approx(2 * 0.5 * of_mean, rel=0.1)
    assert target.standard_error(one, one) == 0


def test_weights_that_matter_are_varied() -> None:
    """A strong prior narrows the responses, as the real ones are."""
    real = np.random.default_rng(0).normal(6, 0.2, 30)
    found = search(bent, real, rates=(0.1,), weights=(0.3, 0.003), iterations=1000)
    assert len(set(found.prior_weight)) > 2
