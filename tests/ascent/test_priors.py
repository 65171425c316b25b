"""Priors against closed forms: potentials, the sphere, and the Gaussian Langevin is to sample."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.adaptive import search_in_turn
from support.commands import Run
from support.paths import PRETRAINED

from ganexplain.ascent.engine import Objective, Trajectories, ascend, start_latents
from ganexplain.ascent.priors import (
    l2_descent,
    near,
    project_to_sphere,
    shell_descent,
    sphere_descent,
)
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.config import ExplainConfig
from ganexplain.files.arrays import read_arrays
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.explain import explain

CPU = torch.device("cpu")
SIZE = 6
SHIPPED = ("--classifier", PRETRAINED / "classifier.pt", "--gan", PRETRAINED / "gan.pt")
SMALL = ExplainConfig(
    classifier=str(PRETRAINED / "classifier.pt"),
    gan=str(PRETRAINED / "gan.pt"),
    learning_rate=(0.1,),
    prior_weight=(0.1, 0.01),
    iterations=(3, 6),
    examples=3,
    workers="1",
)


def search(
    respond: Objective, prior: str, rows: int = 4, weight: float = 0.5, rate: float = 0.05,
    iterations: tuple[int, ...] = (200,), direction: str = "max", size: int = SIZE,
    batch_size: int = 8, seeds: np.ndarray | None = None,
) -> Trajectories:  # fmt: skip
    noise_seed = np.arange(rows) if seeds is None else seeds
    starts = Starts(start_latents(0, rows, size), rate, weight, noise_seed)
    return ascend(respond, starts, iterations, AscentSettings(direction, batch_size, prior=prior))


# --- potentials -----------------------------------------------------------------------------

vectors = st.lists(st.floats(-4, 4), min_size=SIZE, max_size=SIZE).filter(
    lambda values: np.linalg.norm(values) > 0.1
)


def as_rows(values: list[float]) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


@settings(deadline=None)
@given(vectors, vectors, st.floats(0, 3))
def test_descents_are_gradients_of_what_the_priors_say(z: list, start: list, w: float) -> None:
    """Held against autograd of w |z|^2, w (|z| - sqrt(n))^2 and w |z - start|^2, minus f = a.z."""
    latent = as_rows(z).requires_grad_(True)
    uphill, weight = torch.linspace(-1, 2, SIZE, dtype=torch.float64), torch.tensor([w])
    potentials = {
        l2_descent: latent.square().sum(),
        shell_descent: (latent.norm() - math.sqrt(SIZE)) ** 2,
        near(as_rows(start)).descent: (latent - as_rows(start)).square().sum(),
    }
    for descent, potential in potentials.items():
        total = weight[0].double() * potential - (latent * uphill).sum()
        (expected,) = torch.autograd.grad(total, latent)
        found = descent(latent.detach(), uphill[None], weight)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@settings(deadline=None)
@given(vectors, vectors)
def test_the_sphere_is_moved_along_and_kept(z: list, uphill: list) -> None:
    latent, slope = project_to_sphere(as_rows(z)), as_rows(uphill)
    assert float(latent.norm()) == pytest.approx(math.sqrt(SIZE), abs=1e-12)
    descent = sphere_descent(latent, slope, torch.tensor([7.0]))
    assert float((descent * latent).sum()) == pytest.approx(0, abs=1e-9)
    ahead = project_to_sphere(latent - 1e-6 * descent)
    gain = float(((ahead - latent) * slope).sum()) / 1e-6
    assert gain == pytest.approx(float(descent.square().sum()), abs=1e-3)


def test_nothing_at_the_origin_is_not_a_number() -> None:
    zero, one = torch.zeros(1, SIZE), torch.ones(1)
    for value in (
        shell_descent(zero, zero, one),
        sphere_descent(zero, zero, one),
        project_to_sphere(zero),
    ):
        assert torch.equal(value.abs(), zero)


# --- where searches end ---------------------------------------------------------------------

SLOPE = torch.tensor([1.0, -2.0, 0.5, 0.0, 1.5, -0.5])


def linear(latent: torch.Tensor) -> torch.Tensor:
    return (latent * SLOPE).sum(1)


def last_norm(found: Trajectories) -> np.ndarray:
    return found.latent_norm_trace[:, -1]


def test_a_linear_response_ends_where_slope_and_prior_balance() -> None:
    """l2: at a / 2w. shell: at the norm sqrt(n) + |a| / 2w. sphere: at sqrt(n), along a."""
    length, weight = float(SLOPE.norm()), 0.5
    many: dict[str, Any] = {"weight": weight, "iterations": (3000,), "rate": 0.01}
    best = {prior: search(linear, prior, **many) for prior in ("l2", "shell", "sphere")}
    assert last_norm(best["l2"]) == pytest.approx(length / (2 * weight), abs=0.02)
    assert last_norm(best["shell"]) == pytest.approx(
        math.sqrt(SIZE) + length / (2 * weight), abs=0.02
    )
    assert last_norm(best["sphere"]) == pytest.approx(math.sqrt(SIZE), abs=1e-5)
    assert best["sphere"].response[0] == pytest.approx(length * math.sqrt(SIZE), abs=0.01)


def test_without_a_response_the_shell_is_reached_from_both_sides() -> None:
    found = search(lambda z: 0 * z.sum(1), "shell", rows=12, iterations=(600,), weight=1.0)
    start = found.latent_norm_trace[:, 0]
    assert start.min() < math.sqrt(SIZE) < start.max()
    assert last_norm(found) == pytest.approx(math.sqrt(SIZE), abs=0.02)


def test_every_iterate_lies_on_the_sphere_whatever_the_weight_and_direction() -> None:
    for direction in ("max", "min"):
        found = search(linear, "sphere", weight=9.0, direction=direction)
        assert found.latent_norm_trace == pytest.approx(math.sqrt(SIZE), abs=1e-5)
        assert np.linalg.norm(found.latent[0], axis=1) == pytest.approx(math.sqrt(SIZE), abs=1e-5)
    weightless = search(linear, "sphere", weight=0.0, direction="min")
    assert np.array_equal(weightless.latent, found.latent)


# --- Langevin -------------------------------------------------------------------------------


@pytest.mark.parametrize(("direction", "sign"), [("max", 1), ("min", -1)])
def test_langevin_samples_the_shifted_gaussian_of_a_linear_response(
    direction: str, sign: int
) -> None:
    """exp(f / 2w) N(0, I) for f = a.z is N(a / 2w, I): at a step size so large that without
    Metropolis the variances would be 1 / (1 - 2 w r / 2) = 1.33, not 1."""
    rows, weight = 4000, 0.5
    found = search(linear, "langevin", rows, weight, 0.5, (60,), direction, batch_size=rows)
    latent = found.latent[0].astype(np.float64)
    mean = sign * SLOPE.numpy() / (2 * weight)
    error = 1 / math.sqrt(rows)
    assert latent.mean(axis=0) == pytest.approx(mean, abs=4.5 * error)
    covariance = np.cov(latent.T)
    assert np.diag(covariance) == pytest.approx(1, abs=4.5 * math.sqrt(2) * error)
    assert covariance - np.diag(np.diag(covariance)) == pytest.approx(0, abs=4.5 * error)
    moved = (np.diff(found.response_trace, axis=1) != 0).mean()
    assert 0.5 < moved < 0.98  # some steps were rejected


def test_a_chain_forgets_its_start_at_the_rate_the_readme_says() -> None:
    """Without a response z' = (1 - 2 w r) z + noise: 1 / e of the start is left after 1 / (2 w r)
    steps, of the N(0, I) that chains start from and stay in."""
    rows, weight, rate = 600, 0.1, 0.1
    found = search(lambda z: 1e-6 * z.sum(1), "langevin", rows, weight, rate, (50,),
                   batch_size=rows)  # fmt: skip
    start = start_latents(0, rows, SIZE)
    left = (found.latent[0] * start).mean() / np.square(start).mean()
    assert left == pytest.approx((1 - 2 * weight * rate) ** 50, abs=4.5 / math.sqrt(rows * SIZE))


def test_langevin_samples_a_bent_response_too() -> None:
    """f = cos 2z in one dimension, three modes: moments held against quadrature."""
    rows, weight = 4000, 0.4
    grid = np.linspace(-8, 8, 20001)
    density = np.exp(np.cos(2 * grid) / (2 * weight) - grid**2 / 2)
    found = search(lambda z: torch.cos(2 * z[:, 0]), "langevin", rows, weight, 0.4, (80,), size=1,
                   batch_size=rows)  # fmt: skip
    for moment in (np.square, lambda z: np.cos(2 * z)):
        expected = (moment(grid) * density).sum() / density.sum()
        values = moment(found.latent[0, :, 0].astype(np.float64))
        assert values.mean() == pytest.approx(expected, abs=4.5 * values.std() / math.sqrt(rows))


def test_a_small_weight_is_a_low_temperature() -> None:
    """The lower, the closer to the mode a / 2w of l2, relative to how far away that is."""
    off = []
    for weight in (0.5, 0.05):
        found = search(linear, "langevin", 200, weight, 0.2, (300,), batch_size=200)
        mode = SLOPE.numpy() / (2 * weight)
        off.append(np.linalg.norm(found.latent[0] - mode, axis=1).mean() / np.linalg.norm(mode))
    assert off[1] < 0.2 * off[0]


def test_a_chain_depends_on_its_own_seed_alone() -> None:
    arguments: dict[str, Any] = {"rate": 0.3, "iterations": (7, 20)}
    together = search(linear, "langevin", rows=6, **arguments)
    for batch_size in (1, 4):
        apart = search(linear, "langevin", rows=6, batch_size=batch_size, **arguments)
        assert apart.latent == pytest.approx(together.latent, abs=1e-5)
    few = search(linear, "langevin", rows=2, **arguments)
    assert few.latent == pytest.approx(together.latent[:, :2], abs=1e-5)
    others = search(linear, "langevin", rows=6, seeds=np.arange(6) + 1, **arguments)
    assert np.abs(others.latent - together.latent).max(axis=(0, 2)).min() > 0.1


def test_langevin_keeps_where_the_chain_is_not_the_best_of_it() -> None:
    found = search(linear, "langevin", rows=20, rate=0.3, iterations=(7, 20), batch_size=20)
    assert (found.best_iteration == [[7], [20]]).all()
    assert found.response == pytest.approx(found.response_trace[:, [7, 20]].T)
    norms = np.linalg.norm(found.latent, axis=2)
    assert norms == pytest.approx(found.latent_norm_trace[:, [7, 20]].T, abs=1e-5)
    assert (found.response[1] < found.response_trace.max(axis=1)).any()


def test_a_step_to_where_nothing_is_finite_is_rejected() -> None:
    def walled(z: torch.Tensor) -> torch.Tensor:
        return torch.where(z.abs().amax(1) > 3, torch.nan, z.sum(1))

    found = search(walled, "langevin", rows=50, rate=0.3, batch_size=50)
    assert np.isfinite(found.response_trace).all()
    assert np.abs(found.latent).max() <= 3


@pytest.mark.parametrize("prior", ["shell", "sphere"])
def test_the_adaptive_search_finds_what_ascend_finds_with_the_prior(prior: str) -> None:
    start, real = start_latents(0, 8, SIZE), np.linspace(4, 6, 9)
    settings, pairs = AscentSettings(prior=prior), [(0.1, 0.5), (0.03, 0.5)]
    found = search_in_turn(linear, start, pairs, 200, real, settings, budget=1500)
    starts = Starts(start, float(found.learning_rate[0]), float(found.prior_weight[0]))
    count = (int(found.iterations[0]),)
    alone = ascend(linear, starts, count, settings)
    assert found.latent[0] == pytest.approx(alone.latent[0], abs=1e-5)
    assert found.response[0] == pytest.approx(alone.response[0], abs=1e-5)
    paper_s = ascend(linear, starts, count, AscentSettings())
    assert np.abs(paper_s.latent - alone.latent).max() > 0.01


# --- explain --------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", ["shell", "sphere", "langevin"])
def test_explain_writes_the_prior_and_does_the_same_in_other_parts(
    tmp_path: Path, prior: str
) -> None:
    one = replace(SMALL, prior=prior)
    one = replace(one, prior_weight=(0.0,)) if prior == "sphere" else one
    made = []
    for batch_size in (48, 2):
        out = tmp_path / str(batch_size)
        (path,) = explain(replace(one, batch_size=batch_size), out, NullProgress())
        arrays, meta = read_arrays(path, "explanations", ())
        assert meta["prior"] == prior
        made.append(arrays)
    first, second = made
    # Two steps; from there on rounding may turn a maximum or an acceptance.
    for name in ("response_trace", "latent_norm_trace"):
        assert first[name][..., :3] == pytest.approx(second[name][..., :3], abs=1e-3)
    assert np.array_equal(first["seed"], [0, 1, 2])
    if prior == "sphere":
        assert first["latent_norm_trace"] == pytest.approx(math.sqrt(128), abs=1e-4)
        assert np.array_equal(first["prior_weight"], [0, 0])


def test_sphere_has_one_weight_and_refuses_others(command: Run, tmp_path: Path) -> None:
    words = "--prior sphere --learning-rate 0.1 --iterations 1 --examples 2 -q".split()
    done = command("explain", *SHIPPED, *words, "--out", tmp_path / "e")
    assert done.code == 0, done.err
    arrays, meta = read_arrays(tmp_path / "e" / "explanations.npz", "explanations", ())
    assert arrays["prior_weight"].tolist() == meta["prior_weight"] == [0.0]  # not the default three
    again = command("explain", "--config", tmp_path / "e" / "config.toml", "--out", tmp_path / "f")
    assert again.code == 0, again.err
    refused = command("explain", *SHIPPED, *words, "--prior-weight", "0.2", "--out", tmp_path / "g")
    assert refused.code == 2
    assert refused.error_line().startswith("--prior sphere: has no weight")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--prior shel", "--prior: 'shel' is not known (did you mean 'shell'?)"),
        ("--prior langevin --prior-weight 0", "--prior-weight 0: must be a finite number above"),
        (
            "--prior langevin --search adaptive --responses r.npz",
            "--prior langevin: its samples do",
        ),
        ("--prior langevin --hysteresis", "--hysteresis: goes with --search grid and a prior"),
    ],
)
def test_what_a_prior_cannot_do_is_one_line(
    command: Run, tmp_path: Path, words: str, message: str
) -> None:
    done = command("explain", *SHIPPED, *words.split(), "--out", tmp_path / "e")
    assert done.code == 2
    assert done.error_line().startswith(message)
    assert not (tmp_path / "e").exists()
