"""`explainer.pt`: a network trained to explain others, and what it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganexplain.audio.log_mel import usable_front_end
from ganexplain.errors import GanexplainError, shown
from ganexplain.files.checkpoints import read_checkpoint, write_checkpoint
from ganexplain.inputs.kinds import Input
from ganexplain.inputs.specification import input_values

KEYS = ("method", "content", "figures", "front_end", "networks", "config")


@dataclass(frozen=True)
class ExplainerFile:
    """What `explainer.pt` holds.

    `content` is the method's own: tensors and plain values from which it can be built again;
    `networks` the SHA-256 of those explained, by name; `front_end` what they take; `figures` its
    errors on held-out inputs; `config` the settings of its training.
    """

    method: str
    content: Mapping[str, Any]
    figures: Mapping[str, float]
    front_end: Input
    networks: Mapping[str, str]
    config: Mapping[str, Any]


def write_explainer(path: Path, found: ExplainerFile) -> None:
    """Write `explainer.pt`."""
    values = {name: getattr(found, name) for name in KEYS}
    values["front_end"] = input_values(found.front_end)
    write_checkpoint(path, "explainer", values)


def read_explainer(path: Path) -> ExplainerFile:
    """Read `explainer.pt`; errors as `read_checkpoint`."""
    content = read_checkpoint(path, "explainer", KEYS)
    values = {name: content[name] for name in KEYS}
    for name in ("content", "figures", "networks", "config"):
        if not isinstance(values[name], Mapping):
            raise GanexplainError(f"{path}: {name} is {shown(values[name])}; make it again")
    if not isinstance(values["method"], str):
        raise GanexplainError(f"{path}: method is {shown(values['method'])}; make it again")
    values["front_end"] = usable_front_end(path, content["front_end"])
    return ExplainerFile(**values)
