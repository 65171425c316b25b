"""Resampling of axes: Resize and Upsample."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ganexplain.networks.onnx.node import (
    Node,
    UnsupportedUse,
    attribute_or_input,
    integers,
    operator,
)

ROUNDED: dict[str, Callable[[Tensor], Tensor]] = {
    "round_prefer_floor": lambda place: torch.ceil(place - 0.5),
    "round_prefer_ceil": lambda place: torch.floor(place + 0.5),
    "floor": torch.floor,
    "ceil": torch.ceil,
}


OFFSETS = {"linear": (0, 1), "cubic": (-1, 0, 1, 2)}  # of the values that each new one is made of


@operator("Upsample")
def upsample(node: Node, x: Tensor, *rest: Tensor | None) -> Tensor:
    """The older form of Resize: values stand at the start of their place."""
    scales = attribute_or_input(node, "scales", rest, 0)
    factors = scales.tolist() if isinstance(scales, Tensor) else list(scales)
    sizes = [_scaled(n, f) for n, f in zip(x.shape, factors, strict=True)]
    mode = node.get("mode", "nearest")
    for axis, (size, factor) in enumerate(zip(sizes, factors, strict=True)):
        places = torch.arange(size, dtype=torch.float64) / factor
        x = _at_places(x, axis, places, mode, "floor", -0.75, False)
    return x


@operator("Resize")
def resize(node: Node, x: Tensor, *rest: Tensor | None) -> Tensor:
    """Axes at other rates, by the nearest, linear or cubic interpolation, axis by axis."""
    if node.opset < 11:
        return upsample(node, x, *rest)
    if node.get("antialias", 0):
        raise UnsupportedUse("it filters before it reduces (antialias)")
    rest = (*rest, None, None, None)[:3]
    axes = [axis % x.ndim for axis in node.get("axes", range(x.ndim))]
    sizes, factors = _sizes_and_factors(node, [x.shape[axis] for axis in axes], rest[1], rest[2])
    mode, nearest = node.get("mode", "nearest"), node.get("nearest_mode", "round_prefer_floor")
    cubic, inside = node.get("cubic_coeff_a", -0.75), bool(node.get("exclude_outside", 0))
    for axis, size, factor in zip(axes, sizes, factors, strict=True):
        if size != x.shape[axis] or factor != 1:
            places = _places(node, x.shape[axis], size, factor)
            x = _at_places(x, axis, places, mode, nearest, cubic, inside)
    return x


def _sizes_and_factors(
    node: Node, lengths: Sequence[int], scales: Tensor | None, sizes: Tensor | None
) -> tuple[list[int], list[float]]:
    if sizes is None or not sizes.numel():
        assert scales is not None
        factors = [float(each) for each in scales.tolist()]
        return [_scaled(n, f) for n, f in zip(lengths, factors, strict=True)], factors
    wanted = integers(sizes) or []
    factors = [size / n for size, n in zip(wanted, lengths, strict=True)]
    policy = node.get("keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        factor = min(factors) if policy == "not_larger" else max(factors)
        return [math.floor(n * factor + 0.5) for n in lengths], [factor] * len(factors)
    return wanted, factors


def _scaled(length: int, factor: float) -> int:
    """The new length, rounded down from a product of 32 bits, as ONNX has it."""
    return math.floor(np.float32(length) * np.float32(factor))


def _places(node: Node, length: int, size: int, factor: float) -> Tensor:
    """Where in the input, in values, each value of the output lies."""
    x = torch.arange(size, dtype=torch.float32)  # as onnxruntime, or ties are decided otherwise
    how = node.get("coordinate_transformation_mode", "half_pixel")
    if how == "align_corners":  # of whole values, as torch and onnxruntime have it
        return x * (length - 1) / (size - 1) if size > 1 else x * 0
    if how == "asymmetric":
        return x / factor
    if how == "pytorch_half_pixel" and size == 1:
        return x * 0
    if how == "half_pixel_symmetric":
        return length / 2 * (1 - size / (factor * length)) + (x + 0.5) / factor - 0.5
    if how in ("half_pixel", "pytorch_half_pixel"):
        return (x + 0.5) / factor - 0.5
    raise UnsupportedUse(f"coordinate_transformation_mode is {how}")


def _at_places(
    x: Tensor, axis: int, places: Tensor, mode: str, nearest: str, cubic: float, inside: bool
) -> Tensor:
    """The axis sampled at places, by a matrix of weights."""
    length = x.shape[axis]
    if mode == "nearest":
        chosen = ROUNDED[nearest](places).clamp(0, length - 1).long()
        return x.index_select(axis, chosen.to(x.device))
    if mode not in OFFSETS:
        raise UnsupportedUse(f"mode is {mode}")
    weights = torch.zeros(len(places), length, dtype=torch.float64)
    places = places.double()
    base = torch.floor(places)
    for offset in OFFSETS[mode]:
        at = base + offset
        distance = (places - at).abs()
        weight = _linear(distance) if mode == "linear" else _cubic(distance, cubic)
        if inside:
            weight = torch.where((at >= 0) & (at < length), weight, torch.zeros_like(weight))
        weights.scatter_add_(1, at.clamp(0, length - 1).long()[:, None], weight[:, None])
    weights /= weights.sum(1, keepdim=True)
    return (x.movedim(axis, -1) @ weights.T.to(x)).movedim(-1, axis)


def _linear(distance: Tensor) -> Tensor:
    return (1 - distance).clamp(min=0)


def _cubic(distance: Tensor, a: float) -> Tensor:
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return torch.where(distance <= 1, near, torch.where(distance < 2, far, 0.0))
