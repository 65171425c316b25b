"""Networks in files are programs: they compute, and can do nothing else, not even while loaded."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import Run
from support.paths import ROOT
from torch import Tensor, nn
from torch._export import serde

from ganexplain.errors import GanexplainError, UsageError
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.networks.adapter import named_layers
from ganexplain.networks.loaders.exported import is_length
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.loaders.pure_operators import ALLOWED, is_pure
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import load_target

CPU = torch.device("cpu")
GAN = ("--gan", ROOT / "sample_data" / "pretrained" / "gan.pt")
needs_onnx = pytest.mark.skipif(
    importlib.util.find_spec("onnx") is None, reason="onnx is not installed"
)


def refusal(path: Path) -> str:
    """The one line with which a network in a file is refused."""
    with pytest.raises(GanexplainError) as caught:
        load_network(str(path))
    line = str(caught.value)
    assert path.name in line and len(line.splitlines()) == 1
    return line


def test_the_list_names_operators_that_there_are() -> None:
    """And none whose declaration says that it takes the name of a file or a storage."""
    schemas: dict[str, list[Any]] = {}
    for schema in torch._C._jit_get_all_schemas():
        schemas.setdefault(schema.name, []).append(schema)
    for space in ("aten", "quantized"):
        for name in ALLOWED[space]:
            found = schemas.get(f"{space}::{name}") or schemas.get(f"{space}::{name}_")
            assert found, name
            arguments = {argument.name for schema in found for argument in schema.arguments}
            assert not arguments & {"filename", "shared", "storage", "source_storage"}, name
            assert "Storage" not in " ".join(map(str, found)), name
    for name in ("aten::save", "aten::from_file", "aten::set_", "aten::resize_", "aten::_foobar",
                 "c10d::send", "prim::rpc_async", "prim::PythonOp", "their::own"):  # fmt: skip
        assert not is_pure(name), name
    assert is_pure("aten::add") and is_pure("aten::add_") and is_pure("aten::copy_")


# --- TorchScript ------------------------------------------------------------------------------


class Base(nn.Module):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path: str = str(path)
        self.conv = nn.Conv1d(80, 4, 5)


class Saves(Base):
    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x).mean(2)
        torch.save(y, self.path)
        return y


class SavesInAMethod(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).mean(2)

    @torch.jit.export
    def other(self, x: Tensor) -> Tensor:
        torch.save(x, self.path)
        return x


class SavesWhileLoaded(nn.Module):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path: str = str(path)

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(2)

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.path = state[0]
        self.training = state[1]
        torch.save(torch.zeros(3), state[0])


class Maps(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).mean(2) + torch.from_file(self.path, True, 4)


class BorrowsMemory(Base):
    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x).mean(2)
        y.resize_([2, 4000])
        return y


@pytest.mark.parametrize(
    ("kind", "operator"),
    [
        (Saves, "aten::save"),
        (SavesInAMethod, "aten::save"),
        (SavesWhileLoaded, "aten::save"),
        (Maps, "aten::from_file"),
        (BorrowsMemory, "aten::resize_"),
    ],
)
def test_operators_with_effects_are_refused(
    tmp_path: Path, kind: Callable[[Path], nn.Module], operator: str
) -> None:
    path, written = tmp_path / "net.pt", tmp_path / "written"
    torch.jit.script(kind(written)).save(str(path))
    assert operator in refusal(path)
    assert not written.exists()
    if kind is SavesWhileLoaded:  # or this test could not fail
        torch.jit.load(str(path))
        assert written.exists()


SPELLINGS = [
    "torch.save(y, PATH)",
    "torch . save(y, PATH)",
    "(torch.# a comment\n      save)(y, PATH)",
    "y.save(PATH)",
    "f = torch.save\n    f(y, PATH)",
    "ops.aten.save(y, PATH)",
    'getattr(torch, "save")(y, PATH)',
    'getattr(torch, "sa\\x76e")(y, PATH)',
    "o = ops\n    o.aten.save(y, PATH)",
    "t = torch\n    t.save(y, PATH)",
    "torch.autograd.save(y, PATH)",
    "(torch.autograd).save(y, PATH)",
    "a = torch.autograd\n    a.save(y, PATH)",
    "self = torch\n    self.save(y, PATH)",
    "__torch__ = torch\n    __torch__.save(y, PATH)",
    "(self) .path; (torch).save(y, PATH)",
    "y.resize_([9])",
    "self = y\n    self.resize_([9])",
    "self = y\n    z = (self).resize_([9])",
    "z = [self.resize_([9]) for self in [y]]",
    "z = self.conv.weight.resize_([9])",
    "z = torch.relu(y).resize_([9])",
    "z = self.other(y).resize_([9])",
    "z = torch.relu (self.conv.weight).resize_([9])",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_however_it_is_spelled_by_hand(tmp_path: Path, spelling: str) -> None:
    """The code in an archive need not be what torch writes there."""
    plain, path, written = tmp_path / "plain.pt", tmp_path / "net.pt", tmp_path / "written"
    torch.jit.script(SavesInAMethod(written)).save(str(plain))
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(".py") and b"torch.save(" in content:
                line = next(x for x in content.decode().splitlines() if "torch.save(" in x)
                by_hand = f"    y = x\n    {spelling}".replace("PATH", f'"{written}"')
                content = content.replace(line.encode(), by_hand.encode())
            new.writestr(name.replace("plain/", "net/", 1), content)
    line = refusal(path)
    assert f"{path}: uses " in line or "has no attribute or method 'save'" in line  # of y.save
    assert not written.exists()


def test_classes_of_c_plus_plus_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.jit.script(nn.Linear(3, 3)).save(str(path))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    pickled = b"\x80\x02c__torch__.torch.classes.profiling\nSourceStats\n)\x81."
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, pickled if name.endswith("data.pkl") else content)
    assert "torch.classes.profiling" in refusal(path)


class Ordinary(nn.Module):
    """What networks of others are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(115, 8), nn.ReLU6(), nn.LayerNorm(8))
        self.rnn = nn.LSTM(8, 4, bidirectional=True, batch_first=True)
        self.ops = nn.ModuleList([nn.Linear(8, 8), nn.Hardswish()])
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x, _ = self.rnn(self.body(x))
        for op in self.ops:
            x = op(x)
        found = {"x": self.attention(x, x, x)[0]}
        spectrum = torch.fft.rfft(found["x"].mean(1)).abs()
        print("length", spectrum.shape)
        return spectrum.clamp_(min=0.0)


