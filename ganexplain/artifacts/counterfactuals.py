"""The document of `counterfactual`, for `--json` and its `run.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Generic, TypeVar

from ganexplain.artifacts.edits import EditedExcerpt
from ganexplain.audio.difference import LevelChange
from ganexplain.files.atomic import JsonObject

Value = TypeVar("Value")


@dataclass(frozen=True)
class States(Generic[Value]):
    """A value for the excerpt, its reconstruction and counterfactual, and the changed recording."""

    original: Value
    reconstruction: Value
    counterfactual: Value
    retouched: Value


@dataclass(frozen=True)
class ChangedExcerpt:
    """An excerpt, FILE@SECONDS, and the change that changes the decision.

    `span_s` are its start and end in the recording; `iterations` is the number until the decision
    changes, -1 if it does not; `moved` is the distance between both latents;
    `reconstruction_off_db` is the root mean square error of the reconstruction.
    """

    excerpt: str
    span_s: tuple[float, ...]
    sides: States[str]
    responses: States[float]
    iterations: int
    no_gradient: bool
    reconstruction_off_db: float
    moved: float
    latent_norm: float
    change: LevelChange
    sounds: tuple[str, ...]
    picture: str

    def to_json(self) -> JsonObject:
        """An entry of `excerpts`."""
        return asdict(self)


@dataclass(frozen=True)
class Counterfactuals:
    """The networks, the unit, the boundary of its response (`divide`), and the excerpts.

    These were edited, or what the GAN makes of them was changed.
    """

    classifier: str
    gan: str
    layer: str
    neuron: int | str
    unit: str
    divide: str
    excerpts: tuple[ChangedExcerpt | EditedExcerpt, ...]

    def to_json(self) -> JsonObject:
        """The document."""
        return asdict(self)
