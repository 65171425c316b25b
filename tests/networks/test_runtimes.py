"""Black boxes in files: ONNX and TensorFlow Lite, against the libraries that run them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from ganexplain.errors import GanexplainError, UsageError
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.black_box import find_black_box
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import load_target

CPU = torch.device("cpu")
WEIGHTS = np.linspace(-1, 1, 12, dtype=np.float32).reshape(6, 2)


def package_file(package: str, path: str) -> Path:
    found = importlib.util.find_spec(package)
    file = Path(found.submodule_search_locations[0]) / path if found else Path()  # type: ignore[index]
    if not file.is_file():
        pytest.skip(f"{package} is not installed")
    return file


def quantised_onnx(folder: Path, batch: int | str) -> Path:
    """y = x W + gain, with W as integers of eight bits; `gain` is an integer."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto
    scale = float(np.abs(WEIGHTS).max() / 127)
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scale"], ["weights"]),
        helper.make_node("MatMul", ["x", "weights"], ["product"]),
        helper.make_node("Cast", ["gain"], ["floating"], to=kind.FLOAT),
        helper.make_node("Add", ["product", "floating"], ["y"]),
    ]
    weights = np.round(WEIGHTS / scale).astype(np.int8)
    graph = helper.make_graph(
        nodes,
        "small",
        [
            helper.make_tensor_value_info("gain", kind.INT64, [1]),
            helper.make_tensor_value_info("x", kind.FLOAT, [batch, 6]),
        ],
        [helper.make_tensor_value_info("y", kind.FLOAT, [batch, 2])],
        [
            helper.make_tensor("w", kind.INT8, [6, 2], weights.tobytes(), raw=True),
            helper.make_tensor("scale", kind.FLOAT, [], [scale]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "small.onnx")
    return folder / "small.onnx"


def described(folder: Path, samples: int, network: str) -> str:
    path = folder / "input.toml"
    path.write_text(
        f'kind = "waveform"\nsample_rate = 16000\nsamples = {samples}\n\n[network]\n{network}\n'
    )
    return str(path)


@pytest.mark.parametrize("batch", ["N", 1])
def test_a_quantised_onnx_file_is_a_black_box(tmp_path: Path, batch: int | str) -> None:
    path = quantised_onnx(tmp_path, batch)
    given = described(tmp_path, 6, "arguments = { gain = 3 }")
    source = NetworkSource(model=str(path), input=given, backend="onnxruntime")
    explained = load_target(source, WaveformInput(sample_rate=16000, samples=6), CPU)
    assert find_black_box(explained.network)
    x = torch.linspace(-1, 1, 18).view(3, 6)
    with torch.no_grad():
        found = explained.network(x)
    step = np.abs(WEIGHTS).max() / 127
    np.testing.assert_allclose(found, x.numpy() @ WEIGHTS + 3, atol=6 * step)
    assert np.abs(found.numpy() - (x.numpy() @ WEIGHTS + 3)).max() > 1e-4  # rounded weights


def test_the_backend_of_a_run_is_used_again(tmp_path: Path) -> None:
    meta = {"model": "n.onnx", "classifier": "n.onnx", "backend": "onnxruntime"}
    assert NetworkSource.from_meta(meta).backend == "onnxruntime"
    assert NetworkSource.from_meta({"model": "n.onnx"}).backend == "torch"  # of earlier versions


def test_what_a_backend_does_not_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--backend onnxruntime: runs a FILE\.onnx, not n\.pt"):
        load_network("n.pt", backend="onnxruntime")
    with pytest.raises(UsageError, match="--backend: 'onnx' is not known"):
        load_network("n.onnx", backend="onnx")
    pytest.importorskip("onnxruntime")
    (tmp_path / "n.onnx").write_bytes(b"no network")
    with pytest.raises(GanexplainError, match=r"n\.onnx: cannot be loaded"):
        load_network(str(tmp_path / "n.onnx"), backend="onnxruntime")


@pytest.mark.third_party
def test_silero_runs_as_onnxruntime_runs_it(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path = package_file("silero_vad", "data/silero_vad.onnx")
    given = described(tmp_path, 576, "arguments = { sr = 16000 }")
    source = NetworkSource(model=str(path), input=given, backend="onnxruntime")
    explained = load_target(source, WaveformInput(sample_rate=16000, samples=576), CPU)
    x = 0.1 * torch.randn(3, 576, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = explained.network(x)
    state = np.zeros((2, 3, 128), dtype=np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(["output"], {"input": x.numpy(), "state": state, "sr": np.array(16000)})
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.third_party
def test_a_tflite_file_is_a_black_box(tmp_path: Path) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    path = package_file("basic_pitch", "saved_models/icassp_2022/nmp.tflite")
    given = described(tmp_path, 43844, 'layout = "W1"\noutput = "0"')
    explained = load_target(
        NetworkSource(model=str(path), input=given),
        WaveformInput(sample_rate=16000, samples=43844),
        CPU,
    )
    x = 0.1 * torch.randn(1, 43844, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = explained.network(x)
    theirs = interpreter.Interpreter(str(path))
    theirs.allocate_tensors()
    theirs.set_tensor(theirs.get_input_details()[0]["index"], x.numpy()[..., None])
    theirs.invoke()
    wanted = theirs.get_tensor(theirs.get_output_details()[0]["index"])
    assert found.numel() == wanted.size
    ours, others = (np.sort(values, axis=None) for values in (found.numpy(), wanted))
    np.testing.assert_allclose(ours, others, atol=1e-5)


@pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert") is not None, reason="ai-edge-litert is installed"
)
def test_without_litert_the_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "n.tflite").touch()
    with pytest.raises(UsageError, match="needs the package ai-edge-litert: pip install"):
        load_network(str(tmp_path / "n.tflite"))
