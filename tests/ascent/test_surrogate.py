"""Searches by the gradients of a model of the responses, and the features of the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from support.commands import Run
from support.paths import PRETRAINED, ROOT
from torch import Tensor, nn

from ganexplain.artifacts.explanations import read_explanations
from ganexplain.ascent import surrogate
from ganexplain.ascent.engine import ascend, begin_search, start_latents
from ganexplain.ascent.guides import Guides, guide_digests
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.config import SelectConfig
from ganexplain.errors import Diverged, UsageError
from ganexplain.gans.checkpoint import load_generator
from ganexplain.selection.controls import load_networks

CPU = torch.device("cpu")
SIZE = 16
CODE = """
import numpy as np

def low_and_high(mel):  # (B, F, T): the mean of the lower and of the upper bands
    half = mel.shape[1] // 2
    return np.stack([mel[:, :half].mean((1, 2)), mel[:, half:].mean((1, 2))], 1)
"""


def bowl(z: Tensor) -> Tensor:
    assert not z.requires_grad, "the network of a black box has no gradients"
    return -(z - 1).square().sum(dim=1)


def settings(direction: str = "max", batch_size: int = 48, prior: str = "l2") -> AscentSettings:
    return AscentSettings(
        direction, batch_size, prior=prior, features=lambda z: torch.cat([z, z.square()], 1)
    )


def starts(rows: int, rate: float = 0.1, weight: float = 0.0) -> Starts:
    return Starts(start_latents(0, rows, SIZE), rate, weight)


@pytest.mark.parametrize("direction", ["max", "min"])
def test_a_search_comes_near_the_best_of_a_bowl_in_few_calls(direction: str) -> None:
    sign = 1 if direction == "max" else -1
    found = ascend(lambda z: sign * bowl(z), starts(20), [40], settings(direction))
    left = np.abs(found.response[0]) / np.abs(found.response_trace[:, 0])
    assert np.median(left) < 0.1
    assert (left < 1).all()


def test_the_sphere_is_not_left() -> None:
    search = begin_search(bowl, starts(4), settings(prior="sphere"))
    for _ in range(10):
        search.step()
    torch.testing.assert_close(search.latent.norm(dim=1), torch.full((4,), 4.0))


def test_results_do_not_depend_on_the_batches() -> None:
    small, large = (ascend(bowl, starts(7), [10], settings(batch_size=size)) for size in (3, 48))
    np.testing.assert_allclose(small.latent, large.latent, atol=1e-3)


def test_a_response_that_is_not_finite_ends_the_search() -> None:
    def broken(z: Tensor) -> Tensor:
        return torch.where(z[:, 0] > -torch.inf, bowl(z), bowl(z)).log()

    with pytest.raises(Diverged, match="not finite"):
        ascend(broken, starts(2), [3], settings())


def test_a_constant_response_has_no_gradient() -> None:
    found = ascend(lambda z: torch.zeros(len(z)), starts(3), [5], settings())
    assert found.no_gradient.all()
    assert not ascend(bowl, starts(3), [5], settings()).no_gradient.any()


def test_the_model_is_a_kernel_regression_of_the_last_responses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against that of scikit-learn, with a window that old responses have left."""
    monkeypatch.setattr(surrogate, "LAST", 8)
    monkeypatch.setattr(surrogate, "OLDER", 0.1)
    model = surrogate.ResponseModel(lambda z: z, 48)
    drawn = torch.from_numpy(start_latents(0, 15, SIZE))
    responses = torch.tanh(drawn.sum(dim=1))
    for rows in (slice(0, 5), slice(5, 10), slice(10, 15)):
        model.add(drawn[rows], responses[rows])
    age = np.array([1] * 3 + [0] * 5)
    weights = surrogate.OLDER**age
    weights /= weights.mean()
    points, wanted = drawn[-8:].numpy(), responses[-8:].numpy()
    reference = KernelRidge(alpha=surrogate.RIDGE, kernel="rbf", gamma=1 / (2 * model.width))
    reference.fit(points, wanted - (weights * wanted).mean(), sample_weight=weights)

    at = drawn[:3].double().numpy()
    step = 1e-3 * np.eye(SIZE)
    slopes = [
        (reference.predict(point + step) - reference.predict(point - step)) / 2e-3 for point in at
    ]
    np.testing.assert_allclose(model.gradient(drawn[:3]).numpy(), slopes, atol=1e-3)


def test_the_features_of_each_layer_have_the_same_spread() -> None:
    generator, _ = load_generator(PRETRAINED / "gan.pt", CPU)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(80 * 115, 6), nn.ReLU(), nn.Linear(6, 3))
    found = Guides([network], generator, CPU)(torch.from_numpy(start_latents(0, 500, 128)))
    for layer in found.detach().split([128, 6, 3], dim=1):
        assert layer.var(dim=0).sum() == pytest.approx(1, rel=0.02)
        torch.testing.assert_close(layer.mean(0), torch.zeros(layer.shape[1]), atol=1e-4, rtol=0)


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "their.py").write_text(CODE)
    return f"{tmp_path}/their.py:low_and_high"


WORDS = (
    "--gan", PRETRAINED / "gan.pt", "--neuron", "1", "--learning-rate", "0.1", "--prior-weight",
    "0.01", "--iterations", "8", "--examples", "3",
)  # fmt: skip


