"""Searches that match activations of real excerpts, on linear networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.paths import PRETRAINED
from support.recordings import JamendoFolder
from torch import Tensor, nn

from ganexplain.artifacts.explanations import read_explanations
from ganexplain.ascent.engine import ascend, start_latents
from ganexplain.ascent.match import RealActivations, match_response, sorted_places
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.config import ExplainConfig, ResponsesConfig
from ganexplain.errors import UsageError
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import Call
from ganexplain.networks.target import adapt_network
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.explain import explain
from ganexplain.stages.responses import responses

pytestmark = pytest.mark.usefixtures("one_thread")
SIDE, EXAMPLES = 4, 6
STARTS = start_latents(0, EXAMPLES, SIDE * SIDE)
REAL = np.random.default_rng(1).normal(3, 2, (EXAMPLES + 2, 1, SIDE, SIDE)).astype(np.float32)


class Linear(nn.Module):
    """A convolution with two units, whose mean over places is the output."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).mean(dim=(2, 3))


def searched(direction: str = "max") -> tuple[nn.Module, np.ndarray]:
    """The network, and the inputs found for the first real excerpts."""
    picture = ImageInput(channels=1, height=SIDE, width=SIDE)
    network = adapt_network(Linear(), picture, None, Call(), torch.device("cpu")).network
    sign = 1.0 if direction == "max" else -1.0
    real = RealActivations.measure(network, ["conv"], REAL)
    with match_response(network, real, np.arange(EXAMPLES), sign, None) as respond:
        found = ascend(
            lambda z: respond(z.reshape(-1, 1, SIDE, SIDE)),
            Starts(STARTS, 0.05),
            (600,),
            AscentSettings(direction),
        )
    assert (sign * found.response[0] > -1e-3).all()
    return network, found.latent[0].reshape(-1, 1, SIDE, SIDE)


@pytest.mark.parametrize("direction", ["max", "min"])
def test_a_linear_network_reaches_the_distribution_of_the_examples(direction: str) -> None:
    network, found = searched(direction)
    # Sorted pixels determine the sorted activations of a convolution of one pixel.
    wanted = np.sort(REAL[:EXAMPLES].reshape(EXAMPLES, -1), axis=1)
    np.testing.assert_allclose(np.sort(found.reshape(EXAMPLES, -1), axis=1), wanted, atol=0.15)
    made, real = (network(torch.from_numpy(x)).numpy() for x in (found, REAL[:EXAMPLES]))
    np.testing.assert_allclose(made, real, atol=0.05)
    assert abs(made.std(axis=0) - real.std(axis=0)).max() < 0.03


def test_places_are_free() -> None:
    found = searched()[1]
    order = np.argsort(found.reshape(EXAMPLES, -1), axis=1)
    assert (order == np.argsort(STARTS, axis=1)).all()  # that of the start is the shortest way


def test_activations_are_sorted_over_all_places_of_a_unit() -> None:
    x = torch.randn(3, 4, 5, 6)
    wanted = np.sort(x.numpy().reshape(3, 4, 30), axis=2)
    np.testing.assert_array_equal(sorted_places(x), wanted)
    assert sorted_places(x[:, :, 0, 0]).shape == (3, 4, 1)
    assert sorted_places(x[:, 0, 0, 0]).shape == (3, 1, 1)


def test_distances_are_in_variances_over_the_excerpts() -> None:
    network = nn.Sequential(nn.Identity(), nn.Flatten())
    real = RealActivations.measure(network, ["0"], REAL)
    with match_response(network, real, np.array([2, 3 + len(REAL)]), 1.0, None) as respond:
        value = respond(torch.from_numpy(REAL[[2, 1]])).numpy()
    ordered = np.sort(REAL.reshape(len(REAL), -1), axis=1)
    apart = ((ordered[1] - ordered[3]) ** 2).mean() / ordered.var(axis=0, ddof=1).mean()
    np.testing.assert_allclose(value, [0, -apart], rtol=1e-5)


CONFIG = ExplainConfig(
    classifier=str(PRETRAINED / "classifier.pt"), gan=str(PRETRAINED / "gan.pt"),
    objective="match", responses="responses.npz",
)  # fmt: skip


@pytest.mark.parametrize(
    "config, said",
    [
        (replace(CONFIG, responses=""), "--objective match: matches real excerpts"),
        (replace(CONFIG, search="adaptive"), "--search adaptive: is about the response"),
        (replace(CONFIG, hysteresis=True), "--hysteresis: is about the response"),
        (replace(CONFIG, objective="mat"), "--objective: 'mat' is not known"),
    ],
)
def test_settings_that_match_nothing_are_refused(
    tmp_path: Path, config: ExplainConfig, said: str
) -> None:
    with pytest.raises(UsageError, match=f"^{said}"):
        explain(config, tmp_path / "run", NullProgress())


def test_blocks_match_the_real_excerpts_of_their_own_examples(
    jamendo: JamendoFolder, tmp_path: Path
) -> None:
    found = ResponsesConfig(
        corpus=(str(jamendo.root),), classifier=CONFIG.classifier, layer=("fc8",), neuron="7",
        top=2, hop_frames=60, cache=str(tmp_path / "cache"),
    )  # fmt: skip
    (real,) = responses(found, tmp_path / "responses", NullProgress())
    config = replace(
        CONFIG, responses=str(real), layer=("fc8",), neuron="7", learning_rate=(0.03,),
        prior_weight=(0.001,), iterations=(2,), examples=2, workers="1", beyond="output",
    )  # fmt: skip
    made = []
    for batch in (2, 1):
        out = tmp_path / f"run{batch}"
        (path,) = explain(replace(config, batch_size=batch), out, NullProgress())
        made.append(read_explanations(path))
    whole, divided = (one.arrays for one in made)
    assert made[0].meta.objective == "match" and made[0].meta.responses_hash
    before, after = whole["response_trace"][0].mean(axis=0)[[0, -1]]
    assert before < after < 0
    np.testing.assert_allclose(divided["latent"], whole["latent"], atol=1e-3)
    change = np.abs(whole["fixed_outputs"][0] - whole["start_fixed_outputs"])
    assert change.max() < 0.5
