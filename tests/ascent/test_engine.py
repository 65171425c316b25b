"""Latent ascent against closed forms, the authors' published numbers and torch's own Adam."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganexplain.ascent.engine import Trajectories, ascend, start_latents
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.classifiers.base import initialise
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.errors import Diverged
from ganexplain.files.checkpoints import freeze_network
from ganexplain.gans.dcgan import Generator
from ganexplain.networks.hooks import unit_response
from ganexplain.networks.units import Unit

CPU = torch.device("cpu")


def networks() -> tuple[Generator, SVDNet]:
    torch.manual_seed(0)
    network = SVDNet()
    initialise(network, 0)
    return freeze_network(Generator(), CPU), freeze_network(network, CPU)


def search(
    rows: int = 3,
    iterations: tuple[int, ...] = (3, 8),
    batch_size: int = 8,
    direction: str = "max",
    rate: float = 0.05,
) -> Trajectories:
    generator, network = networks()
    with unit_response(network, Unit.parse("fc9:0")) as respond:
        return ascend(
            lambda z: respond(generator(z)),
            Starts(start_latents(0, rows, 128), rate, 0.01),
            iterations,
            AscentSettings(direction, batch_size),
        )


def first(latent: torch.Tensor) -> torch.Tensor:
    return latent[:, 0]


def test_start_norms_are_those_the_authors_plotted() -> None:
    norms = np.linalg.norm(start_latents(0, 50, 128), axis=1)
    assert norms[[4, 10, 21, 39]] == pytest.approx([10.890, 11.114, 11.750, 11.209], abs=6e-4)


def test_a_start_depends_on_seed_plus_k_alone() -> None:
    many = start_latents(0, 20, 128)
    assert np.array_equal(many[7:9], start_latents(7, 2, 128))


def test_the_first_step_of_adam_moves_each_coordinate_by_the_learning_rate() -> None:
    start = np.array([[1.0, -2.0, 0.5]], np.float32)
    slope = torch.tensor([3.0, -4.0, 0.01])
    found = ascend(lambda x: (x * slope).sum(1), Starts(start, 0.1), (1,), AscentSettings())
    expected = start + 0.1 * np.sign(slope.numpy())
    assert found.latent[0] == pytest.approx(expected, abs=1e-5)
    assert found.response[0, 0] == pytest.approx(float((expected * slope.numpy()).sum()), abs=1e-5)


def test_trajectory_equals_that_of_torch_s_adam() -> None:
    """Up to where epsilon stands, 1e-8 of gradients of order one."""
    start = np.random.default_rng(0).normal(size=(1, 6)).astype(np.float32)

    def response(x: torch.Tensor) -> torch.Tensor:
        return torch.sin(2 * x).sum(1)

    weight = 0.3
    found = ascend(response, Starts(start, 0.05, weight), (40,), AscentSettings())
    z = torch.tensor(start, requires_grad=True)
    adam = torch.optim.Adam([z], lr=0.05)
    trace = [response(z).item()]
    for _ in range(40):
        adam.zero_grad()
        (-(response(z) - weight * z.square().sum(1)).sum()).backward()
        adam.step()
        trace.append(response(z).item())
    assert found.response_trace[0] == pytest.approx(trace, abs=1e-4)


def test_the_prior_alone_pulls_the_latent_to_the_origin_in_both_directions() -> None:
    start = np.full((1, 4), 2.0, np.float32)
    for direction in ("max", "min"):
        settings = AscentSettings(direction)
        found = ascend(lambda x: 0 * x.sum(1), Starts(start, 0.05, 1.0), (200,), settings)
        assert found.latent_norm_trace[0, 0] == pytest.approx(4.0)
        assert found.latent_norm_trace[0, -1] < 0.1


def test_minimising_is_maximising_the_negative() -> None:
    starts = Starts(start_latents(0, 2, 5), 0.1, 0.1)

    def bumps(x: torch.Tensor) -> torch.Tensor:
        return torch.cos(x).sum(1)

    low = ascend(bumps, starts, (20,), AscentSettings("min"))
    high = ascend(lambda x: -bumps(x), starts, (20,), AscentSettings("max"))
    assert np.array_equal(low.latent, high.latent)
    assert np.array_equal(low.response, -high.response)


def test_the_best_iterate_is_kept_and_the_last_is_evaluated() -> None:
    """A response that overshoots: the best is in the middle; one that grows: the last is best."""
    start = np.array([[0.0], [0.0]], np.float32)
    found = ascend(
        lambda x: 1 - (x[:, 0] - 0.25).square(),
        Starts(start, np.array([0.1, 0.01])),
        (5,),
        AscentSettings(),
    )
    trace = found.response_trace
    assert trace.shape == (2, 6)
    assert found.best_iteration[0].tolist() == trace.argmax(axis=1).tolist()
    assert found.response[0] == pytest.approx(trace.max(axis=1))
    assert found.best_iteration[0, 0] < 5 and found.best_iteration[0, 1] == 5


def test_the_authors_keep_an_iterate_that_is_better_by_a_tenth() -> None:
    """Responses 0.06 k of the k-th iterate: kept are 0, 2 and 4."""
    starts = Starts(np.zeros((1, 1), np.float32), 0.06)
    best, authors = (
        ascend(first, starts, (5,), AscentSettings(hysteresis=rule)) for rule in (False, True)
    )
    np.testing.assert_array_equal(best.response_trace, authors.response_trace)
    np.testing.assert_allclose(best.response_trace[0], 0.06 * np.arange(6), atol=1e-3)
    assert best.best_iteration.tolist() == [[5]] and authors.best_iteration.tolist() == [[4]]
    assert authors.response[0, 0] == pytest.approx(0.24, abs=1e-3)


def test_their_rule_compares_sizes_even_where_the_sign_changes() -> None:
    """From -0.16 to 0.16: higher, and as large."""
    starts = Starts(np.full((1, 1), -0.16, np.float32), 0.32)
    found = ascend(first, starts, (1,), AscentSettings(hysteresis=True))
    assert found.response_trace[0] == pytest.approx([-0.16, 0.16], abs=1e-3)
    assert found.best_iteration.tolist() == [[0]]  # the size is the same: their rule stays
    assert ascend(first, starts, (1,), AscentSettings()).best_iteration.tolist() == [[1]]


def test_snapshots_are_prefixes_of_one_trajectory() -> None:
    long, short = search(iterations=(3, 8)), search(iterations=(3,))
    assert np.array_equal(long.latent[0], short.latent[0])
    assert np.array_equal(long.response_trace[:, :4], short.response_trace)
    assert np.array_equal(long.best_iteration[0], short.best_iteration[0])
    assert (long.response[1] >= long.response[0]).all()


def test_iteration_counts_may_come_in_any_order() -> None:
    assert np.array_equal(search(iterations=(8, 3)).latent, search(iterations=(3, 8)).latent[::-1])


def test_results_do_not_depend_on_the_batch_size() -> None:
    together = search(rows=5, batch_size=5)
    for batch_size in (1, 2, 3):
        apart = search(rows=5, batch_size=batch_size)
        assert apart.response_trace == pytest.approx(together.response_trace, abs=1e-4)
        assert apart.latent == pytest.approx(together.latent, abs=1e-3)


def test_rows_keep_their_own_settings() -> None:
    generator, network = networks()
    starts = np.repeat(start_latents(3, 1, 128), 2, axis=0)
    with unit_response(network, Unit.parse("fc9:0")) as respond:
        both = ascend(
            lambda z: respond(generator(z)),
            Starts(starts, np.array([0.1, 0.001]), np.array([0.0, 0.1])),
            (6,),
            AscentSettings(),
        )
    moved = np.abs(both.latent[0] - starts).max(axis=1)
    assert moved[0] > 10 * moved[1] > 0


def test_the_same_search_twice_is_bit_identical() -> None:
    assert np.array_equal(search().latent, search().latent)


def test_a_response_that_is_not_finite_is_said() -> None:
    with pytest.raises(Diverged, match="not finite at iteration 2"):
        ascend(
            lambda x: x[:, 0] / (x[:, 0] < 1.15),
            Starts(np.array([[1.0]], np.float32), 0.1),
            (5,),
            AscentSettings(),
        )
