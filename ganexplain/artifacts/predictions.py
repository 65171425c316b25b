"""The document of `predict`, for `--json` and its `run.json`, and its parts."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

from ganexplain.files.atomic import JsonObject, read_text, write_table
from ganexplain.files.fields import Fields


@dataclass(frozen=True)
class RecordingPrediction:
    """A recording and the files written for it; `shares` of its length are by class.

    In the record of a run the files are names in its directory, so that the run can be moved;
    earlier versions wrote their paths from the folder of the command.
    """

    file: str
    lab: str
    curve: str
    picture: str
    seconds: float
    segments: int
    shares: Mapping[str, float]

    @classmethod
    def from_json(cls, fields: Fields) -> Self:
        """An entry as `asdict` makes it; errors as `Fields`."""
        return cls(
            file=fields.text("file"),
            lab=fields.text("lab"),
            curve=fields.text("curve"),
            picture=fields.text("picture"),
            seconds=fields.number("seconds"),
            segments=fields.integer("segments"),
            shares=_numbers(fields.child("shares")),
        )

    def within(self, run: Path) -> Self:
        """The same with the paths of its files, which are in the directory of a run."""
        lab, curve, picture = (
            str(run / Path(p).name) for p in (self.lab, self.curve, self.picture)
        )
        return replace(self, lab=lab, curve=curve, picture=picture)


@dataclass(frozen=True)
class PicturePrediction:
    """A picture, its class and the probability of each class."""

    file: str
    class_name: str
    probabilities: Mapping[str, float]

    def to_json(self) -> JsonObject:
        """An entry of `files`."""
        probabilities = dict(self.probabilities)
        return {"file": self.file, "class": self.class_name, "probabilities": probabilities}


@dataclass(frozen=True)
class Predictions:
    """Predictions of recordings, or of pictures with the path of their `table`.

    `threshold` is that of two classes, None for more; `skipped` are the errors of skipped files.
    """

    classifier: str
    classes: tuple[str, ...]
    threshold: float | None
    skipped: tuple[str, ...]
    recordings: tuple[RecordingPrediction, ...] = ()
    pictures: tuple[PicturePrediction, ...] = ()
    table: str = ""

    def write_table(self) -> None:
        """Write the table of the pictures."""
        rows = (
            [each.file, each.class_name, *(f"{p:.6f}" for p in each.probabilities.values())]
            for each in self.pictures
        )
        write_table(Path(self.table), ["file", "class", *self.classes], rows)

    def recorded(self, results: Fields, run: Path) -> Self | None:
        """The same with what a finished run recorded; None if one of its files is not in `run`.

        Raises GanexplainError for a record of another form.
        """
        skipped = results.texts("skipped")
        if self.table:
            pictures = self._read_table() if Path(self.table).is_file() else ()
            complete = pictures and len(pictures) == results.integer("pictures")
            return replace(self, skipped=skipped, pictures=pictures) if complete else None
        entries = map(RecordingPrediction.from_json, results.children("files"))
        found = tuple(each.within(run) for each in entries)
        files = [path for each in found for path in (each.lab, each.curve, each.picture)]
        there = found and all(Path(path).is_file() for path in files)
        return replace(self, skipped=skipped, recordings=found) if there else None

    def _read_table(self) -> tuple[PicturePrediction, ...]:
        """The pictures of the table; none if it is of other classes or damaged."""
        header, *rows = list(csv.reader(io.StringIO(read_text(Path(self.table))))) or [[]]
        if header != ["file", "class", *self.classes]:
            return ()
        try:
            return tuple(_picture_of(row, self.classes) for row in rows)
        except ValueError:
            return ()

    def to_json(self) -> JsonObject:
        """The document."""
        recordings = [asdict(each) for each in self.recordings]
        return {
            "classifier": self.classifier,
            "classes": list(self.classes),
            "threshold": self.threshold,
            **({"table": self.table} if self.table else {}),
            "files": recordings or [each.to_json() for each in self.pictures],
            "skipped": list(self.skipped),
        }


@dataclass(frozen=True)
class PredictedPart:
    """What is predicted for some files of a run.

    `skipped` are the errors of skipped files, `inputs` the SHA-256 of recordings by their path.
    """

    recordings: tuple[RecordingPrediction, ...] = ()
    pictures: tuple[PicturePrediction, ...] = ()
    skipped: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)


def _numbers(fields: Fields) -> dict[str, float]:
    return {name: fields.number(name) for name in fields}


def _picture_of(row: Sequence[str], classes: Sequence[str]) -> PicturePrediction:
    """A row of the table; ValueError for one that is cut or has no numbers."""
    file, name, *values = row
    return PicturePrediction(file, name, dict(zip(classes, map(float, values), strict=True)))
