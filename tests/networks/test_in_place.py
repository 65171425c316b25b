"""Networks that write into tensors: what their layers put out, and what they are given, stays.

Every value is held against the same computation by hand, without a hook and with nothing in place.
"""

from __future__ import annotations

import copy
import importlib.util
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.commands import Run
from support.paths import ROOT
from support.recordings import JamendoFolder
from torch import Tensor, nn
from torch.nn import functional

from ganexplain import explain, respond
from ganexplain.attribution.methods.captum import Captum, captum_map
from ganexplain.attribution.methods.grad_cam import enlarged, grad_cam
from ganexplain.attribution.scorer import Scorer, from_numpy
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import Call
from ganexplain.networks.adapter import named_layers
from ganexplain.networks.fast.optimize import optimize_frozen
from ganexplain.networks.hooks import (
    layer_output,
    layer_response,
    responses_and_features,
    unit_response,
)
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.target import TargetNetwork, adapt_network
from ganexplain.networks.tracing import subnetwork_after
from ganexplain.networks.units import Unit

CPU = torch.device("cpu")
GAN = ROOT / "sample_data" / "pretrained" / "gan.pt"
Values = dict[str, Tensor]


def front() -> nn.Conv1d:
    return nn.Conv1d(80, 6, 5, stride=4)


class ByHand(nn.Module):
    """A network of which each layer's output can be computed apart from it."""

    def by_hand(self, x: Tensor) -> Values:
        raise NotImplementedError


class Activated(ByHand):
    """Convolutions with an activation behind each, the usual order of layers."""

    def __init__(self, activation: Callable[..., nn.Module], inplace: bool = True) -> None:
        super().__init__()
        self.conv1, self.act1 = front(), activation(inplace=inplace)
        self.conv2, self.act2 = nn.Conv1d(6, 4, 3), activation(inplace=inplace)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.conv1(x))
        return self.fc(self.act2(self.conv2(x)).mean(2))

    def by_hand(self, x: Tensor) -> Values:
        act: Any = copy.deepcopy(self.act1)
        act.inplace = False
        conv1 = self.conv1(x)
        act1 = act(conv1)
        conv2 = self.conv2(act1)
        act2 = act(conv2)
        return {
            "conv1": conv1,
            "act1": act1,
            "conv2": conv2,
            "act2": act2,
            "output": self.fc(act2.mean(2)),
        }


class Residual(ByHand):
    """A sum written into what a layer put out, and a functional rectifier in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm = front(), nn.BatchNorm1d(6)
        self.conv2 = nn.Conv1d(6, 6, 3, padding=1)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv1(x))
        z = self.conv2(y)
        z += y
        functional.relu_(z)
        return self.fc(z.mean(2))

    def by_hand(self, x: Tensor) -> Values:
        conv1 = self.conv1(x)
        norm = self.norm(conv1)
        conv2 = self.conv2(norm)
        output = self.fc(functional.relu(conv2 + norm).mean(2))
        return {"conv1": conv1, "norm": norm, "conv2": conv2, "output": output}


class WritesInput(ByHand):
    """Standardises what it is given where it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = front()
        self.fc = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x.sub_(x.mean((1, 2), keepdim=True))
        x.mul_(0.5).clamp_(-2.0, 2.0)
        return self.fc(self.conv(x).clamp_(min=0.0).mean(2))

    def by_hand(self, x: Tensor) -> Values:
        conv = self.conv((0.5 * (x - x.mean((1, 2), keepdim=True))).clamp(-2.0, 2.0))
        return {"conv": conv, "output": self.fc(conv.clamp(min=0.0).mean(2))}


