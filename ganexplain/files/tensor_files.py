"""Checkpoints as safetensors: tensors by their place, and all other values in the header.

The header's text `ganexplain` is JSON. A tensor of a table in a table is named `table/inner/name`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from ganexplain.files.atomic import Document, JsonObject
from ganexplain.files.bounded import LONGEST_TEXT, parse_json

VALUES = "ganexplain"  # the only text in the header: the order of several would change
LENGTH = 8  # bytes at the beginning, the length of the header


def safetensors_bytes(content: Document) -> bytes:
    """A checkpoint as safetensors; ValueError for numbers that are not finite."""
    tensors: dict[str, Tensor] = {}
    values = json.dumps(_without_tensors(content, "", tensors), allow_nan=False)
    return save(tensors, {VALUES: values})


def _without_tensors(content: Document, place: str, tensors: dict[str, Tensor]) -> Document:
    """The content without its tensors, which are added to `tensors`."""
    values: JsonObject = {}
    for name, value in content.items():
        if isinstance(value, Tensor):
            tensors[place + name] = value.detach().contiguous().clone()
        elif isinstance(value, Mapping):
            values[name] = _without_tensors(value, f"{place}{name}/", tensors)
        else:
            values[name] = value
    return values


def read_safetensors(path: Path) -> JsonObject:
    """A checkpoint that was written as safetensors; empty for a file that has tensors alone.

    Raises errors of safetensors, and of `parse_json` for values that are not JSON; KeyError and
    TypeError for tensors at places that the values do not have.
    """
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(LENGTH), "little")
    if length > LONGEST_TEXT:
        raise ValueError(f"its header would have {length:,} bytes")
    with safe_open(path, "pt") as opened:
        header = opened.metadata() or {}
        if VALUES not in header:
            return {}
        content: JsonObject = parse_json(header[VALUES])
        for place in opened.keys():  # noqa: SIM118  it is no mapping
            *tables, name = place.split("/")
            table: Any = content
            for each in tables:
                table = table[each]
            table[name] = opened.get_tensor(place)
    return content
