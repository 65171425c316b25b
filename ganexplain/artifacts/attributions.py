"""`attributions.json` of `attribute`, and its ranking by `select`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from ganexplain.errors import GanexplainError, short_repr
from ganexplain.files.atomic import JsonObject, read_json
from ganexplain.files.dataclass_files import dataclass_from_json
from ganexplain.files.names import shorten_name

KIND = "attributions"
LARGEST = 1e300  # bound on a measure


@dataclass(frozen=True)
class Configuration:
    """One configuration of the attribution: method, segments and fill."""

    method: str
    segments: str
    fill: str

    @property
    def name(self) -> str:
        """Its name in messages and tables."""
        return f"{self.method}, {self.segments}, {self.fill}"

    @property
    def folder(self) -> str:
        """The name of its folder."""
        parts = (self.method, self.segments, self.fill)
        return shorten_name("-".join(part.replace(":", "-").replace("/", "-") for part in parts))


@dataclass(frozen=True)
class AttributionResult:
    """The result of one configuration for one input; `folder` is relative to that of the run.

    `kept` are the numbers of the segments kept, `kept_score` is the network's score with only
    these and `deleted_score` that with only the rest; `measures` are by key, None if not defined;
    `details` depend on the method.
    """

    folder: str
    kept: tuple[int, ...]
    kept_score: float
    deleted_score: float
    details: Mapping[str, object]
    warnings: tuple[str, ...]
    measures: Mapping[str, float | None]


@dataclass(frozen=True)
class AttributionMeta:
    """The meta of `attribution.npz`: the input, the configuration and the measures.

    `explained` is the class or unit that is explained, `configuration` the name of the
    configuration.
    """

    file: str
    at_s: float | None
    explained: str
    score: str
    configuration: str
    method: str
    segments: str
    fill: str
    details: Mapping[str, object]
    warnings: tuple[str, ...]
    measures: Mapping[str, float | None]
    classifier: str
    seed: int


@dataclass(frozen=True)
class AttributedInput:
    """One input, a result for each configuration, and the mean measures of random maps (`floor`).

    `at_s` and `span_s` are seconds in a recording; `explained` is the class or unit explained.
    """

    file: str
    at_s: float | None
    span_s: tuple[float, float] | None
    explained: str
    full_score: float
    results: tuple[AttributionResult, ...]
    floor: Mapping[str, float | None]


@dataclass(frozen=True)
class Attributions:
    """`attributions.json`: all inputs with all configurations."""

    classifier: str
    classifier_hash: str
    score: str
    seed: int
    configurations: tuple[Configuration, ...]
    inputs: tuple[AttributedInput, ...]

    @classmethod
    def read(cls, path: Path) -> Attributions:
        """The content of a file that `attribute` has written; GanexplainError for another."""
        return dataclass_from_json(path, KIND, cls, read_json(path))

    def to_json(self) -> JsonObject:
        """The document."""
        return {"kind": KIND, **asdict(self)}


@dataclass(frozen=True)
class MeasuredInput:
    """The folder and the measures of each configuration of an input, for the ranking."""

    file: str
    at_s: float | None
    folders: tuple[str, ...]
    measures: tuple[Mapping[str, float], ...]

    @classmethod
    def from_json(
        cls, entry: Mapping[str, Any], configurations: int, keys: Collection[str]
    ) -> MeasuredInput:
        """An entry of `inputs` with those of the measures `keys` that it has.

        Raises ValueError, TypeError, LookupError or AttributeError for a wrong entry.
        """
        results = [entry["results"][k] for k in range(configurations)]
        file, at_s, folders = entry["file"], entry["at_s"], [each["folder"] for each in results]
        if not all(isinstance(text, str) for text in (file, *folders)):
            raise TypeError("names that are not texts")
        for folder in map(PurePath, folders):
            if folder.is_absolute() or ".." in folder.parts:
                raise ValueError(f"folder {short_repr(str(folder))} leads out of the run")
        if not isinstance(at_s, int | float | None):
            raise TypeError("times that are not numbers")
        measures = tuple(_measures(each["measures"], keys) for each in results)
        return cls(file, at_s, tuple(folders), measures)


def _measures(found: Mapping[str, float | None], keys: Collection[str]) -> dict[str, float]:
    known = ((key, found.get(key)) for key in keys)
    measures = {key: float(value) for key, value in known if value is not None}
    if not all(abs(value) < LARGEST for value in measures.values()):
        raise ValueError("measures that are not finite numbers")
    return measures


def read_measured(
    path: Path, keys: Collection[str]
) -> tuple[list[Configuration], list[MeasuredInput]]:
    """Configurations and inputs of `attributions.json`, with the measures `keys`.

    Raises GanexplainError if it is not a file of `attribute`.
    """
    found = read_json(path)
    try:
        names = [[each[key] for key in ("method", "segments", "fill")]
                 for each in found["configurations"]]  # fmt: skip
        if not all(isinstance(text, str) for each in names for text in each):
            raise TypeError("names that are not texts")
        inputs = [MeasuredInput.from_json(each, len(names), keys) for each in found["inputs"]]
        if not inputs:
            raise ValueError("no inputs")
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise GanexplainError(
            f"{path}: not written by `attribute` ({error}); make it again"
        ) from error
    return [Configuration(*each) for each in names], inputs


@dataclass(frozen=True)
class RankedConfiguration:
    """A configuration's rank, with mean (`value`) and 95 % interval of the ranking measure.

    `means` are the means of all measures over the inputs, None if no input has the measure.
    """

    configuration: Configuration
    rank: int
    tied: bool
    value: float
    interval: tuple[float | None, float | None]
    means: Mapping[str, float | None]

    def to_json(self) -> JsonObject:
        """An entry of `configurations`."""
        return {
            **asdict(self.configuration),
            "rank": self.rank,
            "tied": self.tied,
            "value": self.value,
            "interval": list(self.interval),
            **self.means,
        }


@dataclass(frozen=True)
class BestOfInput:
    """The configuration that is best for one input, and the folder of its files."""

    file: str
    at_s: float | None
    chosen: int
    folder: str


@dataclass(frozen=True)
class AttributionRanking:
    """`selection.json` of attributions: `by` is the key of the measure, `better` low or high."""

    chosen: int
    by: str
    better: str
    configurations: tuple[RankedConfiguration, ...]
    inputs: tuple[BestOfInput, ...]
    warnings: tuple[str, ...]
    attributions_hash: str

    def to_json(self) -> JsonObject:
        """The document."""
        return {
            "kind": KIND,
            "chosen": self.chosen,
            "by": self.by,
            "better": self.better,
            "configurations": [each.to_json() for each in self.configurations],
            "inputs": [asdict(each) for each in self.inputs],
            "warnings": list(self.warnings),
            "attributions_hash": self.attributions_hash,
        }
