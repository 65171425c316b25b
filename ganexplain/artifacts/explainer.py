"""`explainer.pt`: a network that is trained to explain others, with a record of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ganexplain.audio.log_mel import read_front_end
from ganexplain.config import TrainExplainerConfig
from ganexplain.errors import GanexplainError, short_repr
from ganexplain.files.checkpoints import read_checkpoint, write_checkpoint
from ganexplain.inputs.base import Input
from ganexplain.inputs.specification import input_values

KEYS = ("method", "content", "figures", "front_end", "networks", "config")


@dataclass(frozen=True)
class ExplainerFile:
    """The content of `explainer.pt`.

    `content` has the tensors and plain values from which the method builds the explainer;
    `networks` the SHA-256 of the explained networks by name; `front_end` is their input, `figures`
    are the errors on held-out inputs.
    """

    method: str
    content: Mapping[str, Any]
    figures: Mapping[str, float]
    front_end: Input
    networks: Mapping[str, str]


def write_explainer(path: Path, found: ExplainerFile, config: TrainExplainerConfig) -> None:
    """Write `explainer.pt`, with the settings of its training."""
    content = {
        "method": found.method,
        "content": found.content,
        "figures": found.figures,
        "front_end": input_values(found.front_end),
        "networks": found.networks,
        "config": asdict(config),
    }
    write_checkpoint(path, "explainer", content)


def read_explainer(path: Path) -> ExplainerFile:
    """Read `explainer.pt`; errors as `read_checkpoint`."""
    values = read_checkpoint(path, "explainer", KEYS)
    for name in ("content", "figures", "networks", "config"):
        if not isinstance(values[name], Mapping):
            raise GanexplainError(f"{path}: {name} is {short_repr(values[name])}; make it again")
    if not isinstance(values["method"], str):
        raise GanexplainError(f"{path}: method is {short_repr(values['method'])}; make it again")
    return ExplainerFile(
        method=values["method"],
        content=values["content"],
        figures=values["figures"],
        front_end=read_front_end(path, values["front_end"]),
        networks=values["networks"],
    )
