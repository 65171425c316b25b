"""The conditional-GAN explainer's parts: its maps, its networks, what it is taught."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.untrained import noise_excerpts, untrained_network  # noqa: F401
from torch import Tensor, nn

from ganexplain.attribution.scorer import Scorer, target_logits
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.errors import UsageError
from ganexplain.explainers.cgan.evaluation import map_correlations
from ganexplain.explainers.cgan.inference import (
    GeneratorSettings,
    View,
    build_generator,
)
from ganexplain.explainers.cgan.maps import (
    CONDITIONS,
    accumulate_maps,
    condition_indices,
    input_times_gradient,
    maps_and_gradient,
    shrink_maps,
    to_signed_range,
    to_unit_range,
)
from ganexplain.explainers.cgan.networks import (
    FeatureTransform,
    GlobalGenerator,
    InputNormalizer,
    PairDiscriminator,
    ProgressiveGenerator,
)
from ganexplain.explainers.cgan.teachers import target_classes
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import Call
from ganexplain.networks.target import adapt_network


def convolution_maps(
    network: nn.Module, logits: Callable[[Tensor], Tensor], x: Tensor
) -> dict[str, Tensor]:
    return maps_and_gradient(network, logits, x)[0]


# --- the maps ---------------------------------------------------------------------------------


def test_a_map_is_that_computed_by_hand() -> None:
    """Under an average and weights v, the gradient of channel c is v_c / places everywhere."""
    torch.manual_seed(0)
    first, second, head = nn.Conv2d(2, 5, 3), nn.Conv2d(5, 3, 3), nn.Linear(3, 4)
    network = nn.Sequential(first, nn.Tanh(), second, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    x = torch.randn(2, 2, 9, 8)
    maps = convolution_maps(network, lambda batch: network(batch)[:, 1], x)
    assert list(maps) == ["2", "0"]  # deep to shallow
    activation = second(torch.tanh(first(x)))
    share = (activation > 0).float().mean(dim=(2, 3))  # of places whose gradient counts
    weights = torch.relu(head.weight[1]) * share
    area = torch.einsum("bc,bchw->bhw", weights, activation)
    whole = nn.functional.interpolate(area[:, None], size=(9, 8), mode="bilinear")[:, 0]
    torch.testing.assert_close(maps["2"], to_unit_range(whole).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 4, 5), (7, 9)])
def test_input_times_gradient_by_hand(shape: tuple[int, ...]) -> None:
    """Under a linear network its sum is what the logit is above that of the mean input."""
    torch.manual_seed(0)
    planes = shape[0] if len(shape) == 3 else 1
    first, head = nn.Conv2d(planes, 2, 1), nn.LazyLinear(3)
    network = nn.Sequential(first, nn.Flatten(), head)
    x, mean = torch.randn(4, *shape), torch.randn(shape[0])

    def logits(batch: Tensor) -> Tensor:
        return network(batch.reshape(len(batch), planes, *shape[-2:]))[:, 1]

    logits(x)
    maps, gradient = maps_and_gradient(network, logits, x)
    assert list(maps) == ["0"] and gradient.shape == x.shape
    found = input_times_gradient(x, gradient, mean)
    assert found.shape == (4, *shape[-2:])
    usual = mean.reshape(-1, *[1] * (len(shape) - 1)).expand(1, *shape)
    wanted = (logits(x) - logits(usual)).detach()
    torch.testing.assert_close(found.sum(dim=(1, 2)), wanted, rtol=1e-4, atol=1e-4)


def test_what_a_generator_is_shown() -> None:
    """The conditions as ever, the gradient's plane behind them where it is asked for."""
    torch.manual_seed(0)
    maps = {"b": torch.rand(2, 8, 12), "a": torch.rand(2, 8, 12)}
    products = torch.randn(2, 8, 12)
    plain, more = (
        View("occlusion", gradient=g).generator_maps(maps, products, 2, 6) for g in (False, True)
    )
    assert plain.shape == (2, 2, 4, 6) and more.shape == (2, 3, 4, 6)
    assert torch.equal(more[:, :2], plain)
    cells = products.reshape(2, 4, 2, 6, 2).mean(dim=(2, 4))
    torch.testing.assert_close(more[:, 2], to_signed_range(cells))
    settings = GeneratorSettings("lsft", 2, 8, 6, "occlusion", "", gradient=True)
    generator = build_generator(settings, ImageInput(channels=1, height=8, width=12))
    x, flat = torch.rand(2, 1, 8, 12), more.clone()
    flat[:, 2] = 0.5
    with torch.no_grad():
        assert not torch.allclose(generator(x, flat), generator(x, more), atol=1e-6)