class Turned(nn.Module):
    """A layer that puts out a view."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


class ThroughViews(ByHand):
    """Writes into views of what layers put out, and into what is itself a view."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.turned = front(), Turned()
        self.fc1, self.fc2 = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        y[:, 1] = 0.5
        z = self.turned(y)
        z.relu_()
        h = self.fc1(z)
        h.view(-1).neg_()
        return self.fc2(h.mean(1))

    def by_hand(self, x: Tensor) -> Values:
        conv = self.conv(x)
        kept = torch.ones(6, 1)
        kept[1] = 0
        turned = conv * kept + 0.5 * (1 - kept)  # units before places, as all outputs are read
        fc1 = self.fc1(functional.relu(turned).transpose(1, 2)).transpose(1, 2)
        return {
            "conv": conv,
            "turned": turned,
            "fc1": fc1,
            "output": self.fc2((-fc1).mean(2)),
        }


class Repeated(ByHand):
    """A layer that runs three times and is overwritten each time: the last run counts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.again = front(), nn.Conv1d(6, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv1(x))
        x = self.relu(self.again(x))
        x = self.relu(self.again(x))
        x = self.again(x).exp_()
        return self.fc(x.mean(2))

    def by_hand(self, x: Tensor) -> Values:
        conv1 = self.conv1(x)
        first = functional.relu(self.again(functional.relu(conv1)))
        relu = functional.relu(self.again(first))
        again = self.again(relu)
        return {
            "conv1": conv1,
            "relu": relu,
            "again": again,
            "output": self.fc(again.exp().mean(2)),
        }


class Pair(nn.Module):
    """A layer that puts out two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = front()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.conv(x)
        return y, y.mean(2)


class Pairs(ByHand):
    """Writes into both tensors that a layer put out, of which the first counts."""

    def __init__(self) -> None:
        super().__init__()
        self.pair, self.fc = Pair(), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        y, mean = self.pair(x)
        y.sigmoid_()
        mean.mul_(2.0)
        return self.fc(y.mean(2) + mean)

    def by_hand(self, x: Tensor) -> Values:
        pair = self.pair.conv(x)
        output = self.fc(torch.sigmoid(pair).mean(2) + 2 * pair.mean(2))
        return {"pair": pair, "pair.conv": pair, "output": output}


