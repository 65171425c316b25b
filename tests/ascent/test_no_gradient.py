"""Networks whose code lets no gradient through: one line that names the layer and the cause."""

from __future__ import annotations

import copy
import importlib.util
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain.ascent.engine import evaluate
from ganexplain.ascent.gradients import check_gradient
from ganexplain.attribution.methods.captum import Captum, captum_map
from ganexplain.attribution.methods.grad_cam import grad_cam
from ganexplain.attribution.scorer import Scorer
from ganexplain.errors import UsageError
from ganexplain.explainers.cgan.maps import maps_and_gradient
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import Call
from ganexplain.networks.fast.optimize import optimize_frozen
from ganexplain.networks.hooks import (
    last_hidden_layer,
    layer_output,
    responses_and_features,
    unit_response,
)
from ganexplain.networks.target import TargetNetwork, adapt_network
from ganexplain.networks.units import Unit

CPU = torch.device("cpu")
Step = Callable[[Tensor], Tensor]


class Forward(torch.autograd.Function):
    """Without the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2


def through_numpy(x: Tensor) -> Tensor:
    return torch.from_numpy(x.detach().numpy() * 2)


def numpy_of_a_gradient(x: Tensor) -> Tensor:
    return torch.from_numpy(x.numpy() * 2)


def written_after(x: Tensor) -> Tensor:
    return torch.sigmoid(x).mul_(2)


class Odd(nn.Module):
    """A layer that does a step which autograd cannot follow."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        return self.step(x)


class Beside(nn.Module):
    """A convolution in a block without gradients, beside something that has one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv1d(80, 4, 5), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            y = self.conv(x)
        return self.fc(y.mean(2)) + x.mean((1, 2))[:, None]


class Detaches(Beside):
    """Detaches between its layers."""

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).detach().mean(2))


class Overwrites(Beside):
    """Writes into what a layer needs for its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv(x))
        x *= 2
        return self.fc(x.mean(2))


def stepping(step: Step) -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(80, 4, 5), Odd(step), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2)
    )


NETWORKS: dict[str, tuple[Callable[[], nn.Module], str, str]] = {
    "detach inside": (lambda: stepping(Tensor.detach), "0", r"layer 1 \(Odd\) detaches"),
    "rounds": (lambda: stepping(lambda x: (x > 0).float()), "0", r"layer 1 \(Odd\).* rounds or"),
    "NumPy": (lambda: stepping(through_numpy), "0", r"layer 1 \(Odd\).* leaves torch \(NumPy\)"),
    "NumPy of a gradient": (
        lambda: stepping(numpy_of_a_gradient), "0", r"layer 1 \(Odd\) computes with NumPy",
    ),
    "written after": (
        lambda: stepping(written_after), "0", r"layer 1 \(Odd\) needs a tensor.*\(in place\)",
    ),
    "no derivative": (
        lambda: stepping(lambda x: torch.igamma(x.abs() + 1, x.abs() + 1)), "0",
        r"layer 1 \(Odd\) computes something without a derivative in torch",
    ),
    "no backward": (lambda: stepping(Forward.apply), "0", r"layer 1 \(Odd\) computes something"),
    "detaches between": (Detaches, "conv", r"the network's own code detaches.* behind layer conv "),
    "overwrites": (Overwrites, "conv", r"layer act \(Sigmoid\) needs a tensor.*\(in place\)"),
}  # fmt: skip


def explained(name: str) -> TargetNetwork:
    torch.manual_seed(0)
    return adapt_network(NETWORKS[name][0]().eval(), FrontEnd(), None, Call(), CPU)


