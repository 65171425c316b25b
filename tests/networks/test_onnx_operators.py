"""Each operator against the cases that ONNX itself publishes, and whole graphs against onnxruntime.

The cases stand in the package onnx: a model of one node, inputs, and the outputs that its
definition has. Left out is what no network of ours can have: strings, trees, training, floating
point of eight bits or fewer.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain.errors import GanexplainError
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.onnx.dtypes import NARROW, to_tensor
from ganexplain.networks.onnx.graph import Graph, NotRunnable
from ganexplain.networks.onnx.node import OPERATORS
from ganexplain.networks.tracing import LeafTracer

onnx = pytest.importorskip("onnx")
TensorProto, helper = onnx.TensorProto, onnx.helper

NOT_OURS = re.compile(
    "string|uint16|uint32|uint64|maxpool_2d_uint8|reduce_m.._empty_set|bitwise_not_3d"
    "|(bf16|fp16)_expanded$"  # steps of 16 bits between those of another precision
    "|downsample_scales_(linear|cubic)_align_corners"  # of a part of a value, unlike onnxruntime
    "|top_k_uint64|FLOAT8|FLOAT4|_e8m0_|e4m3fn|e5m2|float4e2m1"
)
EXPECTED_CASES = 1000  # of onnx 1.23; far fewer would mean that the cases are no longer found


@pytest.fixture(scope="module")
def cases() -> list[Any]:
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, about the cases of infinite values
        return [case for case in collect_testcases(None) if case.model is not None]


def tensor_of(value: Any) -> Any:
    if isinstance(value, list):
        return [tensor_of(each) for each in value]
    if value is None:
        return None
    if isinstance(value, TensorProto):
        return to_tensor(value)
    array = np.asarray(value)
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.astype(np.float32)).bfloat16()
    if re.fullmatch("u?int[24]", array.dtype.name):
        return torch.from_numpy(array.astype(np.int8)).view(getattr(torch, array.dtype.name))
    return torch.from_numpy(np.array(array))


def equal(ours: Any, theirs: Any, rtol: float, atol: float) -> bool:
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(
            equal(a, b, rtol, atol) for a, b in zip(ours, theirs, strict=True)
        )
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return False
    if theirs.dtype in NARROW:
        return bool(torch.equal(ours.view(torch.int8), theirs.view(torch.int8)))
    if theirs.dtype == torch.bool:
        return bool(torch.equal(ours, theirs))
    return torch.allclose(ours.double(), theirs.double(), rtol, atol, equal_nan=True)


def run(case: Any) -> Iterator[tuple[Any, Any]]:
    """Pairs of our output and that of the definition."""
    opset = max([e.version for e in case.model.opset_import if e.domain in ("", "ai.onnx")] or [0])
    graph = Graph(case.model.graph, opset)
    for inputs, outputs in case.data_sets:
        with torch.no_grad():
            found = graph(*[tensor_of(each) for each in inputs])
        yield from zip(found, [tensor_of(each) for each in outputs], strict=False)


@pytest.mark.slow
def test_operators_are_as_onnx_defines_them(cases: list[Any]) -> None:
    wrong, agreed, refused = [], 0, set()
    for case in cases:
        if NOT_OURS.search(case.name):
            continue
        rtol, atol = max(case.rtol, 1e-3), max(case.atol or 0.0, 1e-5)
        try:
            same = all(equal(a, b, rtol, atol) for a, b in run(case))
        except NotRunnable as error:
            refused.add(error.op)
            continue
        agreed += same
        if not same:
            wrong.append(case.name)
    assert not wrong
    assert agreed >= EXPECTED_CASES
    usual = "Conv ConvTranspose Gemm MatMul LSTM GRU RNN If Loop Scan Resize Pad Slice STFT Softmax"
    assert not refused & (set(usual.split()) - {"Resize", "Scan"})


# --- graphs -----------------------------------------------------------------------------------


class Branches(nn.Module):
    """Convolutions, a recurrent layer and a branch on the values, all with weights in the file."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(80, 16, 5, padding=2)
        self.norm = nn.BatchNorm1d(16)
        self.lstm = nn.LSTM(16, 8, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.norm(self.conv(x)))
        states, _ = self.lstm(hidden.transpose(1, 2))
        return self.head(states.mean(1))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Branches, Path]:
    torch.manual_seed(3)
    network = Branches().eval()
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (torch.zeros(2, 80, 30),), str(path), dynamo=False, input_names=["x"],
            dynamic_axes={"x": {0: "batch", 2: "frames"}},
        )  # fmt: skip
    return network, path