def test_cumulative_maps_are_means_from_deep_to_shallow(
    untrained_network: SVDNet,  # noqa: F811
    noise_excerpts: Tensor,  # noqa: F811
) -> None:
    network = untrained_network
    maps = convolution_maps(network, lambda x: network(x)[:, 0], noise_excerpts)
    assert list(maps) == ["conv5", "conv4", "conv2", "conv1"]
    stacked = torch.stack(list(maps.values()), dim=1)
    assert stacked.shape == (3, 4, 80, 115)
    conditions = View("occlusion").conditions(maps, 4)
    torch.testing.assert_close(conditions, accumulate_maps(stacked))
    torch.testing.assert_close(conditions[:, 0], maps["conv5"], rtol=0, atol=1e-5)
    torch.testing.assert_close(
        conditions[:, 3], to_unit_range(stacked.mean(dim=1)), rtol=0, atol=1e-5
    )
    for each in (stacked, conditions):
        assert each.min() == 0 and 1 - 1e-5 < each.max() <= 1


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        (13, [0, 2, 4, 6, 7, 9, 11, 12]),
        (53, [0, 8, 16, 23, 31, 38, 45, 52]),
        (94, [0, 14, 27, 40, 54, 67, 80, 93]),
        (8, list(range(8))),
        (4, list(range(4))),
        (1, [0]),
    ],
)
def test_which_maps_are_conditions(layers: int, wanted: list[int]) -> None:
    assert condition_indices(layers, min(CONDITIONS, layers)) == wanted


@given(st.integers(1, 300), st.integers(1, 8))
def test_conditions_reach_from_the_deepest_to_all(layers: int, count: int) -> None:
    found = condition_indices(layers, count)
    assert len(found) == count and found == sorted(found) and found[0] == 0
    assert count == 1 or found[-1] == layers - 1
    assert layers <= 8 or count < 8 or len(set(found)) == 8


def test_the_target_depends_on_layer_and_class(
    untrained_network: SVDNet,  # noqa: F811
    noise_excerpts: Tensor,  # noqa: F811
) -> None:
    network = untrained_network
    maps, others = (
        convolution_maps(network, Scorer(network, k).differentiable, noise_excerpts) for k in (0, 1)
    )
    assert View("grad-cam").target_layer(maps) == "conv5"
    assert View("grad-cam", "conv2").target_layer(maps) == "conv2"
    assert (map_correlations(maps["conv5"], maps["conv2"]) < 0.9).all()
    assert ((maps["conv5"] - others["conv5"]).abs().amax(dim=(1, 2)) > 0.05).all()
    with pytest.raises(UsageError, match="did you mean 'conv5'"):
        View("grad-cam", "conv6").target_layer(maps)
    with pytest.raises(UsageError, match="goes with --teacher grad-cam"):
        View("occlusion", "conv5")


def test_what_is_learnt_is_not_told(
    untrained_network: SVDNet,  # noqa: F811
    noise_excerpts: Tensor,  # noqa: F811
) -> None:
    """With the target's own map among the conditions the first would be the answer."""
    maps = convolution_maps(untrained_network, lambda x: untrained_network(x)[:, 0], noise_excerpts)
    for layer in ("", "conv2"):
        view = View("grad-cam", layer)
        learnt, before = view.target_layer(maps), view.conditions(maps, 3)
        assert learnt not in view.shallowest_layers(maps, 3)
        assert torch.equal(before, view.conditions(maps | {learnt: maps[learnt].flip(1)}, 3))
    with pytest.raises(UsageError, match="no convolution but conv5"):
        View("grad-cam").condition_layers({"conv5": maps["conv5"]})


