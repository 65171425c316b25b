"""How units are named: numbers, places, class names, differences, directions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.untrained import noise_excerpts, untrained_network

from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.errors import UsageError
from ganexplain.networks.adapter import OutputNames
from ganexplain.networks.hooks import layer_shape, responses_and_features, unit_response
from ganexplain.networks.layer_units import LayerUnits
from ganexplain.networks.readings import parse_reading
from ganexplain.networks.unit_syntax import parse_readings, parse_unit, parse_units
from ganexplain.networks.units import Unit

NAMES = OutputNames("fc9", ("nosing", "sing"))


network, mel = untrained_network, noise_excerpts


def test_a_layer_carries_its_own_units(network: SVDNet, mel: torch.Tensor) -> None:
    found = parse_units(["conv5:17@max", "fc8", "conv5:3@20,32,4"], "1,2", network, mel[:1])
    texts = ["conv5:17@max", "fc8:1", "fc8:2", "conv5:3@20,32", "conv5:4"]
    assert found == [Unit.parse(text) for text in texts]


def test_a_unit_that_no_layer_asks_for_is_refused(network: SVDNet, mel: torch.Tensor) -> None:
    with pytest.raises(UsageError, match=r"--neuron 3: each --layer names its units already"):
        parse_units(["conv5:17", "fc8:0"], "3", network, mel[:1])


def test_the_peak_of_a_unit_without_places_is_its_value() -> None:
    activation = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
    assert torch.equal(Unit.parse("fc8:1@max").read(activation), activation[:, 1])


def test_places_are_read_where_they_are(network: SVDNet, mel: torch.Tensor) -> None:
    with torch.no_grad():
        maps = network.conv2(network.act1(network.conv1(network.standardise(mel))))
    wanted: dict[int | str, torch.Tensor] = {
        17: maps[:, 17].mean(dim=(1, 2)),
        "17@max": maps[:, 17].amax(dim=(1, 2)),
        "17@12,30": maps[:, 17, 12, 30],
        "mean": maps.mean(dim=(1, 2, 3)),
        "max": maps.mean(dim=(2, 3)).amax(1),
        "3-minus-1": maps[:, 3].mean(dim=(1, 2)) - maps[:, 1].mean(dim=(1, 2)),
    }
    for neuron, expected in wanted.items():
        unit = Unit.from_meta("conv2", neuron)
        assert unit.neuron == neuron and str(unit) == f"conv2:{neuron}"
        assert Unit.parse(str(unit)) == unit
        with torch.no_grad(), unit_response(network, unit) as respond:
            torch.testing.assert_close(respond(mel), expected)
        again, _ = responses_and_features(network, unit, "fc8", mel)
        torch.testing.assert_close(again, expected)


@pytest.mark.parametrize("text", ["17", "17@max", "17@12,30", "mean", "max", "3-minus-1", "npy"])
def test_a_unit_in_bfloat16_responds_in_float32(
    text: str, network: SVDNet, mel: torch.Tensor, tmp_path: Path
) -> None:
    if text == "npy":
        text = str(tmp_path / "concept.npy")
        np.save(text, np.random.default_rng(0).normal(size=32).astype(np.float32))
    (unit,) = parse_units([f"conv2:{text}"], "0", network, mel[:1])
    with torch.no_grad(), unit_response(network, unit) as respond:
        exact = respond(mel)
        with torch.autocast("cpu", torch.bfloat16):
            rough = respond(mel)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.1, atol=0.1)
    assert not torch.equal(rough, exact)  # bfloat16 was used


def test_classes_name_output_units(network: SVDNet, mel: torch.Tensor) -> None:
    def named(text: str) -> list[str]:
        return [str(unit) for unit in parse_units(["fc9"], text, network, mel[:1], NAMES)]

    assert named("nosing,sing") == ["fc9:0", "fc9:1"]
    assert named("sing-nosing") == ["fc9:1-minus-0"]
    with pytest.raises(UsageError, match=r"classes nosing, sing \(did you mean 'sing'\?\)"):
        named("snig")
    with pytest.raises(UsageError, match="give numbers"):  # a hidden layer's units have no names
        parse_units(["fc8"], "sing", network, mel[:1], NAMES)


def test_one_unit_stands_for_the_second_of_two_classes() -> None:
    output = LayerUnits("fc9", 1)
    for text in ("sing", "sing-nosing"):
        assert [r.neuron for r in parse_readings(text, output, NAMES.classes)] == [0]
    for text in ("nosing", "nosing-sing"):
        with pytest.raises(UsageError, match="--direction min"):
            parse_readings(text, output, NAMES.classes)


def test_a_direction_weighs_units(network: SVDNet, mel: torch.Tensor, tmp_path: Path) -> None:
    vector = np.random.default_rng(0).standard_normal(64)
    path = tmp_path / "concept.npy"
    np.save(path, vector)
    (unit,) = parse_units([f"fc8:{path}"], "0", network, mel[:1])
    assert Unit.from_meta("fc8", unit.neuron) == unit
    response, features = responses_and_features(network, unit, "fc8", mel)
    torch.testing.assert_close(response, features @ torch.from_numpy(vector).float())
    assert unit.file_name.startswith("fc8-concept-") and "/" not in unit.file_name
    np.save(path, -vector)
    with pytest.raises(UsageError, match="the direction has changed"):
        responses_and_features(network, Unit.parse(str(unit)), "fc8", mel)


@pytest.mark.parametrize(
    "content, message",
    [
        (np.ones(3), "has 3 weights, but layer fc8 has 64 units"),
        (np.zeros(64), "only zeros"),
        (np.full(64, np.nan), "not finite"),
        (np.ones((64, 1)), "not a vector of numbers"),
        (np.array(["x"] * 64), "not a vector of numbers"),
    ],
)
def test_what_is_no_direction_is_refused(
    network: SVDNet, mel: torch.Tensor, tmp_path: Path, content: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "v.npy", content)
    with pytest.raises(UsageError, match=message):
        parse_units([f"fc8:{tmp_path / 'v.npy'}"], "0", network, mel[:1])


@pytest.mark.parametrize("place", ["17@21,0", "17@0", "17@mean", "17@", "64@0,0"])
def test_a_place_outside_the_layer_is_refused(
    network: SVDNet, mel: torch.Tensor, place: str
) -> None:
    with pytest.raises(UsageError, match="--neuron"):
        parse_units([f"conv5:{place}"], "0", network, mel[:1])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=12), st.integers(1, 9), st.lists(st.integers(1, 5), max_size=3))
def test_any_text_names_units_of_the_layer_or_is_refused(
    text: str, count: int, places: list[int]
) -> None:
    activation = torch.zeros(2, count, *places)
    try:
        found = parse_readings(text, LayerUnits("layer", count, tuple(places)))
    except UsageError:
        return
    assert found
    for reading in found:
        assert reading.read(activation).shape == (2,) == reading.magnitude(activation).shape
        assert parse_reading(reading.neuron) == reading


def test_shapes_are_of_one_input(network: SVDNet, mel: torch.Tensor) -> None:
    assert layer_shape(network, "conv5", mel) == (64, 21, 33)
    assert layer_shape(network, "fc9", mel[:1]) == (2,)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("fc8", "fc8:0"),
        ("fc8:12", "fc8:12"),
        ("conv5:17@max", "conv5:17@max"),
        ("output", "fc9:0"),
        ("output:1", "fc9:1"),
        ("sing", "fc9:1"),
        ("sing-nosing", "fc9:1-minus-0"),
        ("0-minus-1", "fc9:0-minus-1"),
        ("conv2:3@20,32", "conv2:3@20,32"),
    ],
)
def test_one_text_names_a_unit_in_every_command(
    network: SVDNet, mel: torch.Tensor, text: str, found: str
) -> None:
    assert parse_unit(text, network, mel[:1], NAMES, "--target") == Unit.parse(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fc8:0-3", "--target fc8:0-3: names 4 units; give one"),
        ("sung", r"--target sung: .*did you mean 'sing'"),
        ("fc7x:1", r"--target: the network has no layer 'fc7x' \(did you mean 'fc7'"),
        ("conv5:1@99,0", "--target 1@99,0: 99,0 is neither max nor a place"),
    ],
)
def test_what_names_no_single_unit_is_refused_by_the_option(
    network: SVDNet, mel: torch.Tensor, text: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        parse_unit(text, network, mel[:1], NAMES, "--target")


@pytest.mark.parametrize(
    "neuron", ["", "-1", "sing", "17@", "17@mean", "3-1", "concept.npy", "1-minus-", "True", "1.0"]
)
def test_what_no_meta_keeps_is_no_unit(neuron: str) -> None:
    with pytest.raises(UsageError, match="names no unit"):
        Unit.from_meta("fc8", neuron)