def test_a_graph_is_the_network_it_was_exported_from(exported: tuple[Branches, Path]) -> None:
    network, path = exported
    ours = load_network(str(path))
    x = torch.randn(3, 80, 41, generator=torch.Generator().manual_seed(0), requires_grad=True)
    expected, found = network(x), ours(x)
    assert torch.allclose(expected, found, atol=1e-6)
    wanted, gradient = (torch.autograd.grad(out[:, 1].sum(), x)[0] for out in (expected, found))
    assert torch.allclose(wanted, gradient, atol=1e-6)
    assert gradient.abs().max() > 1e-4


def test_hidden_nodes_have_the_names_and_values_of_the_layers(
    exported: tuple[Branches, Path],
) -> None:
    network, path = exported
    ours = load_network(str(path))
    x = torch.randn(2, 80, 30, generator=torch.Generator().manual_seed(1))
    found: dict[str, Tensor] = {}
    for name, module in ours.named_modules():
        module.register_forward_hook(lambda m, i, o, name=name: found.setdefault(name, o))
    with torch.no_grad():
        ours(x)
        convolved = network.norm(network.conv(x))  # the exporter joins the two
    assert isinstance(dict(ours.named_modules())["conv/Conv"], nn.Conv1d)
    assert torch.allclose(found["conv/Conv"], convolved, atol=1e-5)
    outputs, last_h, _ = found["lstm/LSTM"]
    states, (h, _) = network.lstm(torch.relu(convolved).transpose(1, 2))
    assert torch.allclose(last_h, h, atol=1e-6)
    assert torch.allclose(outputs.permute(2, 0, 1, 3).flatten(2), states, atol=1e-6)


def saved(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], **more: Any) -> Path:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, **more)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def value(name: str, shape: list[int | str], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def test_inputs_that_are_left_out_are_zero(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["rate"], ["r"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "state"], ["s"]),
        helper.make_node("Add", ["s", "r"], ["y"]),
        helper.make_node("Identity", ["s"], ["next"]),
    ]
    inputs = [value("rate", [], TensorProto.INT64), value("x", ["n", 4]), value("state", ["n", 4])]
    network = load_network(
        str(saved(tmp_path / "n.onnx", nodes, inputs, [value("y", []), value("next", [])]))
    )
    x = torch.arange(12.0).reshape(3, 4)
    assert torch.equal(network(x)["y"], x)
    given = network(x, state=[[1.0] * 4] * 3, rate=10)
    assert torch.equal(given["y"], x + 11)
    assert torch.equal(given["next"], x + 1)


