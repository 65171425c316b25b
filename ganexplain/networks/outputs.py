"""The tensors in the output of a network, which may be of any type."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from torch import Tensor, nn

from ganexplain.errors import UsageError, did_you_mean

DEEPEST = 8  # nested levels that are searched
MOST_NAMED = 6  # parts in an error


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


def floating_tensor(output: object) -> Any:
    """The first floating-point tensor in an output, or the first of another kind, or None."""
    if isinstance(output, Tensor):
        return output
    found = tensors_by_path(output)
    floating = (tensor for tensor in found.values() if tensor.is_floating_point())
    return next(floating, found.get(""))


def other_parts(output: object, used: object) -> str:
    """The floating-point tensors of an output beside the one in use, in words of an error."""
    paths = {
        f"{name}.{path}".rstrip("."): tensor
        for name, part in named_parts(output).items()
        for path, tensor in tensors_by_path(part).items()
    }
    named = [
        f"{path} {tuple(tensor.shape)}"
        for path, tensor in paths.items()
        if tensor is not used and tensor.is_floating_point()
    ]
    return f"; other parts: {', '.join(named[:MOST_NAMED])}" if named else ""


def first_tensor(output: object, deepest: int = DEEPEST) -> Any:
    """The first tensor in an output, or None."""
    if isinstance(output, Tensor):
        return output
    if not deepest:
        return None
    found = (first_tensor(part, deepest - 1) for part in named_parts(output).values())
    return next((tensor for tensor in found if tensor is not None), None)


def tensors_by_path(output: object, deepest: int = DEEPEST) -> dict[str, Tensor]:
    """All tensors in an output, each once, by their path, as `1.0`; the first has an empty one."""
    found: dict[str, Tensor] = {}
    seen: dict[int, object] = {}  # which keeps them, so that no two have the same id

    def search(part: object, path: tuple[str, ...]) -> None:
        if id(part) in seen:
            return
        seen[id(part)] = part
        if isinstance(part, Tensor):
            found[".".join(path) if found else ""] = part
        elif len(path) < deepest:
            for name, inner in named_parts(part).items():
                search(inner, (*path, name))

    search(output, ())
    return found


def tensor_at(output: object, path: str) -> Tensor | None:
    """The tensor with a path as in `tensors_by_path`, or None."""
    if not path:
        found: Tensor | None = first_tensor(output)
        return found
    with suppress(UsageError):
        part = find_part(output, path)
        return part if isinstance(part, Tensor) else None
    return None


def real_values(tensor: Tensor) -> Tensor:
    """The values of a tensor: floating point for quantised ones, magnitudes for complex ones."""
    tensor = tensor.dequantize() if tensor.is_quantized else tensor
    return tensor.abs() if tensor.is_complex() else tensor


def find_part(output: object, name: str) -> object:
    """The part of an output with that name or number; the whole output for an empty name.

    A dot leads into a part: `1.0`, `encoder.features`. Raises UsageError if there is no such part.
    """
    found, rest = output, name
    while rest:
        inner = [(part, text) for text in _beginnings(rest) for part in _parts_called(found, text)]
        if not inner:
            raise UsageError(f"output = {name!r}: {_missing(found, name, rest)}")
        found, begins = inner[0]
        rest = rest[len(begins) + 1 :]
    return found


def _missing(found: object, name: str, rest: str) -> str:
    """Why there is no part called `rest`, the end of the whole name."""
    at = name[: -len(rest) - 1] if rest != name else ""
    where = f"its part {at}" if at else "the network's output"
    if isinstance(found, Tensor):
        return f"{where} is one tensor; leave " + (f".{rest} out" if at else "the key out")
    parts = named_parts(found)
    known = f"; its parts are {', '.join(parts)}" if parts else ""
    hint = did_you_mean(rest, parts)
    return f"{where} is {type(found).__name__} without it{hint}{known}"


def _beginnings(name: str) -> list[str]:
    """The whole name, as parts may have dots in their names, and what is before each dot."""
    pieces = name.split(".")
    return [name, *(".".join(pieces[:count]) for count in range(1, len(pieces)))]


def _parts_called(output: object, name: str) -> list[object]:
    """The part of an output with that name or number, if there is one."""
    parts = named_parts(output)
    if name in parts:
        return [parts[name]]
    if name.isdecimal() and int(name) < len(parts):
        return [list(parts.values())[int(name)]]
    if hasattr(output, name) and not isinstance(output, Tensor | Mapping):
        return [getattr(output, name)]
    return []