class Kept(ByHand):
    """Reads what a layer put out again, behind a write into it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu = front(), nn.ReLU(inplace=True)
        self.conv2, self.fc = nn.Conv1d(6, 6, 3, padding=1), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y.add_(0.1)
        self.relu(y)  # what it returns is not used: y is rectified
        return self.fc((y + self.conv2(y)).mean(2))

    def by_hand(self, x: Tensor) -> Values:
        conv1 = self.conv1(x)
        relu = functional.relu(conv1 + 0.1)
        conv2 = self.conv2(relu)
        output = self.fc((relu + conv2).mean(2))
        return {"conv1": conv1, "relu": relu, "conv2": conv2, "output": output}


NETWORKS: dict[str, Callable[[], ByHand]] = {
    "plain": lambda: Activated(nn.ReLU, inplace=False),
    "ReLU": lambda: Activated(nn.ReLU),
    "LeakyReLU": lambda: Activated(nn.LeakyReLU),
    "ELU": lambda: Activated(nn.ELU),
    "SiLU": lambda: Activated(nn.SiLU),
    "Hardswish": lambda: Activated(nn.Hardswish),
    "Dropout": lambda: Activated(nn.Dropout),
    "residual": Residual,
    "input": WritesInput,
    "views": ThroughViews,
    "repeated": Repeated,
    "pairs": Pairs,
    "kept": Kept,
}
FORMS = ("eager", "scripted", "traced", "exported")


@cache
def made(name: str) -> ByHand:
    torch.manual_seed(1)
    network = NETWORKS[name]().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d) and module.running_mean is not None:
            module.running_mean.normal_()
    return network.requires_grad_(False)


def mel(rows: int = 4) -> Tensor:
    return torch.randn(rows, 80, 115, generator=torch.Generator().manual_seed(3)) * 2 - 3


def loaded(name: str, form: str, folder: Path) -> TargetNetwork:
    network = made(name)
    if form == "eager":
        network = copy.deepcopy(network)
    else:
        path = folder / ("network.pt2" if form == "exported" else "network.pt")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if form == "exported":
                free = ({0: torch.export.Dim("batch")},)
                exported = torch.export.export(network, (mel(),), dynamic_shapes=free)
                torch.export.save(exported, path)
            else:
                scripted = form == "scripted"
                program = torch.jit.script(network) if scripted else torch.jit.trace(network, mel())
                torch.jit.save(program, str(path))
        return adapt_network(load_network(str(path)), FrontEnd(), None, Call(), CPU)
    return adapt_network(network, FrontEnd(), None, Call(), CPU)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_what_it_is_by_hand(name: str, form: str, tmp_path: Path) -> None:
    explained, x = loaded(name, form, tmp_path), mel()
    given = x.clone()
    leaf = x.clone().requires_grad_(True)
    wanted = made(name).by_hand(leaf)
    for layer, value in wanted.items():
        with layer_output(explained.network, layer) as put_out:
            for passes in ("first", "later"):
                torch.testing.assert_close(put_out(x), value, msg=f"{layer}, {passes} pass")
            other = x.clone().requires_grad_(True)
            weights = torch.linspace(-1, 2, value.numel()).view(value.shape)
            gradients = [
                torch.autograd.grad((each * weights).sum(), inputs, retain_graph=True)[0]
                for each, inputs in ((put_out(other), other), (value, leaf))
            ]
            torch.testing.assert_close(*gradients, msg=f"{layer}, gradient")
        response, features = responses_and_features(
            explained.network, Unit.from_meta(layer, "1-minus-0"), layer, x
        )
        with layer_response(explained.network, layer) as respond_all:
            torch.testing.assert_close(features, respond_all(x), msg=f"{layer}, features")
        with unit_response(explained.network, Unit.from_meta(layer, "1-minus-0")) as one:
            torch.testing.assert_close(response, one(x), msg=f"{layer}, response")
        assert torch.equal(x, given), f"{layer} changed the input"


@pytest.mark.skipif(importlib.util.find_spec("onnx") is None, reason="onnx is not installed")
@pytest.mark.parametrize("name", ["ReLU", "ELU", "kept"])
def test_every_layer_of_an_onnx_network_is_what_it_is_by_hand(name: str, tmp_path: Path) -> None:
    path, x = tmp_path / "network.onnx", mel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            made(name), (x,), str(path), dynamo=False, input_names=["mel"],
            dynamic_axes={"mel": {0: "batch"}},
        )  # fmt: skip
    explained = adapt_network(load_network(str(path)), FrontEnd(), None, Call(), CPU)
    wanted, compared = made(name).by_hand(x.clone()), 0
    for layer in named_layers(explained.network):
        value = wanted.get(layer.partition("/")[0])
        if value is not None and (layer == "output" or layer.endswith(("Conv", "Relu", "Elu"))):
            with layer_output(explained.network, layer) as put_out, torch.no_grad():
                for _ in range(2):
                    torch.testing.assert_close(put_out(x), value, atol=1e-4, rtol=1e-4, msg=layer)
            compared += 1
    assert compared >= 3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NETWORKS)
def test_grad_cam_is_what_it_is_by_hand(name: str, form: str, tmp_path: Path) -> None:
    explained, x = loaded(name, form, tmp_path), mel(1)
    given = x.clone()
    wanted = made(name).by_hand(x.clone().requires_grad_(True))
    scorer = Scorer(explained.network, 2)
    for layer, value in wanted.items():
        if value.ndim == 3:
            (gradient,) = torch.autograd.grad(
                wanted["output"][:, 2].sum(), value, retain_graph=True
            )
            by_hand = functional.relu((gradient.mean(2)[:, :, None] * value).sum(1))
            found = grad_cam(explained.network, scorer, x[0], layer)
            torch.testing.assert_close(found, by_hand.detach(), msg=layer)
    assert torch.equal(x, given)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_faster_form_computes_the_same(name: str, tmp_path: Path) -> None:
    explained, x = loaded(name, "eager", tmp_path), mel()
    for layer, value in made(name).by_hand(x.clone()).items():
        kept = () if layer == "output" else (f"explained.{layer}",)
        fast = optimize_frozen(explained.network, x, keep=kept)
        with layer_output(fast, layer) as put_out, torch.no_grad():
            for _ in range(2):
                torch.testing.assert_close(put_out(x), value, atol=1e-5, rtol=1e-4, msg=layer)


@pytest.mark.parametrize("name", ["ReLU", "residual", "repeated", "kept"])
def test_what_is_behind_a_layer_computes_the_same(name: str, tmp_path: Path) -> None:
    explained, x = loaded(name, "eager", tmp_path), mel()
    wanted = made(name).by_hand(x.clone())
    start, ends = {
        "ReLU": ("conv1", ("act1", "conv2", "output")),
        "residual": ("norm", ("conv2", "output")),
        "repeated": ("conv1", ("output",)),
        "kept": ("conv1", ("relu", "conv2", "output")),
    }[name]
    behind = subnetwork_after(explained.network, start, ends)
    features = wanted[start].clone()
    for end, found in zip(ends, behind(features), strict=True):
        torch.testing.assert_close(found, wanted[end], msg=end)
    assert torch.equal(features, wanted[start])


def test_the_callers_arrays_and_module_stay_as_they_are() -> None:
    network, x = copy.deepcopy(made("input")), mel().numpy()
    given, weights = x.copy(), copy.deepcopy(network.state_dict())
    wanted = made("input").by_hand(torch.from_numpy(given))
    shared, leaf = torch.from_numpy(x), mel().requires_grad_(True)
    for unit, value in (
        ("conv:3", wanted["conv"][:, 3].mean(1)),
        ("output:1", wanted["output"][:, 1]),
    ):
        for inputs in (x, x.astype(np.float64), shared, leaf):
            found = respond(network, unit, inputs)
            np.testing.assert_allclose(found, value.numpy(), rtol=1e-5, atol=1e-5)
    assert np.array_equal(x, given)
    assert np.array_equal(leaf.detach().numpy(), given)
    assert all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())


def test_a_function_that_writes_into_its_inputs_does_not_change_them() -> None:
    def model(batch: np.ndarray) -> np.ndarray:
        batch *= 2
        return batch.reshape(len(batch), -1)[:, :2]

    x = mel()
    given = x.clone()
    scorer = Scorer(from_numpy(model), 0, score="logit")
    first, second = scorer(x), scorer(x)
    assert torch.equal(x, given)
    np.testing.assert_array_equal(first, second)


def test_what_a_search_draws_is_what_the_generator_draws() -> None:
    """Of a network that writes into its input, as of one that does not."""
    settings: dict[str, Any] = {
        "learning_rate": (0.1,), "prior_weight": (0.01,), "iterations": (3,), "examples": 2,
    }  # fmt: skip
    writes = explain(copy.deepcopy(made("input")), GAN, "output:1", **settings)
    found = respond(copy.deepcopy(made("input")), "output:1", writes.inputs[0])
    np.testing.assert_allclose(found, writes.response[0], rtol=1e-4, atol=1e-4)
    wanted = made("input").by_hand(torch.from_numpy(writes.inputs[0]))["output"][:, 1]
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-4)


CAPTUM = (
    "DeepLift", "GuidedBackprop", "IntegratedGradients", "LayerActivation", "LayerConductance",
    "LayerDeepLift", "LayerGradCam", "LayerGradientXActivation", "Saliency",
)  # fmt: skip


@pytest.mark.skipif(importlib.util.find_spec("captum") is None, reason="captum is not installed")
@pytest.mark.parametrize("method", CAPTUM)
def test_captums_methods_find_what_layers_put_out(method: str, tmp_path: Path) -> None:
    """In place as not: the two networks compute the same."""
    x, maps = mel(1)[0], {}
    for name in ("plain", "ReLU"):
        network = loaded(name, "eager", tmp_path).network
        scorer = Scorer(network, 2)
        labels = np.zeros((80, 115), dtype=np.int64)
        maps[name] = captum_map(
            Captum(method, "conv1"), network, scorer, x, torch.zeros_like(x), labels
        )
        activation = network.get_submodule("explained.act1")
        assert isinstance(activation, nn.ReLU) and activation.inplace is (name == "ReLU")
        assert not network.get_submodule("explained.conv1")._forward_hooks
    torch.testing.assert_close(maps["plain"], maps["ReLU"])
    assert maps["plain"].abs().max() > 0


@pytest.mark.skipif(importlib.util.find_spec("captum") is None, reason="captum is not installed")
def test_captum_leaves_what_must_be_in_place(tmp_path: Path) -> None:
    """A network that needs its rectifier to write, and what its layer puts out before that."""
    network, x = loaded("kept", "eager", tmp_path).network, mel(1)
    labels = np.zeros((80, 115), dtype=np.int64)
    found = captum_map(
        Captum("LayerActivation", "conv2"),
        network,
        Scorer(network, 2),
        x[0],
        torch.zeros_like(x[0]),
        labels,
    )
    conv2 = made("kept").by_hand(x)["conv2"]
    torch.testing.assert_close(found, enlarged(conv2[0].sum(0)[None], 80, 115))


FACTORIES = """
import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, writes):
        super().__init__()
        torch.manual_seed(1)
        self.writes = writes
        self.conv, self.act = nn.Conv1d(80, 6, 5, stride=4), nn.ReLU(inplace=writes)
        self.fc = nn.Linear(6, 2)

    def forward(self, x):
        if self.writes:
            x.sub_(x.mean((1, 2), keepdim=True)).clamp_(-2.0, 2.0)
        else:
            x = (x - x.mean((1, 2), keepdim=True)).clamp(-2.0, 2.0)
        return self.fc(self.act(self.conv(x)).mean(2))