def test_a_branch_reads_the_values_around_it(tmp_path: Path) -> None:
    """Both ways of an If, on a condition that the values decide; a weight lies around it."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4], [1.0, 2.0, 3.0, 4.0])
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node(op, ["x", "w"], ["inner"])], name, [], [value("inner", [])]
        )
        for name, op in (("then", "Mul"), ("else", "Sub"))
    }
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
        helper.make_node("Greater", ["total", "zero"], ["positive"]),
        helper.make_node("If", ["positive"], ["y"], **branches),
    ]
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0])
    path = saved(
        tmp_path / "n.onnx", nodes, [value("x", ["n", 4])], [value("y", [])],
        initializer=[weight, zero],
    )  # fmt: skip
    network = load_network(str(path))
    w, x = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.ones(2, 4)
    assert torch.equal(network(x), w * x)
    assert torch.equal(network(-x), -x - w)


def test_an_operator_that_is_not_known_is_named_with_its_node(tmp_path: Path) -> None:
    assert "NonMaxSuppression" not in OPERATORS
    node = helper.make_node("NonMaxSuppression", ["x"], ["y"], name="chosen.boxes")
    path = saved(tmp_path / "n.onnx", [node], [value("x", [1, 2])], [value("y", [])])
    with pytest.raises(GanexplainError) as caught:
        load_network(str(path))
    line = str(caught.value)
    assert "operator NonMaxSuppression of node 'chosen.boxes'" in line
    assert str(path) in line and "\n" not in line


def test_a_form_of_an_operator_that_is_not_run_is_named(tmp_path: Path) -> None:
    node = helper.make_node("GRU", ["x", "w", "r"], ["y"], hidden_size=1, activations=["Elu"] * 2)
    weights = [
        helper.make_tensor(name, TensorProto.FLOAT, [1, 3, 1], [0.0] * 3) for name in ("w", "r")
    ]
    path = saved(
        tmp_path / "n.onnx", [node], [value("x", [2, 3, 1])], [value("y", [])], initializer=weights
    )
    with pytest.raises(GanexplainError, match=r"operator GRU .* its activation is Elu"):
        network = load_network(str(path))
        network(torch.zeros(2, 3, 1))


# --- files of others --------------------------------------------------------------------------


def chain(path: Path, nodes: list[tuple[str, str]], shape: list[int | str], **kinds: Any) -> Path:
    """Nodes of one input behind each other: pairs of operator and name, attributes by operator."""
    made = [
        helper.make_node(op, [f"v{k}"], [f"v{k + 1}"], name=name, **kinds.get(op, {}))
        for k, (op, name) in enumerate(nodes)
    ]
    return saved(path, made, [value("v0", shape)], [value(f"v{len(nodes)}", [])])


def test_a_name_of_a_node_is_never_code(tmp_path: Path) -> None:
    """torch.fx writes the names of layers into the code that it runs."""
    mark = tmp_path / "written"
    code = f'a") if open("{mark}", "w") else getattr(self, "a'
    path = chain(tmp_path / "n.onnx", [("Abs", "first"), ("Exp", "a"), ("Erf", code)], ["n", 4])
    network = load_network(str(path))
    traced = torch.fx.GraphModule(network, LeafTracer(()).trace(network))
    x = torch.rand(2, 4)
    assert torch.allclose(traced(x), torch.erf(torch.exp(x)), atol=1e-6)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["main", "steps", "forward", "captured", "declared", "training"])
def test_a_node_may_have_any_name(tmp_path: Path, name: str) -> None:
    network = load_network(str(chain(tmp_path / "n.onnx", [("Neg", name)], ["n", 4])))
    x = torch.rand(2, 4)
    assert torch.equal(network(x), -x)


def test_a_batch_of_fixed_length_is_not_mixed(tmp_path: Path) -> None:
    shapes = [helper.make_tensor(n, TensorProto.INT64, [2], v)
              for n, v in (("row", [1, -1]), ("back", [-1, 4]))]  # fmt: skip
    nodes = [
        helper.make_node("Reshape", ["x", "row"], ["flat"]),
        helper.make_node("Softmax", ["flat"], ["soft"], axis=1),
        helper.make_node("Reshape", ["soft", "back"], ["y"]),
    ]
    path = saved(
        tmp_path / "n.onnx", nodes, [value("x", [1, 4])], [value("y", [])], initializer=shapes
    )
    network = load_network(str(path))
    assert torch.allclose(network(torch.zeros(1, 4)), torch.full((1, 4), 0.25))
    with pytest.raises(RuntimeError, match="fixed length 1"):
        network(torch.zeros(2, 4))


@pytest.mark.parametrize(("length", "factor"), [(10, 0.7), (5, 1.4), (10, 1.3), (9, 0.9)])
def test_new_lengths_are_products_of_32_bits(tmp_path: Path, length: int, factor: float) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    scales = helper.make_tensor("s", TensorProto.FLOAT, [2], [1.0, factor])
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="nearest")
    path = saved(
        tmp_path / "n.onnx", [node], [value("x", ["n", length])], [value("y", [])],
        initializer=[scales],
    )  # fmt: skip
    x = np.arange(length, dtype=np.float32)[None]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    assert load_network(str(path))(torch.from_numpy(x)).tolist() == expected.tolist()


@pytest.mark.parametrize("mode", ["linear", "cubic", "nearest"])
@pytest.mark.parametrize(("length", "factor"), [(10, 0.75), (7, 1.5), (10, 0.33), (6, 2.3)])
def test_aligned_corners_are_those_of_onnxruntime(
    tmp_path: Path, mode: str, length: int, factor: float
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    scales = helper.make_tensor("s", TensorProto.FLOAT, [4], [1.0, 1.0, 1.0, factor])
    node = helper.make_node(
        "Resize", ["x", "", "s"], ["y"], mode=mode, coordinate_transformation_mode="align_corners"
    )
    shape = value("x", ["n", 1, 1, length])
    path = saved(tmp_path / "n.onnx", [node], [shape], [value("y", [])], initializer=[scales])
    x = np.random.default_rng(0).normal(size=(2, 1, 1, length)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    found = load_network(str(path))(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("node", "shape"),
    [
        (helper.make_node("Split", ["x"], ["y"], axis=1), [2, 4]),
        (helper.make_node("MaxPool", ["x"], ["y", ""], kernel_shape=[2]), [2, 3, 4]),
    ],
    ids=["Split", "MaxPool"],
)
def test_a_node_gives_the_outputs_that_are_named(
    tmp_path: Path, node: Any, shape: list[int]
) -> None:
    path = saved(tmp_path / "n.onnx", [node], [value("x", ["n", *shape[1:]])], [value("y", [])])
    x = torch.rand(shape)
    wanted = x if len(shape) == 2 else torch.nn.functional.max_pool1d(x, 2, 1)
    assert torch.equal(load_network(str(path))(x), wanted)


@pytest.mark.parametrize("kind", [TensorProto.STRING, TensorProto.INT64])
def test_inputs_of_another_type_are_refused_in_one_line(tmp_path: Path, kind: int) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    path = saved(tmp_path / "n.onnx", [node], [value("x", [2], kind)], [value("y", [], kind)])
    with pytest.raises(GanexplainError) as caught:
        load_network(str(path))
    assert "\n" not in str(caught.value)


def test_an_input_of_integers_is_named(tmp_path: Path) -> None:
    node = helper.make_node("Cast", ["pixels"], ["y"], to=TensorProto.FLOAT)
    shape = value("pixels", ["n", 4], TensorProto.UINT8)
    path = saved(tmp_path / "n.onnx", [node], [shape], [value("y", [])])
    with pytest.raises(GanexplainError, match=r"no input of floating point.* 'pixels' of uint8"):
        load_network(str(path))


def test_a_square_root_of_zero_has_a_gradient_of_zero(tmp_path: Path) -> None:
    """As the magnitude of a spectrum has in silence; elsewhere it is that of torch."""
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["square"]),
        helper.make_node("Sqrt", ["square"], ["y"]),
    ]
    path = saved(tmp_path / "n.onnx", nodes, [value("x", ["n", 4])], [value("y", [])])
    x = torch.tensor([[0.0, -2.0, 3.0, -0.0]], requires_grad=True)
    found = load_network(str(path))(x)
    assert torch.equal(found, x.abs())
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert gradient.tolist() == [[0.0, -1.0, 1.0, 0.0]]


def test_functions_that_double_are_refused(tmp_path: Path) -> None:
    """Each of forty functions calls the one before twice: 2^40 nodes in a few kilobytes."""
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = []
    for k in range(40):
        inner, domain = (f"f{k - 1}", "own") if k else ("Neg", "")
        body = [
            helper.make_node(inner, ["a"], ["b"], domain=domain),
            helper.make_node(inner, ["b"], ["c"], domain=domain),
        ]
        functions.append(helper.make_function("own", f"f{k}", ["a"], ["c"], body, opset))
    node = helper.make_node("f39", ["x"], ["y"], domain="own")
    graph = helper.make_graph([node], "graph", [value("x", ["n", 4])], [value("y", [])])
    model = helper.make_model(graph, opset_imports=opset, functions=functions)
    onnx.save(model, tmp_path / "n.onnx")
    with pytest.raises(GanexplainError, match="its functions are more than"):
        load_network(str(tmp_path / "n.onnx"))


def test_weights_of_four_bits_are_what_their_blocks_say(tmp_path: Path) -> None:
    rows = torch.randint(-8, 8, (8, 4), generator=torch.Generator().manual_seed(0))
    scales, zeros = torch.tensor([[0.5, 2, 1, 3], [1.5, 1, 4, 0.25]]), torch.tensor([[1, 0, -3, 2]])
    weights = [
        helper.make_tensor("w", TensorProto.INT4, rows.shape, rows.flatten().tolist()),
        helper.make_tensor("s", TensorProto.FLOAT, scales.shape, scales.flatten().tolist()),
        helper.make_tensor("z", TensorProto.INT4, (2, 4), zeros.expand(2, 4).flatten().tolist()),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["real"], axis=0, block_size=4),
        helper.make_node("MatMul", ["x", "real"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "graph", [value("x", ["n", 8])], [value("y", ["n", 4])], initializer=weights
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]),
              tmp_path / "n.onnx")  # fmt: skip
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(1), requires_grad=True)
    real = torch.cat([(rows[:4] - zeros) * scales[0], (rows[4:] - zeros) * scales[1]])
    found = load_network(str(tmp_path / "n.onnx"))(x)
    torch.testing.assert_close(found, x @ real)
    (gradient,) = torch.autograd.grad(found[:, 1].sum(), x)
    torch.testing.assert_close(gradient, real[:, 1].expand(3, 8))


def test_places_to_sample_are_computed_and_sampled(tmp_path: Path) -> None:
    """A network that turns its map, as a spatial transformer."""
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [4], [2, 1, 5, 6])
    nodes = [
        helper.make_node("AffineGrid", ["theta", "sizes"], ["grid"]),
        helper.make_node("GridSample", ["x", "grid"], ["y"], mode="linear"),
    ]
    inputs = [value("x", [2, 1, 5, 6]), value("theta", [2, 2, 3])]
    graph = helper.make_graph(nodes, "graph", inputs, [value("y", [])], initializer=[sizes])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]),
              tmp_path / "n.onnx")  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    x, theta = (torch.randn(shape, generator=generator) for shape in ((2, 1, 5, 6), (2, 2, 3)))
    grid = torch.nn.functional.affine_grid(theta, [2, 1, 5, 6], align_corners=False)
    wanted = torch.nn.functional.grid_sample(x, grid, align_corners=False)
    network = load_network(str(tmp_path / "n.onnx"))
    torch.testing.assert_close(network(x, theta=theta), wanted, atol=1e-5, rtol=1e-4)
