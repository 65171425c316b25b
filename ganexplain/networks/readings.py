"""How one number is read from the output of a layer: one class for each form of a unit.

- `17`, Channel: the mean of unit 17 over places;
- `17@max`, Peak: the maximum of unit 17 over places;
- `17@12,30`, Place: unit 17 at one place, with a coordinate for each axis behind the unit's;
- `mean`, `max`, OverUnits: the mean or maximum over all units of the layer;
- `3-minus-1`, Difference: unit 3 less unit 1;
- `FILE.npy#HASH`, Direction: the sum of all units, weighted by a vector (U,).

To add a form, write its class and add it to `FORMS`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor

from ganexplain.errors import UsageError, short_repr
from ganexplain.files.arrays import read_vector
from ganexplain.files.atomic import file_hash
from ganexplain.files.names import safe_name_part
from ganexplain.networks.layer_units import LayerUnits, unit_values, weighted_units

HASH_LENGTH = 8  # digits of the file's hash in the name of a direction


class Reading(ABC):
    """The form of a unit: how its values (B,) are read from its layer's output (B, U, ...)."""

    form: ClassVar[re.Pattern[str]]  # pattern of its text

    @classmethod
    @abstractmethod
    def from_match(cls, text: re.Match[str]) -> Self:
        """The reading for a text that matches `form`."""

    @classmethod
    def from_option(cls, text: str, of: LayerUnits, where: str) -> Reading | None:
        """The reading that an option names; None if its text has another form.

        Raises UsageError, which begins with `where`, if the layer has no such unit or place.
        """
        found = cls.form.fullmatch(text)
        if found is None:
            return None
        reading = cls.from_match(found)
        of.check(where, *reading.numbers)
        return reading

    @abstractmethod
    def read(self, activation: Tensor) -> Tensor:
        """Values (B,) from a layer's output (B, U, ...)."""

    def magnitude(self, activation: Tensor) -> Tensor:
        """Size (B,) of the values that are read, which determines the rounding error.

        It is the mean absolute value of a unit over places, which is not small where positive and
        negative values cancel; for several units it is the sum with the weights of the response.
        """
        return self.read(activation.abs())

    @property
    def numbers(self) -> tuple[int, ...]:
        """The units named in its text, which the layer must have."""
        return ()

    @property
    def channel(self) -> int | None:
        """The column of `unit_values` that it reads; None for other forms."""
        return None

    @property
    def neuron(self) -> int | str:
        """The value in metas: a number for a `Channel`, else the text."""
        return str(self)

    @property
    def file_name(self) -> str:
        """Its part of a file's name."""
        return safe_name_part(str(self))


