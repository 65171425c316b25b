"""Operators on single values: arithmetic, comparisons, activations, types, and products."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ganexplain.networks.onnx.dtypes import converted, torch_dtype
from ganexplain.networks.onnx.node import (
    Node,
    UnsupportedUse,
    attribute_or_input,
    enter_plain,
    operator,
)

enter_plain(
    {
        "Abs": torch.abs, "Acos": torch.acos, "Acosh": torch.acosh, "Add": torch.add,
        "And": torch.logical_and, "Asin": torch.asin, "Asinh": torch.asinh, "Atan": torch.atan,
        "Atanh": torch.atanh, "BitwiseAnd": torch.bitwise_and, "BitwiseNot": torch.bitwise_not,
        "BitwiseOr": torch.bitwise_or, "BitwiseXor": torch.bitwise_xor, "Ceil": torch.ceil,
        "Cos": torch.cos, "Cosh": torch.cosh, "Det": torch.linalg.det, "Equal": torch.eq,
        "Erf": torch.erf, "Exp": torch.exp, "Floor": torch.floor, "Greater": torch.gt,
        "GreaterOrEqual": torch.ge, "HardSwish": functional.hardswish, "Identity": lambda x: x,
        "IsNaN": torch.isnan, "Less": torch.lt, "LessOrEqual": torch.le, "Log": torch.log,
        "MatMul": torch.matmul, "Mish": functional.mish, "Mul": torch.mul, "Neg": torch.neg,
        "Not": torch.logical_not, "Or": torch.logical_or, "Reciprocal": torch.reciprocal,
        "Relu": torch.relu, "Round": torch.round, "Sigmoid": torch.sigmoid, "Sign": torch.sign,
        "Sin": torch.sin, "Sinh": torch.sinh, "Softplus": functional.softplus,
        "Softsign": functional.softsign, "Sub": torch.sub, "Tan": torch.tan, "Tanh": torch.tanh,
        "Where": torch.where, "Xor": torch.logical_xor,
        "Sum": lambda *values: functools.reduce(torch.add, values),
        "Max": lambda *values: functools.reduce(torch.maximum, values),
        "Min": lambda *values: functools.reduce(torch.minimum, values),
        "Mean": lambda *values: functools.reduce(torch.add, values) / len(values),
    }
)  # fmt: skip


@operator("Div")
def divide(node: Node, x: Tensor, y: Tensor) -> Tensor:
    """The quotient; of integers it is rounded towards zero."""
    exact = x.is_floating_point() or y.is_floating_point()
    return x / y if exact else torch.div(x, y, rounding_mode="trunc")


@operator("Sqrt")
def square_root(node: Node, x: Tensor) -> Tensor:
    """The square root, whose gradient at zero is zero, as that of a magnitude, and not infinite."""
    silent = x == 0
    return torch.where(silent, torch.zeros_like(x), torch.where(silent, 1.0, x).sqrt())


@operator("Mod")
def modulo(node: Node, x: Tensor, y: Tensor) -> Tensor:
    """The remainder, with the sign of the divisor, or of the dividend with `fmod`."""
    return torch.fmod(x, y) if node.get("fmod", 0) else torch.remainder(x, y)


@operator("Pow")
def power(node: Node, x: Tensor, exponent: Tensor) -> Tensor:
    """X to a power, in the type of x."""
    return torch.pow(x, exponent).to(x.dtype)


@operator("BitShift")
def shift(node: Node, x: Tensor, by: Tensor) -> Tensor:
    """Bits shifted to the left or to the right."""
    shifts = {"LEFT": torch.bitwise_left_shift, "RIGHT": torch.bitwise_right_shift}
    return shifts[node.get("direction")](x, by)


@operator("Clip")
def clip(node: Node, x: Tensor, *bounds: Tensor | None) -> Tensor:
    """Values held within bounds, of which each may be left out."""
    low, high = (attribute_or_input(node, name, bounds, k) for k, name in enumerate(("min", "max")))
    if low is not None:
        x = torch.maximum(x, torch.as_tensor(low, dtype=x.dtype, device=x.device))
    if high is not None:
        x = torch.minimum(x, torch.as_tensor(high, dtype=x.dtype, device=x.device))
    return x


@operator("IsInf")
def is_infinite(node: Node, x: Tensor) -> Tensor:
    """Where values are infinite, of the signs that are asked for."""
    negative = torch.isneginf(x) & bool(node.get("detect_negative", 1))
    return negative | (torch.isposinf(x) & bool(node.get("detect_positive", 1)))


@operator("Cast")
def cast(node: Node, x: Tensor) -> Tensor:
    """Values in another type."""
    return converted(x, torch_dtype(node.get("to")))


@operator("CastLike")
def cast_like(node: Node, x: Tensor, like: Tensor) -> Tensor:
    """Values in the type of another tensor."""
    return converted(x, like.dtype)


@operator("CumSum", "CumProd")
def cumulate(node: Node, x: Tensor, axis: Tensor) -> Tensor:
    """Sums or products up to each place of an axis, with or without it, from either end."""
    along = int(axis)
    reverse = bool(node.get("reverse", 0))
    join, empty = (torch.cumsum, 0) if node.op == "CumSum" else (torch.cumprod, 1)
    found = join(x.flip(along) if reverse else x, along, dtype=x.dtype)
    if node.get("exclusive", 0):
        found = found.roll(1, along)
        found = found.index_fill(along, torch.zeros(1, dtype=torch.int64, device=x.device), empty)
    return found.flip(along) if reverse else found


@operator("Einsum")
def einsum(node: Node, *factors: Tensor) -> Tensor:
    """A sum of products by its equation."""
    return torch.einsum(node.get("equation"), *factors)


@operator("Gemm")
def gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """Alpha A B + beta C, with A and B transposed on demand."""
    left = a.T if node.get("transA", 0) else a
    right = b.T if node.get("transB", 0) else b
    product = node.get("alpha", 1.0) * (left @ right)
    return product if c is None else product + node.get("beta", 1.0) * c


@operator("Dropout")
def dropout(node: Node, x: Tensor, *rest: Tensor | None) -> Tensor | tuple[Tensor, Tensor]:
    """The input itself: dropout is for training. With two outputs a mask of ones too."""
    if len(rest) > 1 and rest[1] is not None and bool(rest[1]):
        raise UnsupportedUse("it drops values at random (training_mode)")
    return x if len(node.outputs) < 2 else (x, torch.ones_like(x, dtype=torch.bool))


# --- activations ------------------------------------------------------------------------------


@operator("Celu")
def celu(node: Node, x: Tensor) -> Tensor:
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1))."""
    return functional.celu(x, node.get("alpha", 1.0))


