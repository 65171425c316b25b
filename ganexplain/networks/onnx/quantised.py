"""Operators on values of eight bits or fewer. No gradient passes through what is rounded."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ganexplain.networks.onnx.convolutions import convolve
from ganexplain.networks.onnx.dtypes import clamp_to, computable, torch_dtype
from ganexplain.networks.onnx.node import Node, operator

UINT8 = 2  # of `TensorProto.DataType`


def _along(values: Tensor, x: Tensor, axis: int, block: int = 0) -> Tensor:
    """A number for all, one for each place of an axis or one for each `block` of its places, in
    the shape that broadcasts.
    """
    if block:
        return values.repeat_interleave(block, axis).narrow(axis, 0, x.shape[axis])
    if values.numel() == 1:
        return values.reshape(())
    shape = [1] * x.ndim
    shape[axis] = -1
    return values.reshape(shape)


def _dequantised(
    x: Tensor, scale: Tensor, zero: Tensor | None, axis: int = 1, block: int = 0
) -> Tensor:
    offset = 0 if zero is None else _along(computable(zero), x, axis, block).to(torch.float32)
    return (computable(x).to(torch.float32) - offset) * _along(scale, x, axis, block)


def _quantised(
    x: Tensor,
    scale: Tensor,
    zero: Tensor | None,
    along: tuple[int, int] = (1, 0),
    usual: torch.dtype = torch.uint8,
) -> Tensor:
    """Values in the type of the zero, or the usual one; `along` are axis and block of the scale."""
    offset = 0 if zero is None else _along(computable(zero), x, *along).to(torch.float32)
    whole = torch.round(x / _along(scale, x, *along)) + offset
    return clamp_to(whole, usual if zero is None else zero.dtype)


@operator("QuantizeLinear")
def quantise(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """round(x / scale) + zero, within the limits of the type."""
    along = node.get("axis", 1), node.get("block_size", 0)
    return _quantised(x, scale, zero, along, torch_dtype(node.get("output_dtype") or UINT8))


@operator("DequantizeLinear")
def dequantise(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """(x - zero) times scale."""
    return _dequantised(x, scale, zero, node.get("axis", 1), node.get("block_size", 0))


@operator("DynamicQuantizeLinear")
def quantise_by_range(node: Node, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """X in 0..255 by its own range, with the scale and the zero."""
    low, high = x.amin().clamp(max=0), x.amax().clamp(min=0)
    scale = (high - low) / 255
    zero = torch.round(-low / scale).clamp(0, 255).to(torch.uint8)
    return _quantised(x, scale, zero), scale, zero


@operator("MatMulInteger")
def matmul_integer(
    node: Node, a: Tensor, b: Tensor, a_zero: Tensor | None = None, b_zero: Tensor | None = None
) -> Tensor:
    """A product of integers, each less its zero."""
    left, right = a.to(torch.int32), b.to(torch.int32)
    if a_zero is not None:
        left = left - _along(a_zero.to(torch.int32), a, -2)
    if b_zero is not None:
        right = right - _along(b_zero.to(torch.int32), b, -1)
    return (left.to(torch.float64) @ right.to(torch.float64)).to(torch.int32)


@operator("ConvInteger")
def convolve_integer(
    node: Node,
    x: Tensor,
    weight: Tensor,
    x_zero: Tensor | None = None,
    w_zero: Tensor | None = None,
) -> Tensor:
    """A convolution of integers, each less its zero."""
    values, weights = x.to(torch.float64), weight.to(torch.float64)
    if x_zero is not None:
        values = values - x_zero.to(torch.float64)
    if w_zero is not None:
        weights = weights - _along(w_zero.to(torch.float64), weight, 0)
    return convolve(node, values, weights).to(torch.int32)


@operator("QLinearMatMul")
def matmul_quantised(node: Node, *inputs: Tensor) -> Tensor:
    """A product of quantised values, quantised again."""
    a, a_scale, a_zero, b, b_scale, b_zero, scale, zero = inputs
    left, right = _dequantised(a, a_scale, a_zero, -2), _dequantised(b, b_scale, b_zero, -1)
    return _quantised(left @ right, scale, zero)


@operator("QLinearConv")
def convolve_quantised(node: Node, *inputs: Tensor) -> Tensor:
    """A convolution of quantised values, quantised again; its bias is in steps of both scales."""
    x, x_scale, x_zero, w, w_scale, w_zero, scale, zero, *bias = inputs
    values, weights = _dequantised(x, x_scale, x_zero), _dequantised(w, w_scale, w_zero, 0)
    added = [bias[0].to(torch.float32) * x_scale * w_scale] if bias else []
    return _quantised(convolve(replace(node, op="Conv"), values, weights, *added), scale, zero)
