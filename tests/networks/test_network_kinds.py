"""Networks as they come: other layouts, precisions, types of output, and what cannot be copied."""

from __future__ import annotations

import threading
import warnings
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch
from support.untrained import noise_log_mel as mel
from torch import Tensor, nn

from ganexplain import layers, respond
from ganexplain.attribution.methods.grad_cam import grad_cam
from ganexplain.attribution.scorer import Scorer
from ganexplain.errors import UsageError
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import Call
from ganexplain.networks.adapter import layer_type, named_layers
from ganexplain.networks.hooks import last_hidden_layer, unit_response
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.target import TargetNetwork, adapt_network
from ganexplain.networks.tracing import subnetwork_after
from ganexplain.networks.units import Unit

CPU = torch.device("cpu")


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(80, 6, 5, stride=4), nn.BatchNorm1d(6)
        self.fc = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.tanh(self.norm(self.conv(x))).mean(2))


def plain(kind: type[nn.Module] = Plain) -> nn.Module:
    torch.manual_seed(2)
    return kind().eval().requires_grad_(False)


def responses(network: nn.Module, call: Call, unit: int = 1, x: Tensor | None = None) -> Tensor:
    explained = adapt_network(network, FrontEnd(), None, call, CPU)
    return read(explained, "output", unit, mel() if x is None else x)


def read(explained: TargetNetwork, layer: str, unit: int, x: Tensor) -> Tensor:
    with torch.no_grad(), unit_response(explained.network, Unit.from_meta(layer, unit)) as run:
        return run(x)


# --- layouts ----------------------------------------------------------------------------------


class Viewing(nn.Module):
    """Views its input (B, ...) as rows, which works for contiguous ones alone."""

    weight: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape, size = shape, int(np.prod(shape))
        self.register_buffer("weight", torch.linspace(-1, 1, size))

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[1:] == self.shape
        return x.view(len(x), -1) @ self.weight[:, None]


@pytest.mark.parametrize(
    ("layout", "shape", "order"),
    [
        ("FT", (80, 115), (0, 1, 2)),
        ("TF", (115, 80), (0, 2, 1)),
        ("1TF", (1, 115, 80), (0, 2, 1)),
        ("T1F", (115, 1, 80), (0, 2, 1)),
        ("TF1", (115, 80, 1), (0, 2, 1)),
        ("1F1T", (1, 80, 1, 115), (0, 1, 2)),
    ],
)
def test_a_network_may_view_its_input(
    layout: str, shape: tuple[int, ...], order: tuple[int, ...]
) -> None:
    weight = torch.linspace(-1, 1, 80 * 115)
    wanted = mel().permute(order).reshape(5, -1) @ weight
    torch.testing.assert_close(responses(Viewing(*shape), Call(layout=layout), 0), wanted)


@pytest.mark.parametrize("layout", ["CHW", "HWC", "WCH"])
def test_a_network_may_view_pictures(layout: str) -> None:
    pictures = ImageInput(channels=3, height=4, width=5)
    order = [1 + "CHW".index(letter) for letter in layout]
    x = torch.rand(6, 3, 4, 5).to(memory_format=torch.channels_last)
    network = Viewing(*(x.shape[axis] for axis in order))
    explained = adapt_network(network, pictures, None, Call(layout=layout), CPU)
    wanted = x.permute(0, *order).reshape(6, -1) @ network.weight
    torch.testing.assert_close(read(explained, "output", 0, x), wanted)


# --- precisions -------------------------------------------------------------------------------


class Mixed(Plain):
    """Float16 weights beside a float32 normalisation, as for inference."""

    def __init__(self) -> None:
        super().__init__()
        self.conv.half()
        self.fc.half()

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.norm(self.conv(x.half()).float())
        return self.fc(torch.tanh(hidden).mean(2).half())


class MixedInside(Plain):
    """The same, without the conversion of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv.half()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.tanh(self.norm(self.conv(x).to(self.norm.weight.dtype))).mean(2))


class DoubleBuffer(Plain):
    """Standardised by numbers from NumPy, with all else in float64 too."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(np.zeros((80, 1))))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - self.mean)