def test_one_logit_is_two_classes() -> None:
    z = torch.tensor([[2.0], [-3.0], [5.0]])
    assert target_logits(z, torch.tensor([1, 1, 0])).tolist() == [2, -3, -5]
    assert target_logits(torch.eye(3) * 4, torch.tensor([0, 1, 0])).tolist() == [4, 4, 0]


def test_the_predicted_class_or_the_one_named() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    names = ("ant", "bee", "cow")
    found = adapt_network(
        network, ImageInput(channels=1, height=4, width=4), None, Call(classes=names),
        torch.device("cpu"),
    )  # fmt: skip
    x = torch.rand(20, 1, 4, 4)
    assert torch.equal(target_classes(found, x, "predicted"), network(x).argmax(dim=1))
    assert target_classes(found, x, "cow").tolist() == [2] * 20
    with pytest.raises(UsageError, match="one of ant, bee, cow"):
        target_classes(found, x, "cat")


def test_networks_of_any_origin_and_convolutions_over_time() -> None:
    """Names are the user's own; a map over time alone stands for all bands."""

    class OverTime(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused = nn.Conv2d(1, 1, 1)
            self.late, self.early = nn.Conv1d(6, 4, 3), nn.Conv1d(5, 6, 3, stride=2)

        def forward(self, mel: Tensor) -> Tensor:
            return self.late(torch.relu(self.early(mel[:, 0]))).mean(dim=2)

    taken = ImageInput(channels=1, height=5, width=40)
    explained = adapt_network(OverTime(), taken, None, Call(), torch.device("cpu"))
    x = torch.rand(3, 1, 5, 40)
    maps = convolution_maps(explained.network, lambda b: explained.network(b)[:, 2], x)
    assert list(maps) == ["late", "early"]  # by the order of the pass
    for area in maps.values():
        assert area.shape == (3, 5, 40)
        torch.testing.assert_close(area, area[:, :1].expand_as(area))
    with pytest.raises(UsageError, match="runs no convolution"):
        linear = nn.Sequential(nn.Flatten(), nn.Linear(200, 2))
        convolution_maps(linear, lambda b: linear(b)[:, 0], x)


# --- the networks -----------------------------------------------------------------------------


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_networks_have_the_authors_sizes() -> None:
    assert parameters(FeatureTransform(64)) == 55_488
    assert parameters(GlobalGenerator(3, 8, 3)) == 3_156_195
    assert parameters(ProgressiveGenerator(3, 8, 3)) == 2_160_419
    assert parameters(PairDiscriminator(3, 3)) == 1_122_209


def test_a_transform_without_scale_and_shift_changes_nothing() -> None:
    transform = FeatureTransform(8)
    x, condition = torch.randn(2, 8, 5, 6), torch.randn(2, 4, 5, 6)
    assert not torch.equal(transform(x, condition), x)
    for part in (transform.scale, transform.shift):
        for parameter in part[-1].parameters():
            nn.init.zeros_(parameter)
    assert torch.equal(transform(x, condition), x)


@pytest.mark.parametrize("kind", [GlobalGenerator, ProgressiveGenerator])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 17, 5), (1, 80, 115)])
def test_every_condition_counts_at_any_size(
    kind: type[nn.Module], shape: tuple[int, int, int]
) -> None:
    torch.manual_seed(0)
    generator = kind(shape[0], 5, 1, 8)
    picture, maps = torch.rand(2, *shape), torch.rand(2, 5, *shape[1:])
    with torch.no_grad():
        drawn = generator(picture, maps)
        assert drawn.shape == (2, 1, *shape[1:])
        for number in range(5):
            other = maps.clone()
            other[:, number] = 0
            assert not torch.allclose(generator(picture, other), drawn, atol=1e-6), number
        assert not torch.allclose(generator(1 - picture, maps), drawn, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 8, 8), (1, 80, 115), (3, 5, 33)])
