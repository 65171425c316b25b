"""The document of `counterfactual`, for `--json` and its `run.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from ganexplain.artifacts.edits import EditedExcerpt
from ganexplain.audio.difference import LevelChange
from ganexplain.files.atomic import JsonObject
from ganexplain.files.dataclass_files import dataclass_from_json
from ganexplain.runs.record import FinishedRun

Value = TypeVar("Value")
Entry = TypeVar("Entry", bound="ChangedExcerpt | EditedExcerpt")


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

    @property
    def changed_sound(self) -> str:
        """The path of what is on the other side."""
        return self.sounds[2]

    def to_json(self) -> JsonObject:
        """An entry of `excerpts`."""
        return asdict(self)


@dataclass(frozen=True)
class Counterfactuals:
    """The networks, the unit, the boundary of its response (`divide`), and the excerpts.

    These were edited, or what the GAN makes of them was changed. `level` is the response at which
    the decision changes; None where it depends on other outputs, too.
    """

    classifier: str
    gan: str
    layer: str
    neuron: int | str
    unit: str
    divide: str
    excerpts: tuple[ChangedExcerpt | EditedExcerpt, ...]
    level: float | None = None

    def to_json(self) -> JsonObject:
        """The document."""
        return asdict(self)


def within(entry: Entry, run: Path) -> Entry:
    """An entry with the paths of its files, which are in the directory of a run.

    In the record of the run they are names there, so that it can be moved; earlier versions wrote
    their paths from the folder of the command.
    """
    sounds = tuple(str(run / Path(path).name) for path in entry.sounds)
    return replace(entry, sounds=sounds, picture=str(run / Path(entry.picture).name))


def recorded_excerpts(
    finished: FinishedRun, out: Path, kind: type[Any]
) -> tuple[ChangedExcerpt, ...] | tuple[EditedExcerpt, ...]:
    """The entries of a finished run, each of a `kind`; none if one of its files is not there.

    Raises GanexplainError for entries of another kind.
    """
    found = tuple(
        within(dataclass_from_json(finished.path, "counterfactual", kind, each.values), out)
        for each in finished.results.children("excerpts")
    )
    files = [path for entry in found for path in (*entry.sounds, entry.picture)]
    complete = all(Path(path).is_file() for path in (out / "counterfactual.npz", *files))
    return found if complete else ()
