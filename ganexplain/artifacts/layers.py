"""The document of `layers`."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ganexplain.files.atomic import Document, JsonObject


@dataclass(frozen=True)
class Layer:
    """A layer, its kind, the number of its units, the shape of their places, and its weights.

    `axes` are those of its output in the network's order, as `frames 115 x units 32`.
    """

    layer: str
    kind: str
    units: int
    places: tuple[int, ...]
    weights: int
    axes: str


@dataclass(frozen=True)
class NetworkLayers:
    """The layers of a network; `input` are the values of an `--input` file, `output` a layer."""

    network: str
    input: Document
    output: str
    classes: tuple[str, ...]
    layers: tuple[Layer, ...]

    def to_json(self) -> JsonObject:
        """The document of `--json`."""
        return asdict(self)
