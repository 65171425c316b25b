"""Searches beyond the outputs, on networks whose units are outputs plus detectors of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.adaptive import search_in_turn
from support.paths import PRETRAINED
from torch import Tensor, nn

from ganexplain.artifacts.explanations import read_explanations
from ganexplain.artifacts.plan import SearchTarget
from ganexplain.ascent.beyond import FixedOutputs, check_beyond, search_response
from ganexplain.ascent.engine import Objective, ascend, start_latents
from ganexplain.ascent.projection import Level
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.config import ExplainConfig
from ganexplain.errors import UsageError
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import Call
from ganexplain.networks.target import adapt_network
from ganexplain.networks.units import Unit
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.explain import explain

CPU = torch.device("cpu")
SIDE = 6
AXES = torch.linalg.qr(torch.randn(SIDE * SIDE, 16, generator=torch.Generator().manual_seed(0)))[0]
STARTS = start_latents(0, 5, LATENT_SIZE)


class Planted(nn.Module):
    """Hidden units: the output; the output and a detector; a detector. The output is bent."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.hidden = nn.Identity()
        self.outputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        along = x.flatten(1) @ AXES
        decision, detector = along[:, 0], along[:, 15]
        hidden = torch.stack([decision, decision + detector, detector], 1)
        return torch.sinh(self.hidden(hidden)[:, :1]) + along[:, : self.outputs]


class Painter(nn.Module):
    """A generator whose pixels are the first latents, slightly bent."""

    def forward(self, z: Tensor) -> Tensor:
        pixels = z[:, : SIDE * SIDE]
        return (pixels + 0.1 * torch.sin(pixels)).reshape(-1, 1, SIDE, SIDE)


def networks(
    outputs: int = 1, call: Call | None = None, network: nn.Module | None = None
) -> SearchNetworks:
    explained = adapt_network(
        network or Planted(outputs), ImageInput(channels=1, height=SIDE, width=SIDE), None,
        call or Call(), CPU,
    )  # fmt: skip
    return SearchNetworks(explained, Painter(), CPU)


def searched(pair: SearchNetworks, unit: str, direction: str = "max") -> tuple[np.ndarray, Tensor]:
    """The latents found from all starts, and their pixels along the axes."""
    fixed_outputs = FixedOutputs.measure(pair)
    with search_response(pair.explained.network, Unit.parse(unit), fixed_outputs) as respond:
        found = ascend(
            lambda z: respond(pair.generator(z)),
            Starts(STARTS, 0.1, 0.0),
            (60,),
            AscentSettings(direction, 3),
        )
    return found.latent[0], along(pair, found.latent[0])


def along(pair: SearchNetworks, latent: np.ndarray) -> Tensor:
    pixels = pair.generator(torch.from_numpy(latent)).flatten(1)
    return pixels @ AXES


def test_the_search_finds_the_detector_and_leaves_the_output() -> None:
    pair = networks()
    before = along(pair, STARTS)
    for direction, sign in (("max", 1), ("min", -1)):
        _, after = searched(pair, "hidden:1", direction)
        moved = after - before
        assert (moved[:, 0].abs() < 0.01).all()  # the output is a function of it
        assert (sign * moved[:, 15] > 3).all()
        # Nothing else of the input is asked for: the move is along the detector.
        pixels = (moved @ AXES.T).norm(dim=1)
        assert (moved[:, 15].abs() > 0.8 * pixels).all()


def test_without_the_constraint_the_output_moves_as_far_as_the_detector() -> None:
    pair = networks()
    with search_response(pair.explained.network, Unit.parse("hidden:1"), None) as respond:
        found = ascend(
            lambda z: respond(pair.generator(z)), Starts(STARTS, 0.1), (60,), AscentSettings()
        )
    moved = along(pair, found.latent[0]) - along(pair, STARTS)
    assert (moved[:, 0] > 2).all()


def test_many_outputs_are_held_as_principal_components() -> None:
    pair = networks(12)
    fixed_outputs = FixedOutputs.measure(pair)
    assert fixed_outputs.weights.shape == (12, 8)
    assert 0.7 < fixed_outputs.share < 1 and "of 12 outputs the first 8" in fixed_outputs.words
    latents = torch.from_numpy(start_latents(0, 64, LATENT_SIZE))
    outputs = pair.explained.network(pair.generator(latents)).double().numpy()
    standard = (outputs - outputs.mean(0)) / outputs.std(0, ddof=1)
    values = np.linalg.svd(standard, compute_uv=False)
    scores = outputs @ fixed_outputs.weights.double().numpy()
    np.testing.assert_allclose(scores.std(0, ddof=1), 1, rtol=1e-4)
    assert fixed_outputs.share == pytest.approx(
        (values[:8] ** 2).sum() / (values**2).sum(), rel=1e-4
    )
    found, after = searched(pair, "hidden:2")
    assert ((after - along(pair, STARTS))[:, 15] > 3).all()
    kept = pair.explained.network(pair.generator(torch.from_numpy(STARTS)))
    now = pair.explained.network(pair.generator(torch.from_numpy(found)))
    change = ((now - kept).double() @ fixed_outputs.weights.double()).abs()
    assert change.max() < 0.02


