"""A frozen convolution with max-pool behind it, whose backward pass skips zero gradients.

Of the k * k gradients in a pooling window only one is not zero. A dense backward pass multiplies
the zeros too; it is 2.3x slower for SVDNet's second layer with its neighbours.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ganexplain.networks.fast.few_channels import (
    ConvolutionSpec,
    few_channel_input_gradient,
    has_few_channels,
    input_gradient,
    runs_frozen,
)

CHUNK_BYTES = 5 * 2**20  # size of the values computed at once, which then stay in cache
# The sparse loop is faster than a dense backward pass from these sizes on:
FEWEST_LANES = 16  # kernel width times channels
SMALLEST_WINDOW = 8  # places of a pooling window


class PooledConvolution(nn.Module):
    """Convolution, max-pool (stride = window) and, with a `slope`, a rectifier behind.

    A convolution with few channels (`front`) and a rectifier with `front_slope` may come first;
    their output is not stored but computed again for the gradient. The result equals that of the
    single layers but for rounding. The single layers are used outside of float32 on a CPU, without
    numba, with weights that require a gradient, and where they are faster. There are no second
    derivatives.
    """

    def __init__(
        self,
        convolution: nn.Conv2d,
        window: tuple[int, int],
        slope: float | None = None,
        front: nn.Conv2d | None = None,
        front_slope: float = 1.0,
    ) -> None:
        super().__init__()
        self.convolution, self.front = convolution, front
        self.window, self.slope, self.front_slope = window, slope, front_slope

    def forward(self, x: Tensor) -> Tensor:
        """Output (B, O, Y, X) of x (B, C, H, W)."""
        front = None if self.front is None else ConvolutionSpec.from_module(self.front)
        layer = ConvolutionSpec.from_module(self.convolution)
        if self._is_faster(layer) and self._is_possible(x):
            spec = PooledSpec(layer, self.window, self.slope, front, self.front_slope)
            return _Pooled.apply(x, spec)
        if front is not None:
            x = functional.leaky_relu(front(x), self.front_slope)
        x = functional.max_pool2d(layer(x), self.window)
        return x if self.slope is None else functional.leaky_relu(x, self.slope)

    def _is_faster(self, layer: ConvolutionSpec) -> bool:
        few = self.front is not None or has_few_channels(layer)
        return few or sparse_is_faster(layer, self.window)

    def _is_possible(self, x: Tensor) -> bool:
        plain = x.device.type == "cpu" and x.dtype == torch.float32
        return plain and runs_frozen(self, x) and has_numba()


@cache
def has_numba() -> bool:
    """Whether numba is installed and its compiled libraries can be loaded."""
    try:
        importlib.import_module("numba")
    except (ImportError, OSError):
        return False
    return True


@dataclass(frozen=True)
class PooledSpec:
    """A convolution `layer`, a max-pool over `window` behind it, and what is around them.

    `slope` is that of the rectifier behind the pool, None without one; `front` a convolution in
    front of the layer, None without one, with a rectifier of `front_slope`.
    """

    layer: ConvolutionSpec
    window: tuple[int, int]
    slope: float | None
    front: ConvolutionSpec | None
    front_slope: float


class _Pooled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, spec: PooledSpec) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        ctx.chunk, ctx.spec = _chunk(x, spec), spec
        found = [
            functional.max_pool2d(
                spec.layer(_in_front(part, spec)), spec.window, return_indices=True
            )
            for part in x.split(ctx.chunk)
        ]
        pooled, place = (_joined(parts) for parts in zip(*found, strict=True))
        if spec.slope is not None:
            pooled = functional.leaky_relu(pooled, spec.slope, inplace=True)
        ctx.save_for_backward(x, place, pooled)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        spec: PooledSpec = ctx.spec
        x, place, pooled = ctx.saved_tensors
        if spec.slope is not None:
            gradient = _before_rectifier(gradient, pooled, spec.slope)
        parts = []
        for part, g, at in zip(*(t.split(ctx.chunk) for t in (x, gradient, place)), strict=True):
            back = _before_convolution(g, at, _in_front(part, spec), spec)
            if spec.front is not None:
                back = few_channel_input_gradient(back, part.shape, spec.front)
            parts.append(back)
        return _joined(parts), None


def _in_front(x: Tensor, spec: PooledSpec) -> Tensor:
    """The input of the pooled convolution, channels last."""
    if spec.front is not None:
        x = functional.leaky_relu(spec.front(x), spec.front_slope, inplace=True)
    return x.contiguous(memory_format=torch.channels_last)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _chunk(x: Tensor, spec: PooledSpec) -> int:
    """The number of examples to compute at once."""
    height, width = x.shape[2:] if spec.front is None else spec.front.output_size(*x.shape[2:])
    y, x_places = spec.layer.output_size(height, width)
    outputs, inputs = spec.layer.weight.shape[:2]
    largest = max(inputs * height * width, outputs * y * x_places)
    at_most = max(1, CHUNK_BYTES // (4 * largest))
    parts = -(-len(x) // at_most)
    return max(1, -(-len(x) // max(1, parts)))


def _before_convolution(
    gradient: Tensor, place: Tensor, before: Tensor, spec: PooledSpec
) -> Tensor:
    """Gradient (B, C, H, W) before the convolution and the rectifier in front, if there is one."""
    layer, window = spec.layer, spec.window
    if sparse_is_faster(layer, window):
        return _scattered(gradient, place, before, spec)
    size = layer.output_size(*before.shape[2:])
    shape = (len(gradient), gradient.shape[1], *size)
    full = torch.empty(shape, memory_format=torch.channels_last)  # its values are not read
    full = torch.ops.aten.max_pool2d_with_indices_backward(
        gradient, full, window, window, (0, 0), (1, 1), False, place
    )
    back = input_gradient(full, before, layer)
    return back if spec.front is None else _before_rectifier(back, before, spec.front_slope)


def _before_rectifier(gradient: Tensor, output: Tensor, slope: float) -> Tensor:
    return torch.ops.aten.leaky_relu_backward(gradient, output, slope, True)


def sparse_is_faster(layer: ConvolutionSpec, window: tuple[int, int]) -> bool:
    """Whether the sparse loop supports a layer with a max-pool over `window`, and is faster."""
    return (
        layer.stride == (1, 1) == layer.dilation
        and layer.weight.shape[1] * layer.weight.shape[3] >= FEWEST_LANES
        and window[0] * window[1] >= SMALLEST_WINDOW
    )


def _scattered(gradient: Tensor, place: Tensor, before: Tensor, spec: PooledSpec) -> Tensor:
    """The same by the sparse loop."""
    from ganexplain.networks.fast import kernels

    layer, window, masked, slope = spec.layer, spec.window, spec.front is not None, spec.front_slope
    count, channels, height, width = before.shape
    top, left = layer.padding
    out = torch.empty_like(before, memory_format=torch.channels_last)
    outputs, _, kernel_height, _ = layer.weight.shape
    weight = layer.weight.permute(0, 2, 3, 1).reshape(outputs, kernel_height, -1).contiguous()
    arrays = [t.detach().permute(0, 2, 3, 1).contiguous() for t in (gradient, place, before, out)]
    flat = [t.flatten(2) if i > 1 else t for i, t in enumerate(arrays)]
    strip = (window[0] + kernel_height - 1, (width + 2 * left) * channels)

    def work(first: int, last: int) -> None:
        grads, places, passed, result = (t[first:last].numpy() for t in flat)
        kernels.input_gradient(
            grads, places, weight.numpy(), passed, masked, np.float32(slope),
            torch.empty(strip).numpy(), result, window[0],
            layer.output_size(height, width)[1], (top, left, channels),
        )  # fmt: skip

    _run_in_threads(work, count)
    return out


def _run_in_threads(work: Callable[[int, int], None], count: int) -> None:
    """Run `work(first, last)` on all of `count` examples, on as many threads as torch uses."""
    threads = min(torch.get_num_threads(), count)
    if threads == 1:
        work(0, count)
        return
    bounds = [count * i // threads for i in range(threads + 1)]
    list(_threads().map(work, bounds[:-1], bounds[1:]))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="sparse-pool")


os.register_at_fork(after_in_child=_threads.cache_clear)  # threads do not survive a fork
