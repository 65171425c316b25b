"""The functions of the package: arrays in, arrays out."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from support.paths import PRETRAINED
from torch import nn

import ganexplain
from ganexplain import explain, layers, rank, respond
from ganexplain.errors import UsageError

GAN = PRETRAINED / "gan.pt"


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (1, 80)), nn.Conv2d(1, 4, 5, stride=5), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Flatten(), nn.Dropout(), nn.Linear(4 * 16 * 23, 3),
    ).train()  # fmt: skip


def test_a_network_is_explained_and_stays_as_it_is(network: nn.Module) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    told: list[tuple[int, int]] = []
    found = explain(network, GAN, "output:a", learning_rate=(0.1, 0.01), prior_weight=(0.001,),
                    iterations=(3, 6), examples=2, input={"network": {"classes": list("abc")}},
                    progress=lambda done, total, response: told.append((done, total)))  # fmt: skip
    assert (found.layer, found.neuron) == ("output", 0)
    assert found.inputs.shape == (4, 2, 80, 115) and found.latent.shape == (4, 2, 128)
    assert found.iterations.tolist() == [3, 6, 3, 6]
    assert (found.response >= found.start_response - 1e-5).all()
    assert (found.response[1] >= found.response[0]).all()  # longer on the same way
    again = respond(network, "output:0", found.inputs[1])
    np.testing.assert_allclose(again, found.response[1], atol=1e-4)
    assert told[-1] == (4 * 6, 4 * 6)
    # Theirs: in training mode, with gradients, weights and statistics untouched, without hooks.
    assert network.training and all(p.requires_grad for p in network.parameters())
    torch.testing.assert_close(network.state_dict(), before)
    assert not any(module._forward_hooks for module in network.modules())


def test_the_same_as_the_command_line() -> None:
    """Rows of the pretrained pair: start responses by respond, ranked by their own responses."""
    classifier = PRETRAINED / "classifier.pt"
    found = explain(classifier, GAN, "sing", direction="min", learning_rate=(0.1,),
                    prior_weight=(0.01,), iterations=(1, 4), examples=2)  # fmt: skip
    assert (found.layer, found.neuron) == ("fc9", 0)
    assert (found.response <= found.start_response + 1e-5).all()
    np.testing.assert_allclose(respond(classifier, "fc9:0", found.start_inputs),
                               found.start_response, atol=1e-4)  # fmt: skip
    ranking = rank(found, found.response[0])
    assert [row["setting"] for row in ranking] == [0, 1]
    assert ranking[0]["fid_response"] == pytest.approx(0, abs=1e-12)
    page = found._repr_html_()
    assert page.count("<img") == 4 and "fc9:0, min" in page
    assert found.sounds().shape[0] == 2


def test_layers_have_shapes(network: nn.Module) -> None:
    found = layers(network)
    assert found["1"] == (4, 16, 23) and found["6"] == (3,) and list(found)[-1] == "output"
    assert layers(PRETRAINED / "classifier.pt")["conv5"] == (64, 21, 33)


def test_what_is_wrong_is_said_in_one_line(network: nn.Module) -> None:
    with pytest.raises(UsageError, match="has no layer '7'"):
        respond(network, "7:0", np.zeros((1, 80, 115)))
    with pytest.raises(UsageError, match="names 3 units; give one"):
        respond(network, "output:all", np.zeros((1, 80, 115)))
    with pytest.raises(UsageError, match=r"did you mean 'max'\?"):
        explain(network, GAN, direction="mx")
    with pytest.raises(UsageError, match=r"^Linear: a class, .* give an instance of it, Linear"):
        respond(nn.Linear, "output", np.zeros((1, 80, 115)))


def test_the_package_loads_torch_when_it_is_used() -> None:
    """And what takes longest after it only in functions that call it."""
    code = """
import sys, ganexplain
assert "torch" not in sys.modules
ganexplain.explain
slow = "scipy.stats scipy.signal scipy.optimize librosa matplotlib numba".split()
assert not (found := [name for name in slow if name in sys.modules]), found
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ganexplain.nothing  # noqa: B018
