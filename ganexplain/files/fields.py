"""Reads and checks the fields of a JSON object; an error names the path of the wrong field."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeGuard, TypeVar

from ganexplain.errors import GanexplainError, short_repr
from ganexplain.files.atomic import Document

LARGEST = 1e300  # larger numbers are refused, as arithmetic would overflow
Value = TypeVar("Value")


@dataclass(frozen=True)
class Fields:
    """An object of a document; `place` precedes the name of a field in a message.

    `remedy` is the advice for a wrong value. A field that is null counts as missing. All methods
    raise GanexplainError for a value of another kind.
    """

    place: str
    values: Document
    remedy: str = "make it again"

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.values if name in self)

    def wrong(self, name: str, wanted: str) -> GanexplainError:
        """The error for a field that is missing or not `wanted`."""
        if name not in self.values:
            return GanexplainError(f"{self.place}{name} is missing; {self.remedy}")
        value = short_repr(self.values.get(name))
        return GanexplainError(f"{self.place}{name} is {value}, not {wanted}; {self.remedy}")

    def optional(self, read: Callable[[str], Value], name: str) -> Value | None:
        """The field as `read`, one of these methods, returns it; None if it is missing."""
        return read(name) if name in self else None

    def text(self, name: str, default: str | None = None) -> str:
        """A text; `default` for a missing one, unless it is None."""
        value = self.values.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.wrong(name, "a text")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty if it is missing."""
        value = self.values.get(name) if name in self else []
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self.wrong(name, "a list of texts")
        return tuple(value)

    def flag(self, name: str) -> bool:
        """True or false; false where it is missing."""
        value = self.values.get(name) if name in self else False
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def number(self, name: str) -> float:
        """A number below `LARGEST`."""
        value = self.values.get(name)
        if not _is_number(value):
            raise self.wrong(name, "a number")
        return float(value)

    def integer(self, name: str) -> int:
        """A whole number."""
        value = self.values.get(name)
        if not isinstance(value, int) or type(value) is bool or abs(value) >= LARGEST:
            raise self.wrong(name, "a whole number")
        return value

    def positive(self, name: str) -> int:
        """A whole number above 0."""
        value = self.integer(name)
        if value <= 0:
            raise self.wrong(name, "above 0")
        return value

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of numbers."""
        value = self.values.get(name)
        if not isinstance(value, list) or not all(map(_is_number, value)):
            raise self.wrong(name, "a list of numbers")
        return tuple(value)

    def integers(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers."""
        value = self.values.get(name)
        if not isinstance(value, list) or not all(type(each) is int for each in value):
            raise self.wrong(name, "a list of whole numbers")
        return tuple(value)

    def share(self, name: str) -> float:
        """A number from 0 to 1."""
        share = self.number(name)
        if not 0 <= share <= 1:
            raise self.wrong(name, "a share from 0 to 1")
        return share

    def interval(self, name: str) -> tuple[float, float]:
        """A list of a lower and an upper end."""
        value = self.values.get(name)
        if not (isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))):
            raise self.wrong(name, "two numbers")
        if value[0] > value[1]:
            raise self.wrong(name, "a lower and an upper end")
        return float(value[0]), float(value[1])

    def neuron(self, name: str) -> int | str:
        """The unit beside a layer: a number, or a text for other forms."""
        return self.text(name) if isinstance(self.values.get(name), str) else self.integer(name)

    def child(self, name: str) -> Fields:
        """The fields of an inner object; without fields if it is missing."""
        return self._inner(name, self.values.get(name) if name in self else {})

    def mapping(self, name: str) -> Document:
        """An inner object as it is."""
        return self._inner(name, self.values.get(name)).values

    def children(self, name: str) -> list[Fields]:
        """The fields of each object in a list."""
        value = self.values.get(name)
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        return [self._inner(f"{name}[{index}]", each) for index, each in enumerate(value)]

    def _inner(self, name: str, value: object) -> Fields:
        if not isinstance(value, dict):
            place = f"{self.place}{name} is {short_repr(value)}"
            raise GanexplainError(f"{place}, not an object; {self.remedy}")
        return Fields(f"{self.place}{name}.", value, self.remedy)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and type(value) is not bool and abs(value) < LARGEST
