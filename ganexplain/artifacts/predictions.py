"""The document of `predict`, for `--json` and its `run.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ganexplain.files.atomic import JsonObject


@dataclass(frozen=True)
class RecordingPrediction:
    """A recording and the files written for it; `shares` of its length are by class."""

    file: str
    lab: str
    curve: str
    picture: str
    seconds: float
    segments: int
    shares: Mapping[str, float]


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
