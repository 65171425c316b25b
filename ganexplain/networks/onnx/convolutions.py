"""Convolutions and poolings over any number of axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ganexplain.networks.onnx.node import Node, UnsupportedUse, operator

MAX_POOLS = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)


@dataclass(frozen=True)
class Window:
    """Lengths, strides and dilations of a window, and what is added before and behind, by axis."""

    lengths: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    behind: tuple[int, ...]

    @classmethod
    def of(cls, node: Node, lengths: Sequence[int], sizes: Sequence[int]) -> Window:
        """The window of a node over axes of those sizes."""
        axes = len(lengths)
        strides = tuple(node.get("strides", (1,) * axes))
        dilations = tuple(node.get("dilations", (1,) * axes))
        reach = [d * (k - 1) + 1 for k, d in zip(lengths, dilations, strict=True)]
        automatic = node.get("auto_pad", "NOTSET")
        if automatic in ("SAME_UPPER", "SAME_LOWER"):
            pads = [
                max((-(-size // stride) - 1) * stride + far - size, 0)
                for size, stride, far in zip(sizes, strides, reach, strict=True)
            ]
            less = tuple(pad // 2 for pad in pads)
            more = tuple(pad - pad // 2 for pad in pads)
            sides = (less, more) if automatic == "SAME_UPPER" else (more, less)
        else:
            given = tuple(node.get("pads", (0,) * 2 * axes)) if automatic == "NOTSET" else ()
            sides = (given[:axes], given[axes:]) if given else ((0,) * axes,) * 2
        return cls(tuple(lengths), strides, dilations, *sides)

    @property
    def symmetric(self) -> bool:
        """Whether as much is added before as behind."""
        return self.before == self.behind

    def steps(self, sizes: Sequence[int]) -> list[int]:
        """The number of windows along axes of those sizes, padding included."""
        reach = [d * (k - 1) + 1 for k, d in zip(self.lengths, self.dilations, strict=True)]
        each = zip(sizes, reach, self.strides, strict=True)
        return [(size - far) // stride + 1 for size, far, stride in each]

    def to_whole_windows(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """What is added behind so that the windows of `ceil_mode` end within the input."""
        behind = []
        for k, size in enumerate(sizes):
            reach = self.dilations[k] * (self.lengths[k] - 1) + 1
            whole, stride = size + self.before[k] + self.behind[k], self.strides[k]
            steps = -(-(whole - reach) // stride)
            if steps * stride >= size + self.before[k]:  # it would begin behind the input
                steps -= 1
            behind.append(self.behind[k] + steps * stride + reach - whole)
        return tuple(behind)


def padded(x: Tensor, before: Sequence[int], behind: Sequence[int], value: float = 0.0) -> Tensor:
    """X with values before and behind its last axes; negative numbers take values away."""
    if not any((*before, *behind)):
        return x
    pairs = reversed(list(zip(before, behind, strict=True)))
    return functional.pad(x, [each for pair in pairs for each in pair], value=value)


@operator("Conv")
def convolve(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolution, in groups, over all axes behind the channels."""
    window = Window.of(node, weight.shape[2:], x.shape[2:])
    none = [0] * len(window.lengths)
    if window.symmetric:
        pads = list(window.before)
    else:
        x, pads = padded(x, window.before, window.behind), none
    return torch.convolution(
        x, weight, bias, list(window.strides), pads, list(window.dilations), False, none,
        node.get("group", 1),
    )  # fmt: skip


