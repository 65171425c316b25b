"""Nodes for which torch has a layer of the same name and meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from ganexplain.networks.onnx.convolutions import Window
from ganexplain.networks.onnx.node import Node

CONVOLUTIONS = {3: nn.Conv1d, 4: nn.Conv2d, 5: nn.Conv3d}
MAX_POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}


def torch_layer(node: Node, constants: Mapping[int, Tensor]) -> nn.Module | None:
    """The torch layer of a node, with its weights, or None.

    Other parts of ganexplain know these layers: Grad-CAM looks for convolutions, and a search
    runs convolution, rectifier and pooling as one.
    """
    build = _LAYERS.get(node.op)
    layer = build(node, constants) if build else None
    return None if layer is None else layer.requires_grad_(False)


def _convolution(node: Node, constants: Mapping[int, Tensor]) -> nn.Module | None:
    weight, given = constants.get(1), len([name for name in node.inputs if name])
    if weight is None or len(constants) != given - 1 or weight.ndim not in CONVOLUTIONS:
        return None
    if node.get("auto_pad", "NOTSET").startswith("SAME"):
        return None
    window = Window.of(node, weight.shape[2:], [0] * (weight.ndim - 2))
    if not window.symmetric:
        return None
    groups = node.get("group", 1)
    build: Callable[..., nn.Module] = CONVOLUTIONS[weight.ndim]
    with torch.device("meta"):
        layer = build(
            weight.shape[1] * groups, weight.shape[0], window.lengths, window.strides,
            window.before, window.dilations, groups, 2 in constants, dtype=weight.dtype,
        )  # fmt: skip
    return _with_weights(layer, [("weight", weight), ("bias", constants.get(2))])


def _linear(node: Node, constants: Mapping[int, Tensor]) -> nn.Module | None:
    weight, bias = constants.get(1), constants.get(2)
    plain = node.get("alpha", 1.0) == node.get("beta", 1.0) == 1 and not node.get("transA", 0)
    if weight is None or 0 in constants or not plain or (len(node.inputs) > 2) != (2 in constants):
        return None
    weight = weight if node.get("transB", 0) else weight.T.contiguous()
    if bias is not None and bias.shape != (len(weight),):
        return None
    with torch.device("meta"):
        layer = nn.Linear(weight.shape[1], len(weight), bias is not None, dtype=weight.dtype)
    return _with_weights(layer, [("weight", weight), ("bias", bias)])


def _with_weights(layer: nn.Module, weights: Sequence[tuple[str, Tensor | None]]) -> nn.Module:
    for name, value in weights:
        if value is not None:
            setattr(layer, name, nn.Parameter(value, requires_grad=False))
    return layer


def _max_pool(node: Node, constants: Mapping[int, Tensor]) -> nn.Module | None:
    lengths = node.get("kernel_shape")
    window = Window.of(node, lengths, [0] * len(lengths))
    padded = any((*window.before, *window.behind)) or node.get("auto_pad", "NOTSET") != "NOTSET"
    if padded or node.get("ceil_mode", 0) or len(node.outputs) > 1 or len(lengths) not in MAX_POOLS:
        return None
    return MAX_POOLS[len(lengths)](window.lengths, window.strides, 0, window.dilations)


_LAYERS = {
    "Conv": _convolution,
    "Gemm": _linear,
    "MaxPool": _max_pool,
    "Relu": lambda node, constants: nn.ReLU(),
    "LeakyRelu": lambda node, constants: nn.LeakyReLU(node.get("alpha", 0.01)),
    "Sigmoid": lambda node, constants: nn.Sigmoid(),
    "Tanh": lambda node, constants: nn.Tanh(),
}
