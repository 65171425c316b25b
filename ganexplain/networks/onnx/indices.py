"""Operators that read or write values at places given by indices."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain.networks.onnx.node import Node, attribute_or_input, integers, operator


def _from_the_start(index: Tensor, length: int) -> Tensor:
    return torch.where(index < 0, index + length, index).long()


@operator("Gather")
def gather(node: Node, x: Tensor, index: Tensor) -> Tensor:
    """Slices of an axis, in the shape of the indices."""
    axis = node.get("axis", 0) % x.ndim
    places = _from_the_start(index, x.shape[axis])
    if not places.ndim:
        return x.select(axis, int(places))
    found = x.index_select(axis, places.reshape(-1))
    return found.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])


@operator("GatherElements")
def gather_elements(node: Node, x: Tensor, index: Tensor) -> Tensor:
    """Single values along an axis."""
    axis = node.get("axis", 0)
    return torch.gather(x, axis, _from_the_start(index, x.shape[axis]))


@operator("GatherND")
def gather_nd(node: Node, x: Tensor, index: Tensor) -> Tensor:
    """Slices by indices of several axes, behind `batch_dims` axes that both share."""
    shared = node.get("batch_dims", 0)
    batches = x.shape[:shared]
    flat = x.reshape(-1, *x.shape[shared:])
    places = index.reshape(len(flat), *index.shape[shared:]).unbind(-1)
    row = torch.arange(len(flat), device=x.device).reshape(-1, *[1] * (places[0].ndim - 1))
    axes = [_from_the_start(each, flat.shape[k + 1]) for k, each in enumerate(places)]
    return flat[(row, *axes)].reshape(
        *batches, *index.shape[shared:-1], *flat.shape[len(axes) + 1 :]
    )


REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@operator("ScatterElements", "Scatter")
def scatter_elements(node: Node, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    """The input with single values replaced, or joined with those that are there."""
    axis, reduction = node.get("axis", 0), node.get("reduction", "none")
    places = _from_the_start(index, x.shape[axis])
    if reduction == "none":
        return x.scatter(axis, places, updates)
    return x.scatter_reduce(axis, places, updates, REDUCTIONS[reduction])


@operator("ScatterND")
def scatter_nd(node: Node, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    """The input with slices replaced, or joined with those that are there."""
    reduction = node.get("reduction", "none")
    places = tuple(_from_the_start(each, x.shape[k]) for k, each in enumerate(index.unbind(-1)))
    if reduction == "none":
        return x.index_put(places, updates)
    numbers = torch.arange(x.numel(), device=x.device).reshape(x.shape)[places].reshape(-1)
    found = x.reshape(-1).scatter_reduce(0, numbers, updates.reshape(-1), REDUCTIONS[reduction])
    return found.reshape(x.shape)


@operator("Compress")
def compress(node: Node, x: Tensor, condition: Tensor) -> Tensor:
    """Slices of an axis, or of all values, where a condition holds."""
    axis = node.get("axis")
    kept = condition.nonzero().reshape(-1)
    return x.reshape(-1)[kept] if axis is None else x.index_select(axis, kept)


@operator("NonZero")
def nonzero(node: Node, x: Tensor) -> Tensor:
    """Indices (axes, N) of the values that are not zero."""
    return x.nonzero().T


@operator("OneHot")
def one_hot(node: Node, index: Tensor, depth: Tensor, values: Tensor) -> Tensor:
    """A new axis that is `values[1]` at the index and `values[0]` elsewhere."""
    length = int(depth)
    places = _from_the_start(index, length)
    hit = places.unsqueeze(-1) == torch.arange(length, device=places.device)
    found = torch.where(hit, values[1], values[0])
    axis = node.get("axis", -1)
    return found.movedim(-1, axis if axis >= 0 else axis + found.ndim)


@operator("TopK")
def top_k(node: Node, x: Tensor, *rest: Tensor | None) -> tuple[Tensor, Tensor]:
    """The largest or smallest values of an axis, and where they are."""
    (count,) = integers(attribute_or_input(node, "k", rest, 0)) or [1]
    axis, largest = node.get("axis", -1), bool(node.get("largest", 1))
    values, places = x.sort(stable=True, dim=axis, descending=largest)  # of equals the first
    return values.narrow(axis, 0, count), places.narrow(axis, 0, count)


@operator("ReverseSequence")
def reverse_sequence(node: Node, x: Tensor, lengths: Tensor) -> Tensor:
    """The first `lengths` steps of each example backwards, the others as they are."""
    time, batch = node.get("time_axis", 0), node.get("batch_axis", 1)
    moved = x.movedim((time, batch), (0, 1))
    step = torch.arange(len(moved), device=x.device)[:, None]
    places = torch.where(step < lengths, lengths - 1 - step, step)
    places = places.reshape(*places.shape, *[1] * (moved.ndim - 2)).expand(moved.shape)
    return moved.gather(0, places).movedim((0, 1), (time, batch))