def test_the_discriminator_lives(shape: tuple[int, int, int]) -> None:
    """In the released code it ends in a softmax over one unit, which says 1 to everything."""
    torch.manual_seed(0)
    network = PairDiscriminator(shape[0], 1, 8)
    pictures, maps = torch.rand(4, *shape), torch.rand(4, 1, *shape[1:])
    scores = network(pictures, maps)
    assert scores.shape == (4,) and scores.unique().numel() == 4
    assert not torch.equal(network(pictures.flip(0), maps), scores)
    assert not torch.equal(network(pictures, maps.flip(0)), scores)
    loss = nn.functional.binary_cross_entropy_with_logits(scores, torch.ones(4))
    gradients = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
    assert all(gradient.abs().sum() > 0 for gradient in gradients)
    released = torch.softmax(scores[:, None], dim=1)
    assert (released == 1).all()
    dead = nn.functional.binary_cross_entropy(released, torch.ones(4, 1))
    gradients = torch.autograd.grad(dead, list(network.parameters()))
    assert all(gradient.abs().sum() == 0 for gradient in gradients)


def test_inputs_are_standardised_a_band_or_a_channel() -> None:
    class Kept(nn.Module):
        def forward(self, x: Tensor, maps: Tensor) -> Tensor:
            return x

    for shape, axes in (((7, 4, 9), (0, 2)), ((7, 3, 4, 9), (0, 2, 3))):
        x = torch.randn(shape) * 3 + torch.arange(float(shape[1])).reshape(-1, *[1] * len(axes[1:]))
        network = InputNormalizer(Kept(), shape[1])
        network.mean.copy_(x.mean(dim=axes))
        network.deviation.copy_(x.std(dim=axes))
        found = network(x, x).reshape(shape)
        torch.testing.assert_close(found.mean(dim=axes), torch.zeros(shape[1]), rtol=0, atol=1e-5)
        torch.testing.assert_close(found.std(dim=axes), torch.ones(shape[1]))


def test_the_sign_of_a_map_stays() -> None:
    maps = torch.tensor([[[-3.0, 0.0, 1.5]], [[0.0, 0.1, 0.2]], [[0.0, 0.0, 0.0]]])
    wanted = torch.tensor([[[0.0, 0.5, 0.75]], [[0.5, 0.75, 1.0]], [[0.5, 0.5, 0.5]]])
    torch.testing.assert_close(to_signed_range(maps), wanted)


def test_values_within_a_cell_that_is_drawn_are_seen() -> None:
    """A picture of another texture and the same mean in each cell gives another map."""
    settings = GeneratorSettings("lsft", 2, 8, 24, "occlusion", "", gradient=False)
    torch.manual_seed(0)
    generator = build_generator(settings, ImageInput(channels=1, height=68, width=96))
    x, maps = torch.randn(2, 1, 68, 96), torch.rand(2, 2, 17, 24)
    even = nn.functional.interpolate(nn.functional.avg_pool2d(x, 4), scale_factor=4)
    with torch.no_grad():
        drawn = generator(x, maps)
        assert drawn.shape == (2, 1, 17, 24)
        assert (generator(even, maps) - drawn).abs().mean() > 1e-3
        nn.init.zeros_(generator.inner.get_parameter("tail.weight"))
        nn.init.zeros_(generator.inner.get_parameter("tail.bias"))
        generator.usual.copy_(maps[:1, 0])
        assert torch.equal(generator(x, maps), maps[:1, :1].expand(2, -1, -1, -1))


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 60))
def test_maps_are_drawn_at_a_working_size(height: int, width: int, longest: int) -> None:
    maps = to_unit_range(
        torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    )
    found = shrink_maps(maps, longest)
    if not 0 < longest < max(height, width):
        assert torch.equal(found, maps)
        return
    assert max(found.shape[-2:]) == longest
    assert abs(found.shape[-2] * width - found.shape[-1] * height) <= max(height, width)
    assert found.min() == 0 and found.max() <= 1
    flat = found.flatten(2)
    assert ((flat.amax(dim=2) > 1 - 1e-6) | (flat.amax(dim=2) == 0)).all()


def test_correlations_are_numpys() -> None:
    first, second = torch.rand(3, 1, 4, 5), torch.rand(3, 1, 4, 5)
    second[2] = 0.5  # flat
    found = map_correlations(first, second)
    for number in range(2):
        expected = np.corrcoef(first[number].ravel(), second[number].ravel())[0, 1]
        assert float(found[number]) == pytest.approx(expected, abs=1e-6)
    assert found[2] == 0
