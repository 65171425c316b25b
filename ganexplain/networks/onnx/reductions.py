"""Operators that reduce axes to one number, and those that normalise by such numbers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ganexplain.networks.onnx.node import (
    Node,
    UnsupportedUse,
    attribute_or_input,
    integers,
    operator,
)

Reduction = Callable[[Tensor, list[int], bool], Tensor]


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


_REDUCTIONS: dict[str, Reduction] = {
    "ReduceL1": lambda x, axes, keep: x.abs().sum(axes, keep),
    "ReduceL2": lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keep),
    "ReduceLogSum": lambda x, axes, keep: x.sum(axes, keep).log(),
    "ReduceLogSumExp": lambda x, axes, keep: x.logsumexp(axes, keep),
    "ReduceMax": lambda x, axes, keep: x.amax(axes, keep),
    "ReduceMean": lambda x, axes, keep: x.mean(axes, keep),
    "ReduceMin": lambda x, axes, keep: x.amin(axes, keep),
    "ReduceProd": _product,
    "ReduceSum": lambda x, axes, keep: x.sum(axes, keep).to(x.dtype),
    "ReduceSumSquare": lambda x, axes, keep: x.square().sum(axes, keep),
}  # fmt: skip


@operator(*_REDUCTIONS)
def reduce(node: Node, x: Tensor, *rest: Tensor | None) -> Tensor:
    """Over the axes named; over all if none is, but for `noop_with_empty_axes`."""
    axes = integers(attribute_or_input(node, "axes", rest, 0))
    if not axes and node.get("noop_with_empty_axes", 0):
        return x
    return _REDUCTIONS[node.op](x, axes or list(range(x.ndim)), bool(node.get("keepdims", 1)))


@operator("ArgMax", "ArgMin")
def place_of_extreme(node: Node, x: Tensor) -> Tensor:
    """Where an axis is largest or smallest: the first such place, or the last."""
    axis, keep = node.get("axis", 0), bool(node.get("keepdims", 1))
    find = torch.argmax if node.op == "ArgMax" else torch.argmin
    if node.get("select_last_index", 0):
        return x.shape[axis] - 1 - find(x.flip(axis), axis, keep)
    return find(x, axis, keep)


# --- norms ------------------------------------------------------------------------------------


def _over_channels(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(1, -1, *[1] * (like.ndim - 2))


@operator("BatchNormalization")
def batch_norm(
    node: Node, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    """By the mean and variance in the file."""
    if node.get("training_mode", 0):
        raise UnsupportedUse("it normalises by the batch (training_mode)")
    epsilon = node.get("epsilon", 1e-5)
    return functional.batch_norm(x, mean, variance, scale, bias, False, 0.0, epsilon)


@operator("InstanceNormalization")
def instance_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """By the mean and variance of each channel of each example."""
    return functional.instance_norm(
        x, None, None, scale, bias, True, 0.0, node.get("epsilon", 1e-5)
    )


@operator("LayerNormalization")
def layer_norm(
    node: Node, x: Tensor, scale: Tensor, bias: Tensor | None = None
) -> Tensor | tuple[Tensor, Tensor, Tensor]:
    """By the mean and variance of the axes from `axis` on; further outputs: mean, 1 / deviation."""
    first, epsilon = node.get("axis", -1) % x.ndim, node.get("epsilon", 1e-5)
    found = functional.layer_norm(x, x.shape[first:], None, None, epsilon) * scale
    found = found if bias is None else found + bias
    if len(node.outputs) == 1:
        return found
    axes = tuple(range(first, x.ndim))
    mean, variance = x.mean(axes, True), x.var(axes, correction=0, keepdim=True)
    return found, mean, (variance + epsilon).rsqrt()


@operator("RMSNormalization")
def rms_norm(node: Node, x: Tensor, scale: Tensor) -> Tensor:
    """By the root of the mean square of the axes from `axis` on."""
    shape = x.shape[node.get("axis", -1) % x.ndim :]
    return functional.rms_norm(x, shape, None, node.get("epsilon", 1e-5)) * scale


@operator("GroupNormalization")
def group_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """By groups of channels; before operator set 21 scale and bias are a number a group."""
    groups, channels = node.get("num_groups"), x.shape[1]
    if len(scale) != channels:
        scale, bias = (each.repeat_interleave(channels // groups) for each in (scale, bias))
    return functional.group_norm(x, groups, scale, bias, node.get("epsilon", 1e-5))


@operator("LRN")
def local_response_norm(node: Node, x: Tensor) -> Tensor:
    """By the squares of neighbouring channels."""
    size, alpha = node.get("size"), node.get("alpha", 1e-4)
    return functional.local_response_norm(
        x, size, alpha, node.get("beta", 0.75), node.get("bias", 1.0)
    )


@operator("LpNormalization")
def lp_normalise(node: Node, x: Tensor) -> Tensor:
    """To length one along an axis."""
    axis = node.get("axis", -1)
    length = torch.linalg.vector_norm(x, node.get("p", 2), axis, keepdim=True)
    return torch.where(length == 0, torch.zeros_like(x), x / length)


@operator("MeanVarianceNormalization")
def mean_variance_norm(node: Node, x: Tensor) -> Tensor:
    """Without its mean and of deviation one, over the axes named."""
    axes = node.get("axes", (0, 2, 3))
    centred = x - x.mean(axes, keepdim=True)
    return centred / (centred.square().mean(axes, keepdim=True).sqrt() + 1e-9)
