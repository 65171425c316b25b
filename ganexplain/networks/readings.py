"""How one number is read from what a layer puts out: a unit, a place, a difference, a direction.

A neuron is a unit's number, or a text:

- `17@max`: the largest value of unit 17 over places, not their mean;
- `17@12,30`: its value at one place, a coordinate for each axis behind the unit's;
- `mean`, `max`: over all units of the layer;
- `3-minus-1`: the difference of two units;
- `FILE.npy#HASH`: along a direction, a vector (U,) with a weight for each unit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ganexplain.errors import UsageError
from ganexplain.files.arrays import read_vector
from ganexplain.files.atomic import file_hash
from ganexplain.files.names import fitting

Neuron = int | str
LONGEST_PART = 100  # bytes of a layer's or a unit's name in that of a file
HASH_LENGTH = 8  # digits of a direction's hash that its name carries
OVER_UNITS = ("mean", "max")


def units(activation: Tensor) -> Tensor:
    """Activations (B, U) of a layer's units: (B, U) as it is, (B, U, ...) averaged over places.

    A layer that puts out (B,) has one unit.
    """
    if activation.ndim < 2:
        return activation.reshape(-1, 1)
    return activation if activation.ndim == 2 else activation.flatten(2).mean(2)


def reading(neuron: Neuron) -> Callable[[Tensor], Tensor]:
    """The function from a layer's output (B, U, ...) to a neuron's values (B,).

    Raises UsageError where a direction's file is not what it was.
    """
    if isinstance(neuron, int):
        return lambda activation: units(activation)[:, neuron]
    if neuron == "mean":
        return lambda activation: units(activation).mean(1)
    if neuron == "max":
        return lambda activation: units(activation).amax(1)
    if found := re.fullmatch(r"(\d+)-minus-(\d+)", neuron):
        first, second = int(found[1]), int(found[2])
        return lambda activation: units(activation)[:, first] - units(activation)[:, second]
    if ".npy#" in neuron:
        return _along(neuron)
    unit, place = neuron.split("@")
    if place == "max":
        return lambda activation: activation[:, int(unit)].flatten(1).amax(1)
    at = tuple(int(coordinate) for coordinate in place.split(","))

    def at_place(activation: Tensor) -> Tensor:
        value = activation[:, int(unit)]
        for coordinate in at:
            value = value[:, coordinate]
        return value

    return at_place


def magnitude(neuron: Neuron, activation: Tensor) -> Tensor:
    """How large the values (B,) are that a neuron is read from, on which its rounding depends.

    The mean size of a unit over places, where its response may be near zero: values of both
    signs cancel. Of several units the sum, weighted as the response is.
    """
    sizes = activation.abs()
    if isinstance(neuron, str):
        if found := re.fullmatch(r"(\d+)-minus-(\d+)", neuron):
            return units(sizes)[:, [int(found[1]), int(found[2])]].sum(1)
        if ".npy#" in neuron:
            return _along(neuron, absolute=True)(sizes)
    return reading(neuron)(sizes)


def _along(neuron: str, absolute: bool = False) -> Callable[[Tensor], Tensor]:
    name, digest = neuron.rsplit("#", 1)
    path = Path(name)
    if file_hash(path)[:HASH_LENGTH] != digest:
        raise UsageError(f"{path}: no longer the direction it was; explain it anew")
    vector = torch.from_numpy(read_vector(path))
    vector = vector.abs() if absolute else vector

    def along(activation: Tensor) -> Tensor:
        values = units(activation)
        return (values * vector.to(values)).sum(1)  # a product of matrices would be autocast

    return along


def direction_neuron(path: Path, layer: str, count: int) -> Neuron:
    """The neuron of a direction's file for a layer of `count` units; UsageError if it cannot be."""
    vector = read_vector(path)
    if vector.shape != (count,):
        raise UsageError(
            f"{path}: holds {vector.shape[0]} weights, but layer {layer} has {count} units"
        )
    return f"{path}#{file_hash(path)[:HASH_LENGTH]}"


def file_name(neuron: Neuron) -> str:
    """A neuron, or a layer's name, as part of a file's name."""
    text = str(neuron)
    if ".npy#" in text:
        name, digest = text.rsplit("#", 1)
        text = f"{Path(name).stem}-{digest}"
    return fitting(re.sub(r"[^\w.@,+-]", "_", text), most=LONGEST_PART)
