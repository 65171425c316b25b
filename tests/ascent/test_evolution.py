"""Searches without gradients, against functions whose best latent is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.commands import Run
from support.paths import PRETRAINED
from torch import Tensor

import ganexplain
from ganexplain.artifacts.explanations import read_explanations
from ganexplain.ascent.engine import ascend, begin_search, start_latents
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.errors import Diverged

SIZE = 16
CODE = """
import numpy as np

def low_and_high(mel):  # (B, F, T): the mean of the lower and of the upper bands
    half = mel.shape[1] // 2
    return np.stack([mel[:, :half].mean((1, 2)), mel[:, half:].mean((1, 2))], 1)

def constant(mel):
    return np.zeros((len(mel), 2))
"""


def bowl(z: Tensor) -> Tensor:
    return -(z - 1).square().sum(dim=1)


def starts(rows: int, rate: float = 0.05, weight: float = 0.0) -> Starts:
    return Starts(start_latents(0, rows, SIZE), rate, weight, np.arange(rows))


@pytest.mark.parametrize("direction", ["max", "min"])
def test_a_search_comes_near_the_best_of_a_bowl(direction: str) -> None:
    sign = 1 if direction == "max" else -1
    settings = AscentSettings(direction, calls=17)
    found = ascend(lambda z: sign * bowl(z), starts(4, 0.1), [80], settings)
    first = np.abs(found.response_trace[:, 0])
    assert (np.abs(found.response[0]) < 0.05 * first).all()


@pytest.mark.parametrize(
    ("prior", "weight", "norm"), [("l2", 1.0, 2.0), ("shell", 1.0, 4.0), ("sphere", 0.0, 4.0)]
)
def test_the_prior_is_that_of_a_search_with_gradients(
    prior: str, weight: float, norm: float
) -> None:
    """With -|z - 1|^2 - w |z|^2 the best latent is 1 / (1 + w) in each of 16 coordinates."""
    search = begin_search(bowl, starts(2, 0.1, weight), AscentSettings(prior=prior, calls=17))
    for _ in range(80):
        search.step()
    torch.testing.assert_close(search.latent.norm(dim=1), torch.full((2,), norm), atol=0.2, rtol=0)


def test_results_do_not_depend_on_the_batches() -> None:
    both = [
        ascend(bowl, starts(5), [20], AscentSettings(batch_size=size, calls=6)) for size in (2, 48)
    ]
    np.testing.assert_allclose(both[0].latent, both[1].latent, atol=1e-4)
    again = ascend(bowl, starts(5), [20], AscentSettings(batch_size=48, calls=6))
    np.testing.assert_array_equal(both[1].latent, again.latent)


def test_an_earlier_count_has_the_results_of_a_search_that_ends_there() -> None:
    settings = AscentSettings(calls=6)
    both = ascend(bowl, starts(3), [5, 20], settings)
    alone = ascend(bowl, starts(3), [5], settings)
    for name in ("latent", "response", "best_iteration"):
        np.testing.assert_array_equal(getattr(both, name)[0], getattr(alone, name)[0])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_response_that_is_not_finite_is_not_the_best(value: float) -> None:
    def of_the_mean_alone(z: Tensor) -> Tensor:
        found = bowl(z)
        found[1:] = value
        return found

    with pytest.raises(Diverged, match="not finite"):
        ascend(of_the_mean_alone, starts(1), [3], AscentSettings(calls=6))


def test_a_constant_response_has_no_gradient() -> None:
    found = ascend(lambda z: torch.zeros(len(z)), starts(2), [3], AscentSettings(calls=6))
    assert found.no_gradient.all()


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "their.py").write_text(CODE)
    return f"{tmp_path}/their.py:low_and_high"


WORDS = (
    "--gan", PRETRAINED / "gan.pt", "--neuron", "1", "--learning-rate", "0.1", "--prior-weight",
    "0.01", "--iterations", "8", "--examples", "3", "--calls", "9",
)  # fmt: skip


def test_a_black_box_is_searched_so_and_resumed(model: str, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "explain"
    done = run("explain", "--model", model, *WORDS, "--out", out)
    noted = "low_and_high is a black box: --search evolution, 219 calls of the network"
    assert noted in done.err  # 3 examples, a start and 8 iterations of 9 calls
    found = read_explanations(out / "explanations.npz")
    assert found.meta.search == "evolution"
    assert (found.arrays["response"] > found.arrays["start_response"]).all()
    upper = found.arrays["mel"][0].reshape(3, 2, -1)[:, 1].mean(1)  # (N, F, T), the upper bands
    np.testing.assert_allclose(found.arrays["response"][0], upper, rtol=1e-4)
    again = run("explain", "--model", model, *WORDS, "--out", out, "--resume")
    assert "1 of 1 parts were done before" in again.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--prior", "langevin"], "--prior langevin: needs gradients, which --search evolution"),
        (["--beyond", "output"], "--beyond: needs gradients"),
        (["--hysteresis"], "--hysteresis: is about the iterates of --search grid"),
    ],
)
def test_what_needs_gradients_is_refused(
    model: str, run: Run, tmp_path: Path, words: list[str], message: str
) -> None:
    done = run("explain", "--model", model, *WORDS, *words, "--out", tmp_path / "x", status=2)
    assert message in done.err


def test_calls_are_only_of_evolution(run: Run, tmp_path: Path) -> None:
    own = ("--classifier", PRETRAINED / "classifier.pt", *WORDS, "--out", tmp_path / "x")
    assert "--calls 9: goes with --search evolution" in run("explain", *own, status=2).err


def test_from_python_a_function_is_explained() -> None:
    def upper(mel: np.ndarray) -> np.ndarray:
        return mel[:, 40:].mean((1, 2))[:, None]

    found = ganexplain.explain(
        upper, PRETRAINED / "gan.pt", learning_rate=[0.1], prior_weight=[0.01], iterations=[5],
        examples=2,
    )  # fmt: skip
    np.testing.assert_allclose(found.response[0], upper(found.inputs[0])[:, 0], rtol=1e-4)
    assert (found.response[0] > found.start_response).all()