def plain():
    return Network(False)


def writing():
    return Network(True)
"""
SEARCH = ("--learning-rate", "0.1", "--prior-weight", "0.01", "--iterations", "3",
          "--examples", "3", "--jobs", "1")  # fmt: skip


def test_the_files_of_a_network_that_writes_are_those_of_one_that_does_not(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("writing_networks.py").write_text(FACTORIES)
    monkeypatch.delitem(sys.modules, "writing_networks", raising=False)
    found: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for name in ("plain", "writing"):
        model = ("--model", f"writing_networks:{name}")
        runs = {
            "explain": ("--gan", GAN, "--layer", "conv:3", "--features", "act", *SEARCH),
            "responses": (jamendo.root, "--layer", "conv", "--neuron", "3"),
            "attribute": (f"{jamendo.audio('one.wav')}@2", "--method", "occlusion", "--method",
                          "grad-cam", "--segments", "2x3"),
        }  # fmt: skip
        for stage, words in runs.items():
            out = tmp_path / f"{name}-{stage}"
            done = command(stage, *words, *model, "--out", out, "--quiet")
            assert done.code == 0, done.err
            for file in sorted(out.rglob("*.npz")):
                with np.load(file) as arrays:
                    found.setdefault(str(file.relative_to(out)), {})[name] = dict(arrays)
    assert len(found) == 4
    for relative, both in found.items():
        for key, value in both["plain"].items():
            if value.dtype.kind == "f" and key != "seconds":
                np.testing.assert_allclose(
                    both["writing"][key], value, rtol=1e-4, atol=1e-4, err_msg=f"{relative} {key}"
                )