@pytest.mark.parametrize("unit", ["hidden:0", "output:0"])
def test_a_unit_that_is_the_output_has_nothing_beyond_it(unit: str) -> None:
    pair = networks()
    fixed_outputs = FixedOutputs.measure(pair)
    target = SearchTarget(Unit.parse(unit), "max")
    with pytest.raises(UsageError, match=f"^{unit}: nothing is left to hear beyond the outputs"):
        check_beyond([target], pair, fixed_outputs, STARTS)
    other = SearchTarget(Unit.parse("hidden:1"), "max")
    (note,) = check_beyond([target, other], pair, fixed_outputs, STARTS)
    assert note.startswith(f"{unit}: nothing")
    assert check_beyond([other], pair, fixed_outputs, STARTS) == []


def test_outputs_without_a_gradient_are_refused() -> None:
    class Decided(Planted):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).sign()

    pair = networks(network=Decided())
    with pytest.raises(UsageError, match="the outputs have no gradient"):
        target = SearchTarget(Unit.parse("hidden:1"), "max")
        check_beyond([target], pair, FixedOutputs.measure(pair), STARTS)


def test_constant_outputs_are_refused() -> None:
    class Constant(Planted):
        def forward(self, x: Tensor) -> Tensor:
            return 0 * super().forward(x)

    with pytest.raises(UsageError, match="the outputs are the same for all samples"):
        FixedOutputs.measure(networks(network=Constant()))


def test_the_move_back_is_that_of_the_pseudo_inverse() -> None:
    jacobian, drift, move = torch.randn(4, 3, 20), torch.randn(4, 3) / 10, torch.randn(4, 20)
    level = Level(jacobian, drift)
    inverse = np.linalg.pinv(jacobian.double().numpy())
    wanted = -(inverse @ drift.double().numpy()[:, :, None])[:, :, 0]
    np.testing.assert_allclose(level.back, wanted, atol=1e-5)
    flat = move.numpy() - (inverse @ (jacobian.numpy() @ move.numpy()[:, :, None]))[:, :, 0]
    np.testing.assert_allclose(level.along(move), flat, atol=1e-4)


def test_numbers_that_depend_on_each_other_are_held_as_one() -> None:
    row = torch.randn(2, 1, 8)
    once, twice = Level(row, torch.ones(2, 1)), Level(row.repeat(1, 2, 1), torch.ones(2, 2))
    torch.testing.assert_close(twice.back, once.back, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(
        twice.along(torch.ones(2, 8)), once.along(torch.ones(2, 8)), rtol=1e-3, atol=1e-4
    )


def curved(latent: Tensor) -> Tensor:
    """The first coordinate, with the norm to fix: the best is the pole of a sphere."""
    return torch.stack([latent[:, 0], latent.norm(dim=1)], 1)


def on_the_sphere(found: np.ndarray) -> None:
    radius = np.linalg.norm(STARTS[:, :8], axis=1)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), radius, rtol=1e-3)
    np.testing.assert_allclose(found[:, 0], radius, rtol=2e-3)


def test_a_held_norm_leads_to_the_pole_of_its_sphere() -> None:
    found = ascend(curved, Starts(STARTS[:, :8], 0.05), (300,), AscentSettings())
    on_the_sphere(found.latent[0])


def test_the_adaptive_search_holds_numbers_too() -> None:
    real = np.linalg.norm(STARTS[:, :8], axis=1)
    objective: Objective = curved
    found = search_in_turn(objective, STARTS[:, :8], [(0.05, 0.0)], 300, real, AscentSettings(),
                            budget=20_000)  # fmt: skip
    on_the_sphere(found.latent[0])


SMALL = ExplainConfig(
    classifier=str(PRETRAINED / "classifier.pt"), gan=str(PRETRAINED / "gan.pt"), layer=("fc8",),
    neuron="7", direction="both", beyond="output", learning_rate=(0.03,), prior_weight=(0.001,),
    iterations=(2,), examples=2, workers="1",
)  # fmt: skip


def test_both_directions_begin_at_the_same_latents_and_keep_the_shipped_decision(
    tmp_path: Path,
) -> None:
    high, low = explain(SMALL, tmp_path / "run", NullProgress())
    one, other = read_explanations(high), read_explanations(low)
    assert one.meta.beyond == other.meta.beyond == "output"
    np.testing.assert_array_equal(one.arrays["start_mel"], other.arrays["start_mel"])
    assert (one.arrays["response"][0] > one.arrays["start_response"]).all()
    assert (other.arrays["response"][0] < other.arrays["start_response"]).all()
    network = SearchNetworks.load(SMALL).explained.network
    starts, ends = (
        network(torch.from_numpy(each)) for each in (one.arrays["start_mel"], one.arrays["mel"][0])
    )
    assert (starts - ends).abs().max() < 0.3  # logits; they spread over 2.9


@pytest.mark.parametrize(
    "config, option",
    [
        (replace(SMALL, beyond="outputs"), "--beyond: 'outputs'"),
        (replace(SMALL, prior="langevin"), "--prior langevin"),
    ],
)
def test_settings_that_hold_nothing_are_refused(
    tmp_path: Path, config: ExplainConfig, option: str
) -> None:
    with pytest.raises(UsageError, match=f"^{option}.*output"):
        explain(config, tmp_path / "run", NullProgress())
    assert not (tmp_path / "run").exists()
