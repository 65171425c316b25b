"""What `counterfactual` reports of its excerpts, in `--json` and in its `run.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Generic, TypeVar

from ganexplain.audio.difference import LevelChange

Value = TypeVar("Value")


@dataclass(frozen=True)
class States(Generic[Value]):
    """A value of the excerpt, of what the GAN draws of it before and after, and of its recording
    changed in the same way.
    """

    original: Value
    reconstruction: Value
    counterfactual: Value
    retouched: Value


@dataclass(frozen=True)
class ChangedExcerpt:
    """An excerpt, FILE@SECONDS, and what changes the decision.

    `span_s` are the seconds of the recording that it is from. `iterations` are those until the
    decision changes, -1 if it never does; `moved` is the distance between both latents;
    `reconstruction_off_db` the root mean square difference of the reconstruction.
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

    def to_json(self) -> dict[str, object]:
        """An entry of `excerpts`."""
        return asdict(self)


@dataclass(frozen=True)
class Counterfactuals:
    """The networks, the unit, what divides its responses, and the excerpts."""

    classifier: str
    gan: str
    layer: str
    neuron: int | str
    unit: str
    divide: str
    excerpts: tuple[ChangedExcerpt, ...]

    def to_json(self) -> dict[str, object]:
        """The document."""
        return asdict(self)
