"""The tensors in the output of a network, which may be of any type."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ganexplain.errors import UsageError, did_you_mean

DEEPEST = 8  # nested levels that are searched


def named_parts(output: object) -> dict[str, object]:
    """The parts of an output by name, or by number where they have no names; empty for a tensor.

    An output may be a mapping, sequence, named tuple, dataclass, class of attrs or another object
    with attributes.
    """
    if isinstance(output, Mapping):
        return {str(name): part for name, part in output.items()}
    if isinstance(output, tuple | list):
        names = getattr(output, "_fields", range(len(output)))
        return {str(name): part for name, part in zip(names, output, strict=True)}
    if isinstance(output, Tensor | nn.Module | type):
        return {}
    if dataclasses.is_dataclass(output):
        declared = [field.name for field in dataclasses.fields(output)]
    else:
        declared = [field.name for field in getattr(output, "__attrs_attrs__", ())]
    found = {name: getattr(output, name, None) for name in declared}
    return found or dict(getattr(output, "__dict__", {}))


def first_tensor(output: object, deepest: int = DEEPEST) -> Any:
    """The first tensor in an output, or None."""
    if isinstance(output, Tensor):
        return output
    if not deepest:
        return None
    found = (first_tensor(part, deepest - 1) for part in named_parts(output).values())
    return next((tensor for tensor in found if tensor is not None), None)


def find_part(output: object, name: str) -> object:
    """The part of an output with that name or number; the whole output for an empty name.

    Raises UsageError if there is no such part.
    """
    if not name:
        return output
    parts = named_parts(output)
    if name in parts:
        return parts[name]
    if name.isdecimal() and int(name) < len(parts):
        return list(parts.values())[int(name)]
    if hasattr(output, name) and not isinstance(output, Tensor | Mapping):
        return getattr(output, name)
    if isinstance(output, Tensor):
        reason = "the network's output is one tensor; leave the key out"
    else:
        known = f"; its parts are {', '.join(parts)}" if parts else ""
        kind = type(output).__name__
        reason = f"the network's output is {kind} without it{did_you_mean(name, parts)}{known}"
    raise UsageError(f"output = {name!r}: {reason}")