class NamesPrecision(Plain):
    """Its code names the precision of its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype != torch.float64:
            raise TypeError("float64 alone")
        return super().forward(x * torch.ones(1, dtype=torch.float64))


PRECISIONS: dict[str, tuple[Callable[[], nn.Module], float]] = {
    "half": (lambda: plain().half(), 1e-2),
    "bfloat16": (lambda: plain().bfloat16(), 5e-2),
    "double": (lambda: plain().double(), 1e-5),
    "mixed": (lambda: plain(Mixed), 1e-2),
    "mixed inside": (lambda: plain(MixedInside), 1e-2),
    "double buffer": (lambda: plain(DoubleBuffer), 1e-5),
    "names its precision": (lambda: plain(NamesPrecision), 1e-5),
}


@pytest.mark.parametrize("name", PRECISIONS)
def test_weights_of_any_precision_respond_as_those_of_float32(name: str) -> None:
    make, error = PRECISIONS[name]
    with torch.no_grad():
        wanted = plain()(mel())[:, 1]
    found = responses(make(), Call())
    assert found.dtype in (torch.float32, torch.float64)
    torch.testing.assert_close(found.float(), wanted, atol=error, rtol=error)


@pytest.mark.parametrize("form", ["traced", "exported"])
def test_so_do_those_in_files(form: str, tmp_path: Path) -> None:
    network, x = plain().half(), mel().half()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if form == "traced":
            path = tmp_path / "network.pt"
            torch.jit.save(torch.jit.trace(network, x), str(path))
        else:
            path = tmp_path / "network.pt2"
            free = ({0: torch.export.Dim("batch")},)
            torch.export.save(torch.export.export(network, (x,), dynamic_shapes=free), path)
    with torch.no_grad():
        wanted = plain()(mel())
    explained = adapt_network(load_network(str(path)), FrontEnd(), None, Call(), CPU)
    torch.testing.assert_close(
        read(explained, "output", 1, mel()).float(), wanted[:, 1], atol=2e-2, rtol=1e-2
    )
    assert "conv" in layers(load_network(str(path)))


def test_a_module_of_float16_stays_one() -> None:
    network = plain().half()
    respond(network, "output:1", mel().numpy())
    assert {weight.dtype for weight in network.parameters()} == {torch.float16}


def test_of_what_does_not_run_the_true_cause_is_said() -> None:
    network = nn.Sequential(nn.Conv1d(64, 2, 3), nn.Flatten()).half()
    with pytest.raises(UsageError, match=r"expected input.* to have 64 channels.*float16"):
        responses(network, Call())


# --- what a network puts out ------------------------------------------------------------------


@dataclass
class Answer:
    logits: Tensor
    hidden: Tensor


@dataclass(frozen=True, slots=True)
class Slotted:
    loss: Tensor | None
    logits: Tensor


class Tupled(NamedTuple):
    logits: Tensor
    hidden: Tensor


class Plainest:
    def __init__(self, logits: Tensor) -> None:
        self.size, self.logits, self.me = len(logits), logits, self


def attrs_like(logits: Tensor) -> Any:
    """As the package attrs makes them, with slots."""

    class Made:
        __slots__ = ("logits", "name")
        __attrs_attrs__ = (SimpleNamespace(name="name"), SimpleNamespace(name="logits"))

    made: Any = Made()
    made.name, made.logits = "answer", logits
    return made


OLD = namedtuple("OLD", "logits, hidden")
PUT_OUT: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "tensor": lambda y, h: y,
    "tuple": lambda y, h: (y, h),
    "list in a tuple": lambda y, h: ([None, y], h),
    "mapping": lambda y, h: {"logits": y, "hidden": h},
    "mapping in a mapping": lambda y, h: {"out": {"logits": y}, "hidden": h},
    "numbered mapping": lambda y, h: {0: y, 1: h},
    "dataclass": lambda y, h: Answer(y, h),
    "slots": lambda y, h: Slotted(None, y),
    "dataclass in a tuple": lambda y, h: ("version 2", Answer(y, h)),
    "named tuple": lambda y, h: Tupled(y, h),
    "namedtuple": lambda y, h: OLD(y, h),
    "made dataclass": lambda y, h: make_dataclass("Made", ["logits"])(y),
    "attrs": lambda y, h: attrs_like(y),
    "namespace": lambda y, h: SimpleNamespace(version=2, logits=y),
    "tuple in a tuple": lambda y, h: (None, (y, h)),
    "dotted mapping": lambda y, h: {"head.0": (y, h)},
    "object that has itself": lambda y, h: Plainest(y),
    "distribution": lambda y, h: torch.distributions.Categorical(logits=y, validate_args=False),
}


class Answering(Plain):
    def __init__(self, put_out: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.put_out = put_out

    def forward(self, x: Tensor) -> Any:
        hidden = self.norm(self.conv(x)).mean(2)
        return self.put_out(self.fc(hidden), hidden)


def answering(put_out: Callable[[Tensor, Tensor], Any]) -> nn.Module:
    torch.manual_seed(2)
    return Answering(put_out).eval().requires_grad_(False)


@pytest.mark.parametrize("kind", [kind for kind in PUT_OUT if kind != "distribution"])
def test_the_first_tensor_is_the_output(kind: str) -> None:
    wanted = answering(PUT_OUT["tensor"])(mel())[:, 1]
    torch.testing.assert_close(responses(answering(PUT_OUT[kind]), Call()), wanted)


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("tuple", "1"),
        ("mapping", "hidden"),
        ("numbered mapping", "1"),
        ("mapping in a mapping", "hidden"),
        ("dataclass", "hidden"),
        ("named tuple", "hidden"),
        ("named tuple", "1"),
        ("namedtuple", "hidden"),
        ("tuple in a tuple", "1.1"),
        ("dotted mapping", "head.0.1"),
        ("dataclass in a tuple", "1.hidden"),
    ],
)
def test_a_part_of_the_output_is_chosen_by_name_or_number(kind: str, part: str) -> None:
    wanted = answering(lambda y, h: h)(mel())[:, 5]
    found = responses(answering(PUT_OUT[kind]), Call(output=part), 5)
    torch.testing.assert_close(found, wanted)


def test_a_property_of_the_output_may_be_chosen() -> None:
    network = answering(PUT_OUT["distribution"])
    wanted = torch.softmax(answering(PUT_OUT["tensor"])(mel()), dim=1)[:, 1]
    torch.testing.assert_close(responses(network, Call(output="probs")), wanted)


@pytest.mark.parametrize(
    ("kind", "part", "message"),
    [
        ("tensor", "logits", "output is one tensor; leave the key out"),
        ("tuple", "2", "output is tuple without it; its parts are 0, 1"),
        ("mapping", "logit", r"did you mean 'logits'\?\); its parts are logits, hidden"),
        ("dataclass", "hiden", r"output is Answer without it \(did you mean 'hidden'\?\)"),
        ("tuple in a tuple", "1.2", r"'1.2': its part 1 is tuple without it; its parts are 0, 1"),
        ("tuple", "1.0", r"'1.0': its part 1 is one tensor; leave .0 out"),
    ],
)
def test_a_part_that_is_not_there_is_named(kind: str, part: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        responses(answering(PUT_OUT[kind]), Call(output=part))


# --- modules given from Python ----------------------------------------------------------------


def weight_normalised(network: nn.Module) -> nn.Module:
    nn.utils.weight_norm(network.get_submodule("conv"))
    return network


def spectrally_normalised(network: nn.Module) -> nn.Module:
    nn.utils.spectral_norm(network.get_submodule("fc"))
    return network.eval()


def parametrised(network: nn.Module) -> nn.Module:
    nn.utils.parametrizations.weight_norm(network.get_submodule("conv"))
    nn.utils.parametrizations.spectral_norm(network.get_submodule("fc"))
    return network.eval()


def with_a_cache(network: Any) -> nn.Module:
    network.cache = {"last": [network.fc.weight * 2, (network.conv.weight + 1,)]}
    network.conv.last_output = network(mel())
    kept: nn.Module = network
    return kept


def compiled(network: nn.Module) -> nn.Module:
    found = torch.compile(network, backend="eager")
    assert isinstance(found, nn.Module)
    return found


CHANGED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "weight_norm": weight_normalised,
    "spectral_norm": spectrally_normalised,
    "parametrised": parametrised,
    "with a cache": with_a_cache,
    "data parallel": nn.DataParallel,
    "compiled": compiled,
    "training": lambda network: network.train(),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CHANGED)
def test_a_module_is_copied_whatever_it_keeps(name: str) -> None:
    network = CHANGED[name](plain().requires_grad_(True))
    with torch.no_grad():
        training = network.training
        wanted = network.eval()(mel())[:, 1].numpy()
        network.train(training)
    if name in ("weight_norm", "spectral_norm"):
        network(mel())  # which leaves a weight that was computed
    before = {key: value.clone() for key, value in network.state_dict().items()}
    np.testing.assert_allclose(respond(network, "output:1", mel().numpy()), wanted, atol=1e-5)
    assert layers(network)["conv"] == (6, 28)
    assert network.training is training
    assert all(weight.requires_grad for weight in network.parameters())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm", "with a cache"])
def test_so_is_what_is_behind_a_layer(name: str) -> None:
    network = CHANGED[name](plain().requires_grad_(True))
    x = mel()
    network.eval()(x)  # which leaves a weight that was computed
    found = adapt_network(network, FrontEnd(), None, Call(), CPU).network
    features = network.get_submodule("norm")(network.get_submodule("conv")(x))
    (output,) = subnetwork_after(found, "norm", ("output",))(features)
    torch.testing.assert_close(output, network(x))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["training", "weight_norm", "spectral_norm", "parametrised"])
def test_normalised_weights_change_nothing_about_the_layers(name: str) -> None:
    network = CHANGED[name](plain().requires_grad_(True))
    found = adapt_network(network, FrontEnd(), None, Call(), CPU).network
    assert list(named_layers(found)) == ["conv", "norm", "fc", "output"]
    types = [layer_type(found.get_submodule(f"explained.{name}")) for name in ("conv", "fc")]
    assert types == ["Conv1d", "Linear"]
    assert last_hidden_layer(found) == "conv"
    assert grad_cam(found, Scorer(found, 1), mel()[0]).shape == (1, 28)


def test_what_cannot_be_copied_is_said_in_one_line() -> None:
    network: Any = plain()
    network.lock = threading.Lock()
    with pytest.raises(UsageError, match=r"cannot be copied \(TypeError: cannot pickle") as raised:
        respond(network, "output:1", mel().numpy())
    assert len(str(raised.value).splitlines()) == 1


def test_what_is_no_network_is_said() -> None:
    with pytest.raises(UsageError, match="network is of type int; give a torch module, a function"):
        respond(cast(Any, 17), "output:1", mel().numpy())