@dataclass(frozen=True)
class OneUnit(Reading):
    """A form of one unit; its text may be the number alone."""

    number: int

    @classmethod
    def from_match(cls, text: re.Match[str]) -> Self:
        """The first group is the unit's number."""
        return cls(int(text[1]))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The number of the unit."""
        return (self.number,)


@dataclass(frozen=True)
class Channel(OneUnit):
    """One unit, averaged over places: `17`."""

    form = re.compile(r"(\d+)")

    def __str__(self) -> str:
        return str(self.number)

    def read(self, activation: Tensor) -> Tensor:
        """The mean over places."""
        return unit_values(activation)[:, self.number]

    @property
    def channel(self) -> int:
        """The number of the unit."""
        return self.number

    @property
    def neuron(self) -> int:
        """The number of the unit."""
        return self.number


@dataclass(frozen=True)
class Peak(OneUnit):
    """The largest value of one unit over places: `17@max`."""

    form = re.compile(r"(\d+)@max")

    def __str__(self) -> str:
        return f"{self.number}@max"

    def read(self, activation: Tensor) -> Tensor:
        """The maximum over places; without places the value itself."""
        values = activation[:, self.number]
        return values if values.ndim == 1 else values.flatten(1).amax(1)


@dataclass(frozen=True)
class Place(OneUnit):
    """The value of one unit at one place: `17@12,30`."""

    form = re.compile(r"(\d+)@(\d+(?:,\d+)*)")
    at: tuple[int, ...]

    @classmethod
    def from_match(cls, text: re.Match[str]) -> Self:
        """The groups are the number and the coordinates."""
        return cls(int(text[1]), tuple(map(int, text[2].split(","))))

    @classmethod
    def from_option(cls, text: str, of: LayerUnits, where: str) -> Place | None:
        """The place; UsageError if the layer has no such place."""
        found = re.fullmatch(r"(\d+)@(.+)", text)
        if found is None:
            return None
        of.check(where, int(found[1]))
        at = tuple(int(c) if c.strip().isdecimal() else -1 for c in found[2].split(","))
        if len(at) != len(of.places) or not all(
            0 <= n < size for n, size in zip(at, of.places, strict=True)
        ):
            sizes = " x ".join(map(str, of.places)) or "no"
            raise UsageError(
                f"{where}: {found[2]} is neither max nor a place; layer {of.layer} has {sizes} "
                "places"
            )
        return cls(int(found[1]), at)

    def __str__(self) -> str:
        return f"{self.number}@{','.join(map(str, self.at))}"

    def read(self, activation: Tensor) -> Tensor:
        """The value at the place."""
        index: tuple[slice | int, ...] = (slice(None), self.number, *self.at)
        return activation[index]


@dataclass(frozen=True)
class OverUnits(Reading):
    """The mean or the maximum over all units of the layer: `mean`, `max`."""

    form = re.compile("(mean|max)")
    how: str

    @classmethod
    def from_match(cls, text: re.Match[str]) -> Self:
        """The first group is `mean` or `max`."""
        return cls(text[1])

    def __str__(self) -> str:
        return self.how

    def read(self, activation: Tensor) -> Tensor:
        """The mean or the maximum over units, each averaged over places."""
        values = unit_values(activation)
        return values.mean(1) if self.how == "mean" else values.amax(1)


@dataclass(frozen=True)
class Difference(Reading):
    """One unit less another: `3-minus-1`."""

    form = re.compile(r"(\d+)-minus-(\d+)")
    first: int
    second: int

    @classmethod
    def from_match(cls, text: re.Match[str]) -> Self:
        """The groups are the numbers of the units."""
        return cls(int(text[1]), int(text[2]))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of both units."""
        return (self.first, self.second)

    def __str__(self) -> str:
        return f"{self.first}-minus-{self.second}"

    def read(self, activation: Tensor) -> Tensor:
        """The first less the second."""
        values = unit_values(activation)
        return values[:, self.first] - values[:, self.second]

    def magnitude(self, activation: Tensor) -> Tensor:
        """The sum of the sizes of both units."""
        return unit_values(activation.abs())[:, [self.first, self.second]].sum(1)


@dataclass(frozen=True)
class Direction(Reading):
    """The sum of all units, weighted by the vector in a file whose hash begins with `digest`.

    Its text is `FILE.npy#HASH`.
    """

    form = re.compile(r"(.+\.npy)#([^#]*)", re.DOTALL)
    path: Path
    digest: str

    @classmethod
    def from_match(cls, text: re.Match[str]) -> Self:
        """The groups are the file and its hash."""
        return cls(Path(text[1]), text[2])

    @classmethod
    def from_option(cls, text: str, of: LayerUnits, where: str) -> Direction | None:
        """The direction in a `.npy`; UsageError if it does not have one weight for each unit."""
        if not text.endswith(".npy"):
            return None
        path = Path(text)
        vector = read_vector(path)
        if vector.shape != (of.count,):
            raise UsageError(
                f"{path}: has {vector.shape[0]} weights, but layer {of.layer} has {of.count} units"
            )
        return cls(path, file_hash(path)[:HASH_LENGTH])

    def __str__(self) -> str:
        return f"{self.path}#{self.digest}"

    @property
    def file_name(self) -> str:
        """The name of the file without its folder, and the hash."""
        return safe_name_part(f"{self.path.stem}-{self.digest}")

    @cached_property
    def weights(self) -> Tensor:
        """The vector (U,); UsageError if the file has changed."""
        if file_hash(self.path)[:HASH_LENGTH] != self.digest:
            raise UsageError(f"{self.path}: the direction has changed; explain it again")
        return torch.from_numpy(read_vector(self.path))

    def read(self, activation: Tensor) -> Tensor:
        """The weighted sum; UsageError if the file has changed."""
        return weighted_units(activation, self.weights)

    def magnitude(self, activation: Tensor) -> Tensor:
        """The sum of the sizes of all units, weighted by the absolute weights."""
        return weighted_units(activation.abs(), self.weights.abs())


FORMS: tuple[type[Reading], ...] = (Channel, OverUnits, Direction, Peak, Place, Difference)


def parse_reading(neuron: int | str) -> Reading:
    """The reading whose `neuron` is in a meta; UsageError if the text has no known form."""
    for form in FORMS:
        if found := form.form.fullmatch(str(neuron)):
            return form.from_match(found)
    raise UsageError(f"{short_repr(neuron)} names no unit of a layer")