@pytest.mark.slow
def test_ordinary_networks_are_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, x = Ordinary().eval(), torch.randn(2, 80, 115)
    quantised = torch.ao.quantization.quantize_dynamic(network.body, {nn.Linear})
    exported = torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("n")},))
    forms: dict[str, Any] = {
        "scripted.pt": lambda p: torch.jit.script(network).save(str(p)),
        "traced.pt": lambda p: torch.jit.trace(network, x, check_trace=False).save(str(p)),
        "quantised.pt": lambda p: torch.jit.script(quantised).save(str(p)),
        "exported.pt2": lambda p: torch.export.save(exported, p),
    }
    for name, save in forms.items():
        save(tmp_path / name)
        wanted = (quantised if name == "quantised.pt" else network)(x)
        torch.testing.assert_close(load_network(str(tmp_path / name))(x), wanted)
    capsys.readouterr()
    explained = load_target(NetworkSource(model=str(tmp_path / "scripted.pt")), FrontEnd(), CPU)
    assert "body.0" in named_layers(explained.network)
    assert capsys.readouterr().out == ""


class NamedLikeOperators(nn.Module):
    """Layers, methods, values and modules of Python with the names of operators not on the list."""

    def __init__(self, deeper: bool = True) -> None:
        super().__init__()
        self.resize = NamedLikeOperators(False) if deeper else nn.Linear(115, 115)
        self.save = nn.Sequential(nn.ReLU())
        self.load: int = 2
        self.register_buffer("resize_", torch.ones(115))

    def requires_grad(self, x: Tensor) -> Tensor:
        return x * self.load

    def backward(self, x: Tensor) -> Tensor:
        return self.requires_grad(x)

    def forward(self, x: Tensor) -> Tensor:
        scale: Tensor = self.resize_  # type: ignore[assignment]
        return x + self.backward(self.save(self.resize(x))) * scale


@pytest.mark.parametrize("traced", [False, True])
def test_names_of_the_network_s_own_are_no_operators(tmp_path: Path, traced: bool) -> None:
    network, x, path = NamedLikeOperators().eval(), torch.randn(2, 80, 115), tmp_path / "net.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        whole = torch.jit.trace(network, x) if traced else torch.jit.script(network)
        whole.save(str(path))
    for name in ("save", "resize_", "backward"):  # or this would test nothing
        assert not is_pure(f"aten::{name}")
        assert torch._C._jit_get_schemas_for_operator(f"aten::{name}")
    torch.testing.assert_close(load_network(str(path))(x), network(x))
    explained = load_target(NetworkSource(model=str(path)), FrontEnd(), CPU)
    assert "resize.save.0" in named_layers(explained.network)


class Noisy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x.mean(2))  # a mistake that is made: without training=


def test_networks_of_random_outputs_are_refused(tmp_path: Path) -> None:
    torch.jit.script(Noisy()).save(str(tmp_path / "net.pt"))
    with pytest.raises(UsageError, match="other values for the same input"):
        load_target(NetworkSource(model=str(tmp_path / "net.pt")), FrontEnd(), CPU)


