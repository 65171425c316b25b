"""Units of layers, and the real excerpts that drive them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.untrained import noise_excerpts, untrained_network

from ganexplain.ascent.responses import strongest
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.errors import UsageError
from ganexplain.networks.hooks import last_hidden_layer, responses_and_features, unit_response
from ganexplain.networks.unit_syntax import parse_units
from ganexplain.networks.units import Unit

network, mel = untrained_network, noise_excerpts


def test_an_output_unit_is_a_column_of_the_logits(network: SVDNet, mel: torch.Tensor) -> None:
    with unit_response(network, Unit.parse("fc9:1")) as respond:
        assert torch.equal(respond(mel), network(mel)[:, 1])


def test_a_unit_of_a_convolution_is_its_channel_s_mean(network: SVDNet, mel: torch.Tensor) -> None:
    with unit_response(network, Unit.parse("conv1:5")) as respond:
        expected = network.conv1(network.standardise(mel))[:, 5].mean(dim=(1, 2))
        torch.testing.assert_close(respond(mel), expected)


def test_hooks_are_gone_afterwards(network: SVDNet, mel: torch.Tensor) -> None:
    with pytest.raises(RuntimeError, match="stop"), unit_response(network, Unit.parse("fc8:0")):
        raise RuntimeError("stop")
    assert not any(module._forward_hooks for module in network.modules())


def test_features_of_one_pass_agree_with_the_layer(network: SVDNet, mel: torch.Tensor) -> None:
    response, features = responses_and_features(network, Unit.parse("fc9:0"), "fc8", mel)
    assert features.shape == (3, 64)
    torch.testing.assert_close(network.fc9(network.act8(features))[:, 0], response)


def test_the_last_hidden_layer_is_the_default(network: SVDNet) -> None:
    assert last_hidden_layer(network) == "fc8"


@pytest.mark.parametrize(
    "layer, neuron, message",
    [
        ("fc10", "0", r"no layer 'fc10' \(did you mean 'fc9'\?\)"),
        ("", "0", "no layer ''"),
        ("fc9", "2", "layer fc9 has units 0 to 1"),
        ("conv5", "0-64", "units 0 to 63"),
        ("fc8", "-1", "give numbers and spans"),
    ],
)
def test_a_wrong_unit_is_named(
    network: SVDNet, mel: torch.Tensor, layer: str, neuron: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        parse_units([layer], neuron, network, mel[:1])


CENTRES = np.array([[0, 100], [0, 110], [0, 300], [1, 100], [1, 160], [1, 300]])
RESPONSE = np.array([5.0, 6.0, 1.0, 4.0, 3.0, -2.0])


def test_neighbours_of_a_chosen_moment_are_passed_over() -> None:
    assert strongest(RESPONSE, CENTRES, 3, 115, "max").tolist() == [1, 3, 2]
    assert strongest(RESPONSE, CENTRES, 2, 115, "min").tolist() == [5, 2]


@pytest.mark.parametrize("distance, chosen", [(114, [0]), (115, [0, 1]), (116, [0, 1])])
def test_excerpts_end_to_end_are_apart(distance: int, chosen: list[int]) -> None:
    """An excerpt of 115 frames that begins where another ends shares nothing with it."""
    centres = np.array([[0, 500], [0, 500 + distance]])
    assert strongest(np.array([2.0, 1.0]), centres, 2, 115, "max").tolist() == chosen
    assert strongest(np.array([-2.0, -1.0]), centres, 2, 115, "min").tolist() == chosen


def test_the_authors_list_overlaps() -> None:
    assert strongest(RESPONSE, CENTRES, 4, 0, "max").tolist() == [1, 0, 3, 4]


def test_fewer_than_asked_where_there_are_no_more() -> None:
    chosen = strongest(RESPONSE, CENTRES, 50, 115, "max")
    assert len(chosen) == 4
    frames = CENTRES[chosen]
    for recording in (0, 1):
        mine = np.sort(frames[frames[:, 0] == recording, 1])
        assert (np.diff(mine) >= 115).all()