@operator("ConvTranspose")
def convolve_transposed(
    node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Transposed convolution: whole, then cut to the shape or by the padding that is asked for."""
    axes = weight.ndim - 2
    window = Window.of(node, weight.shape[2:], x.shape[2:])
    more = list(node.get("output_padding", (0,) * axes))
    none = [0] * axes
    whole = torch.convolution(
        x, weight, None, list(window.strides), none, list(window.dilations), True, none,
        node.get("group", 1),
    )  # fmt: skip
    before, behind = list(window.before), list(window.behind)
    automatic, shape = node.get("auto_pad", "NOTSET"), node.get("output_shape")
    full = [size + extra for size, extra in zip(whole.shape[2:], more, strict=True)]
    if shape is None and automatic.startswith("SAME"):
        wanted = zip(x.shape[2:], window.strides, full, strict=True)
        shape = [min(size * stride, most) for size, stride, most in wanted]
    if shape is not None:
        spare = [most - size for most, size in zip(full, shape[-axes:], strict=True)]
        half = [each // 2 for each in spare]
        other = [s - h for s, h in zip(spare, half, strict=True)]
        before, behind = (half, other) if automatic == "SAME_UPPER" else (other, half)
    cut = [m - b for m, b in zip(more, behind, strict=True)]
    found = padded(whole, [-b for b in before], cut)
    return found if bias is None else found + bias.reshape(1, -1, *[1] * axes)


@operator("MaxPool")
def max_pool(node: Node, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
    """The largest value of each window; further output: its place among all values of the input."""
    window = Window.of(node, node.get("kernel_shape"), x.shape[2:])
    behind = window.to_whole_windows(x.shape[2:]) if node.get("ceil_mode", 0) else window.behind
    pool, lowest = MAX_POOLS[x.ndim - 3], float("-inf")
    full = padded(x, window.before, behind, lowest)
    if len(node.outputs) == 1:
        return pool(full, window.lengths, window.strides, 0, window.dilations)
    if node.get("storage_order", 0):
        raise UnsupportedUse("it counts places column by column (storage_order)")
    numbers = torch.arange(x.numel(), device=x.device).reshape(x.shape)
    numbers = padded(numbers, window.before, behind).flatten(2)
    found, at = pool(full, window.lengths, window.strides, 0, window.dilations, return_indices=True)
    return found, numbers.gather(2, at.flatten(2)).reshape(at.shape)


@operator("MaxUnpool")
def max_unpool(node: Node, x: Tensor, at: Tensor, shape: Tensor | None = None) -> Tensor:
    """Values at the places that MaxPool returned; zero elsewhere."""
    window = Window.of(node, node.get("kernel_shape"), x.shape[2:])
    pads = zip(window.before, window.behind, strict=True)
    steps = zip(x.shape[2:], window.strides, window.lengths, pads, strict=True)
    sizes = [(n - 1) * stride + length - sum(pad) for n, stride, length, pad in steps]
    empty = x.new_zeros(*x.shape[:2], *sizes)
    found = empty.reshape(-1).scatter(0, at.reshape(-1), x.reshape(-1)).reshape(empty.shape)
    if shape is None:
        return found
    more = [int(size) - n for size, n in zip(shape[2:], sizes, strict=True)]
    return padded(found, [0] * len(more), more)


@operator("LpPool")
def root_pool(node: Node, x: Tensor) -> Tensor:
    """The p-th root of the sum of p-th powers of each window."""
    window, p = Window.of(node, node.get("kernel_shape"), x.shape[2:]), node.get("p", 2)
    behind = window.to_whole_windows(x.shape[2:]) if node.get("ceil_mode", 0) else window.behind
    return _sums(padded(x.abs() ** p, window.before, behind), window) ** (1 / p)


@operator("Col2Im")
def image_of_columns(node: Node, x: Tensor, image: Tensor, block: Tensor) -> Tensor:
    """Blocks (B, C x block, steps) added up at their places in an image (B, C, ...)."""
    sizes, lengths = image.tolist(), block.tolist()
    window = Window.of(node, lengths, sizes)
    ends = zip(sizes, window.before, window.behind, strict=True)
    steps = window.steps([size + before + behind for size, before, behind in ends])
    values = math.prod(lengths)
    columns = x.reshape(-1, values, *steps)
    each = torch.eye(values, dtype=x.dtype, device=x.device).reshape(values, 1, *lengths)
    none = [0] * len(lengths)
    whole = torch.convolution(
        columns, each, None, list(window.strides), none, list(window.dilations), True, none, 1
    )
    cut = zip(sizes, window.before, whole.shape[2:], strict=True)
    behind = [size + before - full for size, before, full in cut]
    found = padded(whole, [-before for before in window.before], behind)
    return found.reshape(len(x), -1, *sizes)


INTERPOLATIONS = {"linear": "bilinear", "cubic": "bicubic"}  # the later names of the modes


@operator("GridSample")
def sample_at_places(node: Node, x: Tensor, grid: Tensor) -> Tensor:
    """Values between those of maps (B, C, ...), at places (B, ..., axes) from -1 to 1."""
    mode = node.get("mode", "bilinear")
    mode = INTERPOLATIONS.get(mode, mode)
    if mode == "bicubic" and x.ndim > 4:
        raise UnsupportedUse("it interpolates over three axes by cubic functions")
    outside, corners = node.get("padding_mode", "zeros"), bool(node.get("align_corners", 0))
    return functional.grid_sample(x, grid.to(x.dtype), mode, outside, corners)


@operator("AveragePool")
def average_pool(node: Node, x: Tensor) -> Tensor:
    """The mean of each window, over the values of the input or, if asked for, the padding too."""
    window = Window.of(node, node.get("kernel_shape"), x.shape[2:])
    behind = window.to_whole_windows(x.shape[2:]) if node.get("ceil_mode", 0) else window.behind
    one = torch.ones_like(x[:1, :1])
    if node.get("count_include_pad", 0):
        counted = padded(one, window.before, window.behind, 1.0)
        extra = [b - w for b, w in zip(behind, window.behind, strict=True)]
        counted = padded(counted, [0] * len(extra), extra)
    else:
        counted = padded(one, window.before, behind)
    found = _sums(padded(x, window.before, behind), window)
    return found / _sums(counted, window)


def _sums(x: Tensor, window: Window) -> Tensor:
    """The sum of each window (B, C, ...)."""
    flat, none = x.reshape(-1, 1, *x.shape[2:]), [0] * len(window.lengths)
    ones = x.new_ones(1, 1, *window.lengths)
    found = torch.convolution(
        flat, ones, None, list(window.strides), none, list(window.dilations), False, none, 1
    )
    return found.reshape(*x.shape[:2], *found.shape[2:])


@operator("GlobalAveragePool")
def global_average(node: Node, x: Tensor) -> Tensor:
    """The mean over all places."""
    return x.mean(tuple(range(2, x.ndim)), keepdim=True)


@operator("GlobalMaxPool")
def global_maximum(node: Node, x: Tensor) -> Tensor:
    """The largest value over all places."""
    return x.amax(tuple(range(2, x.ndim)), keepdim=True)
