"""The document of `counterfactual --on recording`, for `--json` and its `run.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Generic, TypeVar

from ganexplain.audio.difference import LevelChange
from ganexplain.files.atomic import JsonObject

Value = TypeVar("Value")


@dataclass(frozen=True)
class EditStates(Generic[Value]):
    """A value for the excerpt, for it edited, and for it with the opposite edit."""

    original: Value
    edited: Value
    opposite: Value


@dataclass(frozen=True)
class JudgedEdit:
    """The class and the margin that a judge finds before and after the edit.

    `agrees` means that the margin moved towards the other side, whether it is there or not.
    """

    judge: str
    sides: tuple[str, str]
    margins: tuple[float, float]
    agrees: bool


@dataclass(frozen=True)
class EditedExcerpt:
    """An excerpt, FILE@SECONDS, and the edit that changes the decision.

    `span_s` are its start and end in the recording; `iterations` is the number of steps until the
    decision changes as it is written, -1 if it does not. `cells` is the share of the cells that
    change, `mean_db` their mean change. `elsewhere` is the share of random shifts of the edit that
    change the decision; `gan_off_db` is how far the GAN's encoder and generator reproduce the
    excerpt, before and after, empty without a GAN.
    """

    excerpt: str
    span_s: tuple[float, ...]
    sides: EditStates[str]
    responses: EditStates[float]
    iterations: int
    no_gradient: bool
    cells: float
    mean_db: float
    change: LevelChange
    elsewhere: float
    gan_off_db: tuple[float, ...]
    judges: tuple[JudgedEdit, ...]
    sounds: tuple[str, ...]
    picture: str

    @property
    def changed_sound(self) -> str:
        """The path of the edited excerpt."""
        return self.sounds[1]

    def to_json(self) -> JsonObject:
        """An entry of `excerpts`."""
        return asdict(self)
