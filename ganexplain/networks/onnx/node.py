"""A node of an ONNX graph, and the table of the operators that can be run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

Attribute = Any  # a number, a text, several of either, a tensor or a `Graph`
Value = Any  # a tensor, a list of tensors (an ONNX sequence), or None for an input left out


@dataclass(frozen=True)
class Node:
    """One node: its operator, names, attributes and the version of the operator set.

    The graphs among the attributes are the branches and bodies of control flow.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    opset: int

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or the default if the file leaves it out."""
        return self.attributes.get(name, default)


class UnsupportedUse(Exception):
    """A form of an operator that is not run here, in words for the error line."""


Operator = Callable[..., Value]  # of a node and the values of its inputs
OPERATORS: dict[str, Operator] = {}


def operator(*names: str) -> Callable[[Operator], Operator]:
    """Enter a function in the table: from a node and its inputs to its output or outputs."""

    def entered(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return entered


def enter_plain(functions: Mapping[str, Callable[..., Value]]) -> None:
    """Enter functions of the inputs alone."""
    for name, function in functions.items():
        OPERATORS[name] = _without_node(function)


def _without_node(function: Callable[..., Value]) -> Operator:
    return lambda node, *inputs: function(*inputs)


def integers(value: Tensor | Sequence[int] | int | None) -> list[int] | None:
    """Axes or lengths as Python integers, from a tensor input or from an attribute."""
    if value is None:
        return None
    if isinstance(value, Tensor):
        return [int(each) for each in value.reshape(-1).tolist()]
    return list(value) if isinstance(value, Iterable) else [value]


def attribute_or_input(node: Node, name: str, inputs: Sequence[Value], at: int) -> Value:
    """What older operator sets have as an attribute and newer ones as the input number `at`."""
    given = inputs[at] if len(inputs) > at else None
    return node.get(name) if given is None else given