# --- torch.export -----------------------------------------------------------------------------


class Bomb:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.path,)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The members of a file of torch.export, without its folder."""
    path = tmp_path_factory.mktemp("exported") / "net.pt2"
    network = nn.Sequential(nn.Conv1d(80, 4, 5), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    free = ({0: torch.export.Dim("batch")},)
    torch.export.save(
        torch.export.export(network, (torch.zeros(2, 80, 115),), dynamic_shapes=free), path
    )
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def archived(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"net/{name}", content)
    return path


EARLIER = ("exported_program.json", "state_dict.pt", "constants.pt", "example_inputs.pt")


@pytest.fixture(scope="module")
def earlier() -> dict[str, bytes]:
    """The members of a file as torch wrote them before 2.8 (`torch.export.save` of 2.7)."""
    network = nn.Sequential(nn.Conv1d(80, 4, 5), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    free = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(network, (torch.zeros(2, 80, 115),), dynamic_shapes=free)
    artifact = serde.serialize.serialize(program)
    contents = (artifact.exported_program, artifact.state_dict, artifact.constants,
                artifact.example_inputs)  # fmt: skip
    named = {f"serialized_{name}": c for name, c in zip(EARLIER, contents, strict=True)}
    return named | {"version": ".".join(map(str, serde.schema.SCHEMA_VERSION)).encode()}


def earlier_file(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_an_export_of_an_earlier_torch_is_read(
    tmp_path: Path, earlier: dict[str, bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    path, x = earlier_file(tmp_path / "net.pt2", earlier), torch.randn(3, 80, 115)
    weights = torch.load(io.BytesIO(earlier["serialized_state_dict.pt"]))
    wanted = nn.functional.conv1d(x, weights["0.weight"], weights["0.bias"]).mean(2)
    torch.testing.assert_close(load_network(str(path))(x), wanted)
    assert capfd.readouterr().err == ""
    explained = load_target(NetworkSource(model=str(path)), FrontEnd(), CPU)
    assert "0" in named_layers(explained.network)


@pytest.mark.parametrize("how", ["inputs", "operator", "form", "lacks"])
def test_an_export_of_an_earlier_torch_runs_nothing(
    tmp_path: Path, earlier: dict[str, bytes], how: str
) -> None:
    written, buffer = tmp_path / "written", io.BytesIO()
    torch.save(Bomb(written), buffer)
    program = earlier["serialized_exported_program.json"]
    changed, told = {
        "inputs": ({"serialized_example_inputs.pt": buffer.getvalue()}, "torch 2.8 or later"),
        "operator": (
            {"serialized_exported_program.json": program.replace(
                b"torch.ops.aten.conv1d.default", b"torch.ops.aten.from_file.default")},
            "uses aten::from_file",
        ),
        "form": ({"version": b"5.1"}, "form 5.1 of torch.export"),
        "lacks": ({"serialized_exported_program.json": b"{}"}, "torch 2.8 or later"),
    }[how]  # fmt: skip
    line = refusal(earlier_file(tmp_path / "net.pt2", earlier | changed))
    assert told in line
    assert not written.exists()


def _with_target(members: dict[str, bytes], target: str) -> dict[str, bytes]:
    document = json.loads(members["models/model.json"])
    document["graph_module"]["graph"]["nodes"][-1]["target"] = target
    return members | {"models/model.json": json.dumps(document).encode()}


def _spoiled(members: dict[str, bytes], how: str, written: Path) -> dict[str, bytes]:
    """Files that would run something, each by another way that torch has."""
    weights = "data/weights/model_weights_config.json"
    constants = "data/constants/model_constants_config.json"
    model = members["models/model.json"].decode()
    buffer = io.BytesIO()
    torch.save(Bomb(written), buffer)
    if how == "inputs":
        return members | {"data/sample_inputs/model.pt": buffer.getvalue()}
    if how == "weights":
        content = members[weights].replace(b'"use_pickle": false', b'"use_pickle": true')
        return members | {weights: content, "data/weights/weight_0": buffer.getvalue()}
    if how == "constants":
        entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True,
                 "tensor_meta": None}  # fmt: skip
        return members | {constants: json.dumps({"config": {"c": entry}}).encode(),
                          "data/constants/opaque_obj_0": pickle.dumps(Bomb(written))}  # fmt: skip
    if how == "expression":
        call = f"__import__('os').mkdir('{written}')"
        return members | {"models/model.json": model.replace(
            "Symbol('s31', positive=True, integer=True)", call).encode()}  # fmt: skip
    assert how == "library"
    return members | {"data/aotinductor/model/net.so": b"\x7fELF"}


@pytest.mark.parametrize("how", ["inputs", "weights", "constants", "expression", "library"])
def test_nothing_runs_while_an_export_is_loaded(
    tmp_path: Path, exported: dict[str, bytes], how: str
) -> None:
    written = tmp_path / "written"
    path = archived(tmp_path / "net.pt2", _spoiled(exported, how, written))
    refusal(path)
    assert not written.exists()


def test_names_in_an_export_are_never_code(tmp_path: Path, exported: dict[str, bytes]) -> None:
    """torch.fx writes the names of submodules and weights into the code that it runs."""
    code = json.dumps(f'0") if open("{tmp_path / "written"}", "w") else getattr(self, "0').encode()
    members = {
        name: content.replace(b'"0.weight"', code[:-1] + b'.weight"') if name[-5:] == ".json"
        else content
        for name, content in exported.items()
    }  # fmt: skip
    assert members != exported
    assert "the name" in refusal(archived(tmp_path / "net.pt2", members))
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize(
    "target", ["torch.hub.load", "torch.ops.aten.from_file.default", "torch.ops.their.own.default"]
)
def test_functions_that_an_export_may_not_call(
    tmp_path: Path, exported: dict[str, bytes], target: str
) -> None:
    path = archived(tmp_path / "net.pt2", _with_target(exported, target))
    assert target.removeprefix("torch.ops.").replace(".", "::", 1) in refusal(path)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Symbol('s31', positive=True, integer=True)", True),
        ("Add(Mul(Integer(2), Symbol('s0', integer=True)), Integer(-1))", True),
        ("FloorDiv(s0 - 5, 2) + 1", True),
        ("__import__('os')", False),
        ("s0.__class__", False),
        ("Symbol('s0').subs", False),
        ("Symbol('os.system')", False),
        ("lambdify(s0)", False),
        ("[s0][0]", False),
        ("s" * 100_000 + "!", False),
    ],
)
def test_lengths_are_expressions_of_lengths(text: str, plain: bool) -> None:
    assert is_length(text) is plain


# --- ONNX -------------------------------------------------------------------------------------


def onnx_file(path: Path, location: str = "", domain: str = "") -> Path:
    """A network that adds weights, inside the file or in another, by an operator of a domain."""
    from onnx import TensorProto, helper, save

    weight = helper.make_tensor("w", TensorProto.FLOAT, [115], [0.0] * 115)
    if location:
        weight.ClearField("float_data")
        weight.data_location = TensorProto.EXTERNAL
        entry = weight.external_data.add()
        entry.key, entry.value = "location", location
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2, 80, 115]) for n in "xy"]
    node = helper.make_node("Add", ["x", "w"], ["y"], domain=domain)
    graph = helper.make_graph([node], "graph", values[:1], values[1:], [weight])
    opsets = [helper.make_opsetid("", 13)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    save(helper.make_model(graph, opset_imports=opsets), path)
    return path


@needs_onnx
@pytest.mark.parametrize("how", ["absolute", "above", "link", "longer"])
def test_weights_of_onnx_stay_in_its_folder(tmp_path: Path, how: str) -> None:
    secret, folder = tmp_path / "secret", tmp_path / "folder"
    secret.write_bytes(bytes(460))
    folder.mkdir()
    location = {"absolute": str(secret), "above": "../secret"}.get(how, "inside")
    if how == "link":
        (folder / "inside").symlink_to(secret)
    if how == "longer":
        (folder / "inside").write_bytes(bytes(46))
    refusal(onnx_file(folder / "net.onnx", location))
    if how == "longer":
        (folder / "inside").write_bytes(bytes(460))
        assert isinstance(load_network(str(folder / "net.onnx")), nn.Module)


@needs_onnx
def test_operators_of_other_domains_are_refused_by_name(tmp_path: Path) -> None:
    line = refusal(onnx_file(tmp_path / "net.onnx", domain="their.own"))
    assert "operator" in line and "Add" in line
    assert isinstance(load_network(str(onnx_file(tmp_path / "plain.onnx"))), nn.Module)


# --- the commands -----------------------------------------------------------------------------


def test_commands_name_the_operator(command: Run, tmp_path: Path) -> None:
    path, written = tmp_path / "net.pt", tmp_path / "written"
    torch.jit.script(Saves(written)).save(str(path))
    done = command("layers", path, *GAN)
    assert done.code == 1 and "aten::save" in done.error_line()
    search = ("--learning-rate", "0.1", "--prior-weight", "0.1", "--iterations", "2")
    done = command("explain", "--model", path, *GAN, "--layer", "conv:0", *search,
                   "--examples", "2", "--out", tmp_path / "e")  # fmt: skip
    assert done.code == 1 and "aten::save" in done.error_line()
    assert not written.exists() and not (tmp_path / "e").exists()