def test_a_black_box_is_searched_with_a_guide_and_resumed(
    model: str, run: Run, tmp_path: Path
) -> None:
    out, guide = tmp_path / "explain", ("--guide", PRETRAINED / "referee.pt")
    done = run("explain", "--model", model, *WORDS, *guide, "--out", out)
    noted = "low_and_high is a black box: --search surrogate, 27 calls of the network"
    assert noted in done.err  # 3 examples, 8 iterations
    found = read_explanations(out / "explanations.npz")
    assert found.meta.search == "surrogate"
    assert (found.arrays["response"] > found.arrays["start_response"]).all()
    again = run("explain", "--model", model, *WORDS, *guide, "--out", out, "--resume")
    assert "1 of 1 parts were done before" in again.err


def test_all_searches_of_an_iteration_are_in_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogate, "LAST", 8)
    model = surrogate.ResponseModel(lambda z: z, 48)
    drawn = torch.from_numpy(start_latents(0, 24, SIZE))
    model.add(drawn[:12], bowl(drawn[:12]))
    model.add(drawn[12:], bowl(drawn[12:]))
    torch.testing.assert_close(model.points, drawn[12:])


def test_a_setting_does_not_depend_on_the_others(model: str, run: Run, tmp_path: Path) -> None:
    found = []
    for name, more in (("one", ()), ("two", ("--learning-rate", "0.03"))):
        out = tmp_path / name
        words = ("--guide", PRETRAINED / "referee.pt", *more, "--out", out)
        run("explain", "--model", model, *WORDS, *words)
        found.append(read_explanations(out / "explanations.npz").arrays)
    alone, among = found
    assert len(among["latent"]) == 2
    np.testing.assert_array_equal(among["latent"][0], alone["latent"][0])


def test_a_guide_must_have_gradients_and_a_use(model: str, run: Run, tmp_path: Path) -> None:
    """All is refused before --overwrite deletes an earlier run."""
    earlier = tmp_path / "x" / "explanations.npz"
    earlier.parent.mkdir()
    earlier.write_bytes(b"earlier")
    (earlier.parent / "run.json").write_text('{"stage": "explain"}')
    (tmp_path / "guide.toml").write_text('kind = "log-mel"\n')
    own = ("explain", "--model", model, *WORDS, "--out", tmp_path / "x", "--overwrite")

    def refused(*words: object) -> str:
        line = run(*own, *words, status=2).error_line()
        assert earlier.read_bytes() == b"earlier"
        return line

    assert "has no gradients" in refused("--guide", f"{model}@{tmp_path}/guide.toml")
    assert "with --guide" in refused("--search", "surrogate")
    judge = PRETRAINED / "judge.pt"
    assert "has no use for it" in refused("--search", "evolution", "--guide", judge)
    assert refused("--guide", tmp_path / "no.pt").startswith(f"--guide {tmp_path}/no.pt: no such")
    gan = PRETRAINED / "gan.pt"
    assert refused("--guide", gan).startswith(f"--guide {gan}: contains 'gan'")
    (tmp_path / "code.toml").write_text(
        'kind = "waveform"\nsample_rate = 16000\nsamples = 16000\nfeatures = "no_module:f"\n'
    )
    assert "computed by code" in refused("--guide", f"{judge}@{tmp_path}/code.toml")


GUIDE = """
import pathlib
import torch

pathlib.Path(__file__).with_name("ran").touch()

def made():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(80 * 115, 3))
"""


def test_select_runs_no_code_that_only_explanations_name(
    model: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "guide.py").write_text(GUIDE)
    (tmp_path / "guide.toml").write_text('kind = "log-mel"\n')
    guide, ran = f"{tmp_path}/guide.py:made@{tmp_path}/guide.toml", tmp_path / "ran"
    words = ("--guide", guide, "--out", tmp_path / "explain")
    run("explain", "--model", model, *WORDS, *words)
    ran.unlink()
    config = SelectConfig(explanations="", classifier=model)
    explanations = read_explanations(tmp_path / "explain" / "explanations.npz")
    with pytest.raises(UsageError, match=f"runs code; if you trust it, add --guide {guide}"):
        load_networks(config, explanations, CPU)
    assert not ran.exists()
    assert load_networks(replace(config, guide=(guide,)), explanations, CPU).features
    assert ran.exists()

    assert explanations.meta.guide_hashes == guide_digests((guide,))
    (tmp_path / "guide.toml").write_text('# edited\nkind = "log-mel"\n')
    with pytest.raises(UsageError, match="not the guide of"):
        load_networks(replace(config, guide=(guide,)), explanations, CPU)
    (tmp_path / "guide.toml").unlink()
    with pytest.raises(UsageError, match="say where the guide is with --guide"):
        load_networks(replace(config, guide=(guide,)), explanations, CPU)


def test_run_refuses_the_search_before_any_work(run: Run, tmp_path: Path) -> None:
    words = ("run", ROOT / "sample_data", "--search", "surrogate", "--out", tmp_path / "out")
    for more in ((), ("--dry-run",)):
        line = run(*words, *more, status=2).error_line()
        assert "--search surrogate: needs --guide, which `run` does not have" in line