@operator("Elu")
def elu(node: Node, x: Tensor) -> Tensor:
    """X above zero, alpha (exp(x) - 1) below."""
    return functional.elu(x, node.get("alpha", 1.0))


@operator("Gelu")
def gelu(node: Node, x: Tensor) -> Tensor:
    """X times the normal distribution function of x, or its approximation by tanh."""
    return functional.gelu(x, approximate=node.get("approximate", "none"))


@operator("HardSigmoid")
def hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    """Alpha x + beta within 0 and 1."""
    return torch.clamp(node.get("alpha", 0.2) * x + node.get("beta", 0.5), 0, 1)


@operator("LeakyRelu")
def leaky_relu(node: Node, x: Tensor) -> Tensor:
    """X above zero, alpha x below."""
    return functional.leaky_relu(x, node.get("alpha", 0.01))


@operator("PRelu")
def parametric_relu(node: Node, x: Tensor, slope: Tensor) -> Tensor:
    """X above zero, below it x times a slope of its own."""
    return torch.where(x < 0, slope * x, x)


@operator("Selu")
def selu(node: Node, x: Tensor) -> Tensor:
    """The scaled exponential rectifier."""
    alpha, gamma = node.get("alpha", 1.67326319217681884765625), node.get("gamma", 1.0507010221)
    return gamma * functional.elu(x, alpha)


@operator("Shrink")
def shrink(node: Node, x: Tensor) -> Tensor:
    """Zero within +- lambd, beyond it moved towards zero by `bias`."""
    bias, bound = node.get("bias", 0.0), node.get("lambd", 0.5)
    moved = torch.where(x < -bound, x + bias, x - bias)
    return torch.where(x.abs() > bound, moved, torch.zeros_like(x))


@operator("Swish")
def swish(node: Node, x: Tensor) -> Tensor:
    """X sigmoid(alpha x)."""
    return x * torch.sigmoid(node.get("alpha", 1.0) * x)


@operator("ThresholdedRelu")
def thresholded_relu(node: Node, x: Tensor) -> Tensor:
    """X above alpha, zero below."""
    return torch.where(x > node.get("alpha", 1.0), x, torch.zeros_like(x))


@operator("Softmax", "LogSoftmax", "Hardmax")
def softmax(node: Node, x: Tensor) -> Tensor:
    """Along an axis; before operator set 13 over all axes from that one on."""
    if node.opset >= 13:
        return _MAXIMA[node.op](x, node.get("axis", -1))
    axis = node.get("axis", 1) % max(x.ndim, 1)
    flat = x.reshape(*x.shape[:axis], -1)
    return _MAXIMA[node.op](flat, -1).reshape(x.shape)


def _hardmax(x: Tensor, axis: int) -> Tensor:
    first = x.argmax(axis, keepdim=True)
    return torch.zeros_like(x).scatter(axis, first, 1)


_MAXIMA: dict[str, Callable[[Tensor, int], Tensor]] = {
    "Softmax": torch.softmax,
    "LogSoftmax": torch.log_softmax,
    "Hardmax": _hardmax,
}
