"""Operators that move, pick, repeat or count values without computing with them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganexplain.networks.onnx.dtypes import torch_dtype
from ganexplain.networks.onnx.node import (
    Node,
    UnsupportedUse,
    attribute_or_input,
    integers,
    operator,
)


@operator("Constant")
def constant(node: Node) -> Tensor:
    """The value in the file."""
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if (value := node.get(name)) is not None:
            return torch.as_tensor(value)
    raise UnsupportedUse(f"its value is {', '.join(node.attributes) or 'missing'}")


@operator("ConstantOfShape")
def constant_of_shape(node: Node, shape: Tensor) -> Tensor:
    """A tensor of that shape, filled with one value."""
    value = node.get("value", torch.zeros(1))
    return value.reshape(()).expand(integers(shape)).clone()


@operator("Shape")
def shape_of(node: Node, x: Tensor) -> Tensor:
    """The lengths of the axes, from `start` to `end`."""
    return torch.tensor(x.shape[node.get("start", 0) : node.get("end")], dtype=torch.int64)


@operator("Size")
def size_of(node: Node, x: Tensor) -> Tensor:
    """The number of values."""
    return torch.tensor(x.numel(), dtype=torch.int64)


@operator("Reshape")
def reshape(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    """Another shape; a length of 0 stands for that of the input, but for `allowzero`."""
    lengths = integers(shape) or []
    if not node.get("allowzero", 0):
        lengths = [x.shape[k] if length == 0 else length for k, length in enumerate(lengths)]
    return x.reshape(lengths)


@operator("Flatten")
def flatten(node: Node, x: Tensor) -> Tensor:
    """Two axes: all before `axis`, and the others."""
    axis = node.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@operator("Squeeze")
def squeeze(node: Node, x: Tensor, *rest: Tensor | None) -> Tensor:
    """Without axes of length one: those named, or all."""
    axes = integers(attribute_or_input(node, "axes", rest, 0))
    if axes is None:
        return x.squeeze()
    if any(x.shape[axis] != 1 for axis in axes):
        raise RuntimeError(f"Squeeze of the axes {axes} of {tuple(x.shape)}")
    return x.squeeze(tuple(axes))


@operator("Unsqueeze")
def unsqueeze(node: Node, x: Tensor, *rest: Tensor | None) -> Tensor:
    """With further axes of length one, numbered as in the result."""
    axes = integers(attribute_or_input(node, "axes", rest, 0)) or []
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


@operator("Transpose")
def transpose(node: Node, x: Tensor) -> Tensor:
    """The axes in another order; reversed if none is given."""
    return x.permute(node.get("perm", tuple(range(x.ndim))[::-1]))


@operator("Concat")
def concatenate(node: Node, *parts: Tensor) -> Tensor:
    """Parts behind each other along an axis."""
    return torch.cat(parts, node.get("axis"))


@operator("Split")
def split(node: Node, x: Tensor, *rest: Tensor | None) -> tuple[Tensor, ...]:
    """Parts of given or of equal lengths along an axis."""
    axis = node.get("axis", 0)
    lengths = integers(attribute_or_input(node, "split", rest, 0))
    if lengths is None:
        lengths = [-(-x.shape[axis] // len(node.outputs))] * len(node.outputs)
        lengths[-1] = x.shape[axis] - sum(lengths[:-1])
    return x.split(lengths, axis)


@operator("Slice")
def slice_of(node: Node, x: Tensor, *rest: Tensor | None) -> Tensor:
    """From `starts` to before `ends` in `steps`, which may be negative."""
    starts, ends, axes, steps = (
        integers(attribute_or_input(node, name, rest, k))
        for k, name in enumerate(("starts", "ends", "axes", "steps"))
    )
    assert starts is not None and ends is not None
    axes = list(range(len(starts))) if axes is None else axes
    for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(starts), strict=True):
        length = x.shape[axis]
        chosen = range(*slice(start, end, step).indices(length))
        if step > 0:
            index: list[Any] = [slice(None)] * x.ndim
            index[axis] = slice(chosen.start, max(chosen.start, chosen.stop), step)
            x = x[tuple(index)]
        else:
            x = x.index_select(axis, torch.tensor(list(chosen), device=x.device, dtype=torch.int64))
    return x


@operator("Expand")
def expand(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    """Broadcast to a shape, which may be broadcast itself."""
    return x.expand(torch.broadcast_shapes(x.shape, tuple(integers(shape) or ())))


@operator("Tile")
def tile(node: Node, x: Tensor, repeats: Tensor) -> Tensor:
    """Copies behind each other along each axis."""
    return x.repeat(integers(repeats) or [])


@operator("Range")
def number_range(node: Node, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    """Numbers from `start` to before `limit`."""
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


@operator("EyeLike")
def eye_like(node: Node, x: Tensor) -> Tensor:
    """Ones on a diagonal of a matrix of that shape."""
    dtype = torch_dtype(node.get("dtype")) if node.get("dtype") else x.dtype
    row, column = (torch.arange(size, device=x.device) for size in x.shape)
    return (column[None] - row[:, None] == node.get("k", 0)).to(dtype)


@operator("Trilu")
def triangle(node: Node, x: Tensor, k: Tensor | None = None) -> Tensor:
    """The upper or the lower triangle of matrices; zero elsewhere."""
    diagonal = 0 if k is None else int(k)
    return x.triu(diagonal) if node.get("upper", 1) else x.tril(diagonal)


@operator("DepthToSpace")
def depth_to_space(node: Node, x: Tensor) -> Tensor:
    """Channels as blocks of neighbouring places."""
    (b, c, h, w), n = x.shape, node.get("blocksize")
    if node.get("mode", "DCR") == "CRD":
        return functional.pixel_shuffle(x, n)
    return (
        x.reshape(b, n, n, c // n**2, h, w)
        .permute(0, 3, 4, 1, 5, 2)
        .reshape(b, c // n**2, h * n, w * n)
    )


@operator("SpaceToDepth")
def space_to_depth(node: Node, x: Tensor) -> Tensor:
    """Blocks of neighbouring places as channels."""
    (b, c, h, w), n = x.shape, node.get("blocksize")
    if node.get("mode", "DCR") == "CRD":
        return functional.pixel_unshuffle(x, n)
    blocks = x.reshape(b, c, h // n, n, w // n, n).permute(0, 3, 5, 1, 2, 4)
    return blocks.reshape(b, c * n**2, h // n, w // n)


# --- padding ----------------------------------------------------------------------------------


@operator("Pad")
def pad(node: Node, x: Tensor, *rest: Tensor | None) -> Tensor:
    """With values before and behind along each axis; negative numbers take values away."""
    pads = integers(attribute_or_input(node, "pads", rest, 0)) or []
    value = rest[1] if len(rest) > 1 else node.get("value", 0.0)
    axes = integers(rest[2] if len(rest) > 2 else None) or list(range(x.ndim))
    before_and_behind = [(0, 0)] * x.ndim
    for axis, before, behind in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        before_and_behind[axis] = before, behind
    mode = node.get("mode", "constant")
    if mode == "constant":
        flat = [each for pair in reversed(before_and_behind) for each in pair]
        return functional.pad(x, flat, value=0.0 if value is None else float(value))
    for axis, (before, behind) in enumerate(before_and_behind):
        if before or behind:
            places = np.arange(x.shape[axis])[max(0, -before) : x.shape[axis] + min(0, behind)]
            places = np.pad(places, (max(0, before), max(0, behind)), mode=mode)
            x = x.index_select(axis, torch.from_numpy(places).to(x.device))
    return x
