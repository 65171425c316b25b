"""The document of `layers`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Layer:
    """A layer, its kind, the number of its units, the shape of their places, and its weights."""

    layer: str
    kind: str
    units: int
    places: tuple[int, ...]
    weights: int


@dataclass(frozen=True)
class NetworkLayers:
    """The layers of a network; `input` are the values of an `--input` file, `output` a layer."""

    network: str
    input: Mapping[str, object]
    output: str
    classes: tuple[str, ...]
    layers: tuple[Layer, ...]

    def to_json(self) -> dict[str, object]:
        """The document of `--json`."""
        return asdict(self)
