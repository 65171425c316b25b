"""A unit: a layer of a network, and how one number is read from its output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from torch import Tensor

from ganexplain.files.names import safe_name_part
from ganexplain.networks.readings import Reading, parse_reading


@dataclass(frozen=True)
class Unit:
    """One unit of a layer, `LAYER:NEURON` as text."""

    layer: str
    reading: Reading

    @classmethod
    def from_meta(cls, layer: str, neuron: int | str) -> Self:
        """The unit that the meta of an artifact names; UsageError if it names none."""
        return cls(layer, parse_reading(neuron))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The unit of a text as `str` makes it; UsageError for any other."""
        layer, _, neuron = text.partition(":")
        return cls.from_meta(layer, neuron)

    def __str__(self) -> str:
        return f"{self.layer}:{self.reading}"

    @property
    def neuron(self) -> int | str:
        """The value in metas, beside the layer: a number for a `Channel`, else a text."""
        return self.reading.neuron

    @property
    def channel(self) -> int | None:
        """The number of the unit, or None for a place, a difference or another form."""
        return self.reading.channel

    @property
    def number(self) -> int | None:
        """The number of the only unit that is read, at whichever place, or None for several."""
        numbers = self.reading.numbers
        return numbers[0] if len(numbers) == 1 else None

    @property
    def file_name(self) -> str:
        """Its part of the names of files and folders."""
        return f"{safe_name_part(self.layer)}-{self.reading.file_name}"

    def read(self, activation: Tensor) -> Tensor:
        """Its values (B,) from its layer's output (B, U, ...); errors as `Reading.read`."""
        return self.reading.read(activation)

    def magnitude(self, activation: Tensor) -> Tensor:
        """Size (B,) of the values that are read, as `Reading.magnitude`."""
        return self.reading.magnitude(activation)