def mel() -> Tensor:
    return torch.randn(2, 80, 115, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", NETWORKS)
def test_grad_cam_names_what_stops_the_gradient(name: str) -> None:
    network, (_, layer, message) = explained(name).network, NETWORKS[name]
    with pytest.raises(UsageError, match=message) as raised:
        grad_cam(network, Scorer(network, 1), mel()[0], layer)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.skipif(importlib.util.find_spec("captum") is None, reason="captum is not installed")
@pytest.mark.parametrize("name", ["detach inside", "NumPy of a gradient", "overwrites"])
def test_so_do_methods_of_captum(name: str) -> None:
    network, (_, layer, message) = explained(name).network, NETWORKS[name]
    labels = np.zeros((80, 115), dtype=np.int64)
    for method in ("Saliency", "LayerGradCam"):
        with pytest.raises(UsageError, match=message) as raised:
            captum_map(
                Captum(method, layer), network, Scorer(network, 1), mel()[0],
                torch.zeros(80, 115), labels,
            )  # fmt: skip
        assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("name", NETWORKS)
def test_so_do_maps_of_all_convolutions(name: str) -> None:
    network, (_, _, message) = explained(name).network, NETWORKS[name]
    with pytest.raises(UsageError, match=message):
        maps_and_gradient(network, lambda x: network(x)[:, 1], mel())


@pytest.mark.parametrize(
    "name", ["NumPy of a gradient", "written after", "overwrites", "no derivative"]
)
def test_a_search_names_it_too_and_goes_on_before_it(name: str) -> None:
    network, (_, layer, message) = explained(name).network, NETWORKS[name]
    latent = torch.zeros(3, 1)

    def draw(z: Tensor) -> Tensor:
        return z[:, :, None] + mel()[:1].expand(len(z), -1, -1)

    with (
        pytest.raises(UsageError, match=message),
        unit_response(network, Unit.parse("output:0")) as run,
    ):
        evaluate(lambda z: run(draw(z)), latent, 2)
    with unit_response(network, Unit.from_meta(layer, 0)) as run:
        _, gradient = evaluate(lambda z: run(draw(z)), latent, 2)
    weight = network.get_parameter("explained." + layer + ".weight")
    by_hand = weight[0].sum().expand(3, 1)
    torch.testing.assert_close(gradient, by_hand, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_unit_behind_it_is_refused_before_a_search(name: str) -> None:
    network, (_, _, message) = explained(name).network, NETWORKS[name]

    class Draws(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return z[:, :1, None] + 3 * torch.sin(z[:, 1:, None] * torch.arange(115.0)) + mel()[:1]

    start = torch.randn(4, 2, generator=torch.Generator().manual_seed(5))
    try:
        refused, _ = check_gradient(Draws(), network, Unit.parse("output:0"), start, 4)
    except UsageError as error:  # of autograd's own
        assert re.search(message, str(error)), error
    else:
        assert re.search(message, str(refused)), refused


@pytest.mark.parametrize("name", NETWORKS)
def test_no_faster_form_is_made_of_it(name: str) -> None:
    network = explained(name).network
    fast = optimize_frozen(network, mel())
    with torch.no_grad():
        torch.testing.assert_close(fast(mel()), network(mel()))


def test_a_target_that_does_not_depend_on_a_layer_is_distinguished() -> None:
    class Aside(Beside):
        def forward(self, x: Tensor) -> Tensor:
            self.conv(x)
            return self.fc(x[:, :4].mean(2))

    network = adapt_network(Aside().eval(), FrontEnd(), None, Call(), CPU).network
    with pytest.raises(UsageError, match="reaches it: the target does not depend on it"):
        grad_cam(network, Scorer(network, 1), mel()[0], "conv")


class Dense(nn.Module):
    """Ends in a layer that quantisation replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv1d(80, 4, 5), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.conv(x)).mean(2))


@pytest.mark.filterwarnings("ignore")
def test_of_a_quantised_network_values_are_recorded_and_gradients_refused() -> None:
    torch.manual_seed(0)
    dense = Dense().eval()
    dynamic = torch.ao.quantization.quantize_dynamic(copy.deepcopy(dense), {nn.Linear})
    static = torch.ao.quantization.QuantWrapper(copy.deepcopy(dense)).eval()
    static.qconfig = torch.ao.quantization.get_default_qconfig("x86")
    prepared = torch.ao.quantization.prepare(static)
    prepared(mel())
    static = torch.ao.quantization.convert(prepared)
    with torch.no_grad():
        conv = dense.conv(mel())
    for network, layer in ((dynamic, "conv"), (static, "module.conv")):
        found = adapt_network(network, FrontEnd(), None, Call(), CPU).network
        assert last_hidden_layer(found) == layer
        with layer_output(found, layer) as run, torch.no_grad():
            first, later = run(mel()), run(mel())
        assert torch.equal(first, later)
        torch.testing.assert_close(first, conv, atol=0.1, rtol=0)
        response, features = responses_and_features(found, Unit.from_meta(layer, 1), layer, mel())
        torch.testing.assert_close(features, first.mean(2))
        torch.testing.assert_close(response, first.mean(2)[:, 1])
        with pytest.raises(UsageError, match=r"layer .* is quantised and has no gradient"):
            grad_cam(found, Scorer(found, 1), mel()[0], layer)


def test_a_layer_without_gradients_beside_others_is_named() -> None:
    network = adapt_network(Beside().eval(), FrontEnd(), None, Call(), CPU).network
    with pytest.raises(UsageError, match=r"layer conv \(Conv1d\) runs under torch\.no_grad\(\)"):
        grad_cam(network, Scorer(network, 1), mel()[0], "conv")
