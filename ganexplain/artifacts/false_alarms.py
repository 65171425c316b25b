"""The document of `false-alarms`: `false-alarms.json`, and what its parts pass on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ganexplain.artifacts.edits import EditedExcerpt
from ganexplain.files.atomic import JsonObject, read_json, write_json
from ganexplain.files.dataclass_files import dataclass_from_json

FILE = "false-alarms.json"
Range = tuple[float, float]


@dataclass(frozen=True)
class Alarm:
    """An excerpt, FILE@SECONDS, that is taken for a class, and what in it is the cause.

    It `is_whole` unless it ends behind its recording. `bands_hz` and `spans_s` (from the start of
    the excerpt) are what the cause consists of, none if nothing was found. Scores are those of the
    excerpt, of it without the cause, and of the cause alone, as written to a file and read;
    `silenced` says that the second is no alarm.
    `attenuation_db` is the smallest attenuation of the cause that ends the alarm, `elsewhere` the
    share of up to 16 random places where the removal of an area of the same shape ends it, too.
    No place has a part of the cause; `elsewhere` is None if there is none, as of a wide cause.
    """

    excerpt: str
    span_s: Range
    is_whole: bool
    score: float
    bands_hz: tuple[Range, ...]
    spans_s: tuple[Range, ...]
    removed_score: float
    alone_score: float
    silenced: bool
    attenuation_db: float | None
    elsewhere: float | None


@dataclass(frozen=True)
class AlarmGroup:
    """Alarms with causes alike, the one that is shown first.

    `bands_hz` are those of at least half of its causes, `recordings` the number that they are from,
    `silenced` the share of them that end without the cause.
    `sounds` are the paths of the first excerpt, of it without the cause, of the cause alone and of
    it with the weakest attenuation. `edit` is its smallest edit of another kind, if one was sought.
    """

    bands_hz: tuple[Range, ...]
    recordings: int
    silenced: float
    alarms: tuple[Alarm, ...]
    sounds: tuple[str, ...]
    edit: EditedExcerpt | None


@dataclass(frozen=True)
class GeneratedSound:
    """A mixture of excerpts without a class, with its score as written to a file and read.

    If it `fires`, it is taken for the class, and bands and spans are what in it causes that.
    """

    sound: str
    score: float
    fires: bool
    bands_hz: tuple[Range, ...]
    spans_s: tuple[Range, ...]


@dataclass(frozen=True)
class ClassAlarms:
    """How often excerpts without a class are taken for it, and why.

    `share` is that of all `excerpts`, `recordings_share` that of `recordings` with an alarm, each
    with its 95 % interval over recordings; that of `share` is None where it cannot be told: with
    fewer than three recordings, or the same share in all. `groups` are of the `explained` alarms,
    of which those are left out that are no alarms as written to a file and read. `generated` are
    the sounds made of excerpts without it, the highest score first.
    """

    name: str
    excerpts: int
    alarms: int
    share: float
    share_interval: Range | None
    recordings: int
    alarm_recordings: int
    recordings_share: float
    recordings_interval: Range
    explained: int
    groups: tuple[AlarmGroup, ...]
    generated: tuple[GeneratedSound, ...]
    page: str


@dataclass(frozen=True)
class FoundAlarms:
    """The false alarms of a network in a corpus; `seconds` is the length of an excerpt."""

    network: str
    outputs: str
    seconds: float
    classes: tuple[ClassAlarms, ...]
    skipped: tuple[str, ...]

    def write(self, out: Path) -> None:
        """Write `false-alarms.json`, in which paths are relative to `out`, so that it can move."""
        write_json(out / FILE, self._with_paths(lambda path: os.path.relpath(path, out)).to_json())

    def _with_paths(self, change: Callable[[str], str]) -> FoundAlarms:
        """The same with other paths of its pages and sounds."""
        classes = []
        for each in self.classes:
            groups = [
                replace(
                    group,
                    sounds=tuple(map(change, group.sounds)),
                    edit=group.edit
                    and replace(
                        group.edit,
                        sounds=tuple(map(change, group.edit.sounds)),
                        picture=change(group.edit.picture),
                    ),
                )
                for group in each.groups
            ]
            made = [replace(one, sound=change(one.sound)) for one in each.generated]
            page = change(each.page) if each.page else ""
            classes.append(replace(each, groups=tuple(groups), generated=tuple(made), page=page))
        return replace(self, classes=tuple(classes))

    @classmethod
    def recorded(cls, out: Path) -> FoundAlarms | None:
        """That of a finished run; None if one of its files is not there.

        Raises GanexplainError for a document of another form.
        """
        path = out / FILE
        if not path.is_file():
            return None
        found = dataclass_from_json(path, "false-alarms", cls, read_json(path))
        here = found._with_paths(lambda path: str(out / path))
        return here if all(map(Path.is_file, here.files)) else None

    @property
    def files(self) -> list[Path]:
        """The pages and the sounds."""
        pages = [each.page for each in self.classes if each.page]
        groups = [group for each in self.classes for group in each.groups]
        sounds = [path for group in groups for path in group.sounds]
        made = [sound.sound for each in self.classes for sound in each.generated]
        edited = [path for group in groups if group.edit for path in group.edit.sounds]
        return [Path(path) for path in (*pages, *sounds, *made, *edited)]

    def to_json(self) -> JsonObject:
        """The document."""
        return asdict(self)


@dataclass(frozen=True)
class RecordingAlarms:
    """The alarms of a recording: starts (M,) in samples, class numbers (M,) and scores (M,).

    `excerpts` (C,) is the number of its excerpts without each class, `skipped` why it was left out.
    """

    starts: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    excerpts: np.ndarray
    skipped: tuple[str, ...]

    @classmethod
    def none(cls, classes: int, skipped: Sequence[str]) -> RecordingAlarms:
        """Those of a recording that was left out."""
        empty = np.empty(0, dtype=np.int64)
        counts = np.zeros(classes, dtype=np.int64)
        return cls(empty, empty, np.empty(0), counts, tuple(skipped))


@dataclass(frozen=True)
class ExplainedAlarms:
    """Alarms (M) of a recording with the numbers of their classes, explained.

    `weights` (M, B) are those of bands, `bands` (M, B) and `spans` (M, S) are true for those of the
    cause.
    """

    alarms: tuple[Alarm, ...]
    numbers: np.ndarray
    weights: np.ndarray
    bands: np.ndarray
    spans: np.ndarray
