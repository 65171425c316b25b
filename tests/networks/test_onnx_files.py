"""ONNX files as packages ship them: our outputs and those of onnxruntime for the same inputs."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from support.paths import SAMPLE

from ganexplain.audio.io import load_mono
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.onnx.network import OnnxNetwork

pytestmark = pytest.mark.third_party
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@dataclass(frozen=True)
class File:
    """A file in a package, the shape of its main input, and the other inputs that are not zero."""

    path: str
    shape: tuple[int, ...]
    others: Mapping[str, float] = field(default_factory=dict)


FILES = {
    "basic_pitch": File("saved_models/icassp_2022/nmp.onnx", (2, 43844, 1)),
    "flashvad": File("_models/flashvad-stream.onnx", (2, 1, 43)),
    "rapidocr/det": File("models/PP-OCRv6_det_small.onnx", (1, 3, 64, 96)),
    "rapidocr/rec": File("models/PP-OCRv6_rec_small.onnx", (1, 3, 48, 96)),
    "rapidocr/cls": File("models/ch_ppocr_mobile_v2.0_cls_mobile.onnx", (2, 3, 48, 96)),
    "silero_vad": File("data/silero_vad.onnx", (2, 512), {"sr": 16000}),
    "silero_vad/8k": File("data/silero_vad.onnx", (2, 256), {"sr": 8000}),
    "silero_vad/15": File("data/silero_vad_16k_op15.onnx", (2, 576), {"sr": 16000}),
    "silero_vad/half": File("data/silero_vad_half.onnx", (2, 576)),
    "silero_vad/ifless": File("data/silero_vad_op18_ifless.onnx", (2, 512), {"sr": 16000}),
    "silero_vad/sequence": File("data/silero_vad_16k_sequence.onnx", (5, 576)),
    "speechmos/aec": File("aecmos_models/Run_1663829550_Stage_0.onnx", (1, 3, 40, 160)),
    "speechmos/dns": File("dnsmos_models/sig_bak_ovr.onnx", (2, 144160)),
    "speechmos/p808": File("dnsmos_models/model_v8.onnx", (2, 900, 120)),
    "speechmos/plc": File("plcmos_models/plcmos_v2.onnx", (2, 1, 40, 257)),
    "swift_f0": File("model.onnx", (1, 16000), {"fmin": 46.875, "fmax": 2093.75}),
}


def shipped(name: str) -> Path:
    """The file of a package, found without importing it; skipped where it is not installed."""
    package = name.partition("/")[0]
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    path = Path(found.submodule_search_locations[0]) / FILES[name].path
    if not path.is_file():
        pytest.skip(f"this version of {package} has no {path.name}")
    return path


def sound(samples: int) -> np.ndarray:
    """The loudest part of a real song, at full scale 1."""
    song = sorted((SAMPLE / "audio").rglob("*.ogg"))[0]
    whole = load_mono(song, 16000)
    whole = np.tile(whole, -(-samples // len(whole)))
    start = int(np.argmax(np.abs(whole[: len(whole) - samples + 1])))
    return whole[start : start + samples]


@pytest.mark.parametrize("name", FILES)
def test_a_file_gives_what_onnxruntime_gives(name: str) -> None:
    path, shape, others = shipped(name), FILES[name].shape, FILES[name].others
    network = load_network(str(path))
    assert isinstance(network, OnnxNetwork)
    main = network.declared[network.main]
    x = torch.from_numpy(sound(int(np.prod(shape))).reshape(shape).astype(np.float32))
    x = x.to(main.dtype).requires_grad_(True)
    found = network(x, **others)
    found = found if isinstance(found, dict) else {network.outputs[0]: found}

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = {main.name: x.detach().numpy()}
    for each in network.declared:
        if each.name in others:
            kind = str(each.dtype).removeprefix("torch.")
            feed[each.name] = np.array(others[each.name], dtype=kind)
        elif each.name != main.name:
            axes = [n if isinstance(n, int) and n else shape[0] for n in each.shape]
            feed[each.name] = np.zeros(axes, dtype=str(each.dtype).removeprefix("torch."))
    expected = session.run(None, feed)

    assert list(found) == [each.name for each in session.get_outputs()]
    for ours, theirs in zip(found.values(), expected, strict=True):
        assert ours.shape == theirs.shape
        apart = np.abs(ours.detach().numpy().astype(np.float64) - theirs).max()
        assert apart <= 1e-3 * np.abs(theirs).max() + 1e-6  # sigmoids there are approximations
    first = next(iter(found.values()))
    (gradient,) = torch.autograd.grad(first.square().sum(), x)
    assert gradient.isfinite().all() and bool(gradient.any())
