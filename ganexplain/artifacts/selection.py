"""`selection.json`: the record of a ranking, its writer and its reader.

Every field is checked where it is read, and the wrong one named.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganexplain.artifacts.axes import check_same
from ganexplain.artifacts.explanations import Explanations
from ganexplain.artifacts.lost_gradients import LOST, LOST_STARTS, SEARCHES
from ganexplain.errors import GanexplainError, shown
from ganexplain.files.atomic import file_hash, read_json
from ganexplain.metrics.scores import RULES, SCORES, ScoreKind
from ganexplain.metrics.variation import Variation

RESPONSES = ("mean_response", "std_response")  # figures beside the scores of the table
SETTING = ("learning_rate", "prior_weight", "iterations")
# The order of keys in the file, which the tables of a page do not follow; new scores come behind.
WRITTEN = (
    "fid_response", "fid_features", "kid", "wasserstein", "precision", "recall", "density",
    "coverage", "nearest_real", "shell_distance", "composite",
)  # fmt: skip
INTERVALS_WRITTEN = (
    "fid_response", "fid_features", "kid", "wasserstein", "nearest_real", "density", "composite",
)  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """What `select` measured of a set of examples: scores by key, 95 % intervals, judges' shares.

    `values` has the scores, and mean and standard deviation of the response; `differences` are the
    95 % intervals of a control's score minus the chosen setting's. What is not defined for the set
    is absent.
    """

    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    judges: Mapping[str, float] = field(default_factory=dict)
    differences: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def votes(self) -> float | None:
        """Mean share over the judges, None without any."""
        return sum(self.judges.values()) / len(self.judges) if self.judges else None

    @classmethod
    def from_json(cls, where: str, entry: Mapping[str, Any]) -> Figures:
        """Of a setting or a control; GanexplainError names the value that is none."""
        known = (*SCORES, *RESPONSES)
        names = [name for name in entry if name in known and entry[name] is not None]
        judges = _object(f"{where}.judges", entry.get("judges"))
        return cls(
            values={name: _number(where, entry, name) for name in names},
            intervals=_intervals(where, entry, names, "interval"),
            differences=_intervals(where, entry, names, "difference"),
            judges={
                name: _share(f"{where}.judges", judges, name)
                for name in judges
                if judges[name] is not None
            },
        )

    def to_json(self) -> dict[str, Any]:
        """All but the judges' shares, which end an entry."""
        scores = [key for key in self.values if key not in RESPONSES]
        found: dict[str, Any] = {key: self.values[key] for key in _ordered(scores, WRITTEN)}
        for key in _ordered(self.intervals, INTERVALS_WRITTEN):
            found[f"{key}_interval"] = list(self.intervals[key])
            if key in self.differences:
                found[f"{key}_difference"] = list(self.differences[key])
        return found | {key: self.values[key] for key in RESPONSES if key in self.values}


@dataclass(frozen=True)
class Score:
    """One configuration of the grid as `select` ranked it; `rank` counts from 1, the best.

    `latent_norm` is the mean length of its latents, None in files without it.
    """

    learning_rate: float
    prior_weight: float
    iterations: int
    rank: int
    tied: bool
    figures: Figures
    latent_norm: float | None = None

    @property
    def setting(self) -> tuple[float, float, int]:
        """Learning rate, prior weight and iterations."""
        return self.learning_rate, self.prior_weight, self.iterations

    @property
    def mean_response(self) -> float:
        """Mean response of its examples."""
        return self.figures.values["mean_response"]

    @property
    def std_response(self) -> float:
        """Standard deviation of their responses."""
        return self.figures.values["std_response"]

    @classmethod
    def from_json(cls, where: str, entry: Any) -> Score:
        """An entry of `configurations`; GanexplainError names the value that is none."""
        entry = _object(where, entry, required=True)
        figures = Figures.from_json(where, entry)
        for name in ("fid_response", *RESPONSES):
            if name not in figures.values:
                raise _wrong(f"{where}.{name}", None, "a number")
        tied = entry.get("tied", False)
        if type(tied) is not bool:
            raise _wrong(f"{where}.tied", tied, "true or false")
        return cls(
            learning_rate=_number(where, entry, "learning_rate"),
            prior_weight=_number(where, entry, "prior_weight"),
            iterations=int(_number(where, entry, "iterations")),
            rank=int(_number(where, entry, "rank")),
            tied=tied,
            figures=figures,
            latent_norm=_optional_number(where, entry, "latent_norm"),
        )

    def to_json(self) -> dict[str, Any]:
        """An entry of `configurations`."""
        return {
            **dict(zip(SETTING, self.setting, strict=True)),
            **self.figures.to_json(),
            "latent_norm": self.latent_norm,
            "rank": self.rank,
            "tied": self.tied,
            "judges": dict(self.figures.judges),
        }


@dataclass(frozen=True)
class Control:
    """Examples that the search did not make, measured as a setting is.

    `lost` counts the searches without a gradient, where there are some.
    """

    meaning: str
    examples: int | None
    figures: Figures
    lost: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, where: str, entry: Any) -> Control:
        """An entry of `controls`; GanexplainError names the value that is none."""
        entry = _object(where, entry, required=True)
        counts = [key for key in (SEARCHES, LOST, LOST_STARTS) if entry.get(key) is not None]
        return cls(
            meaning=_text(f"{where}.meaning", entry.get("meaning")),
            examples=(
                None if entry.get("examples") is None else int(_number(where, entry, "examples"))
            ),
            figures=Figures.from_json(where, entry),
            lost={key: int(_number(where, entry, key)) for key in counts},
        )

    def to_json(self) -> dict[str, Any]:
        """An entry of `controls`."""
        return {
            "meaning": self.meaning,
            "examples": self.examples,
            **self.figures.to_json(),
            "judges": dict(self.figures.judges),
            **self.lost,
        }


@dataclass(frozen=True)
class JudgeAgreement:
    """Another network asked what it takes examples for: shares of the chosen and the real ones.

    `weak_agreement` is that of the real ones which drive the unit least; `sample_agreement` how
    well the network explained orders samples of the GAN by the judge's votes (AUROC);
    `same_corpora` names the corpora that both were trained on.
    """

    agreement: float | None
    real_agreement: float | None
    class_name: str
    path: str
    sha256: str
    weak_agreement: float | None = None
    sample_agreement: float | None = None
    same_corpora: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, where: str, entry: Any) -> JudgeAgreement:
        """An entry of `judges`; GanexplainError names the value that is none."""
        entry = _object(where, entry, required=True)
        return cls(
            agreement=_optional_share(where, entry, "agreement"),
            real_agreement=_optional_share(where, entry, "real_agreement"),
            class_name=_text(f"{where}.class", entry.get("class")),
            path=_text(f"{where}.path", entry.get("path")),
            sha256=_text(f"{where}.sha256", entry.get("sha256")),
            weak_agreement=_optional_share(where, entry, "weak_agreement"),
            sample_agreement=_optional_share(where, entry, "sample_agreement"),
            same_corpora=_texts(f"{where}.same_corpora", entry.get("same_corpora")),
        )

    def to_json(self) -> dict[str, Any]:
        """An entry of `judges`."""
        return {
            "path": self.path,
            "sha256": self.sha256,
            "class": self.class_name,
            "agreement": self.agreement,
            "real_agreement": self.real_agreement,
            "weak_agreement": self.weak_agreement,
            "sample_agreement": self.sample_agreement,
            "same_corpora": list(self.same_corpora),
        }


@dataclass(frozen=True)
class Selection:
    """`selection.json`: `chosen` is of rank 1, or tied with it; `rule` is that of `--by`.

    `variation` is of the responses to real excerpts, None of files without it.
    """

    chosen: int
    rule: str
    tie_rule: str
    warnings: tuple[str, ...]
    variation: Variation | None
    layer: str
    neuron: int | str
    unit: str
    direction: str
    features_layer: str
    scores: tuple[Score, ...]
    controls: Mapping[str, Control]
    judges: Mapping[str, JudgeAgreement]
    explanations_hash: str

    @property
    def by(self) -> str:
        """The key of the score that ranks."""
        return RULES[self.rule]

    @property
    def weakness(self) -> str:
        """How little the unit responds to real excerpts, where it hardly does; else empty."""
        return self.variation.weakness if self.variation else ""

    @property
    def kinds(self) -> list[ScoreKind]:
        """The scores that any setting has, the one that ranks first."""
        present = [
            k for k in SCORES.values() if any(k.key in s.figures.values for s in self.scores)
        ]
        return sorted(present, key=lambda kind: kind.key != self.by)

    @classmethod
    def from_json(cls, where: str, document: Mapping[str, Any]) -> Selection:
        """Of a document in the file `where`; GanexplainError names the value that is none."""
        entries = document.get("configurations")
        if not isinstance(entries, list):
            raise _wrong(f"{where}: configurations", entries, "a list")
        scores = tuple(
            Score.from_json(f"{where}: configurations[{i}]", e) for i, e in enumerate(entries)
        )
        _check_ranking(where, document, scores)
        text = {
            name: _text(f"{where}: {name}", document.get(name))
            for name in (
                "tie_rule", "layer", "unit", "direction", "features_layer", "explanations_hash"
            )
        }  # fmt: skip
        controls = _object(f"{where}: controls", document.get("controls"))
        judges = _object(f"{where}: judges", document.get("judges"))
        return cls(
            chosen=document["chosen"],
            rule=document["by"],
            warnings=_texts(f"{where}: warnings", document.get("warnings")),
            variation=_variation(where, document.get("response_variation")),
            neuron=_neuron(where, document.get("neuron")),
            scores=scores,
            controls={
                name: Control.from_json(f"{where}: controls.{name}", entry)
                for name, entry in controls.items()
            },
            judges={
                name: JudgeAgreement.from_json(f"{where}: judges.{name}", entry)
                for name, entry in judges.items()
            },
            **text,
        )

    def to_json(self) -> dict[str, Any]:
        """The document."""
        return {
            "chosen": self.chosen,
            "by": self.rule,
            "tie_rule": self.tie_rule,
            "warnings": list(self.warnings),
            "response_variation": self.variation.to_meta() if self.variation else None,
            "layer": self.layer,
            "neuron": self.neuron,
            "unit": self.unit,
            "direction": self.direction,
            "features_layer": self.features_layer,
            "configurations": [score.to_json() for score in self.scores],
            "controls": {name: control.to_json() for name, control in self.controls.items()},
            "judges": {name: judge.to_json() for name, judge in self.judges.items()},
            "explanations_hash": self.explanations_hash,
        }


def read_selection(path: Path, explanations: Explanations) -> Selection:
    """The ranking of the settings of `explanations`.

    Raises UsageError where it is of another unit, GanexplainError where it is not what `select`
    writes or ranks other explanations.
    """
    document, count = read_json(path), len(explanations.arrays["learning_rate"])
    for name, wanted in explanations.meta.target.to_json().items():
        check_same(path, name, document.get(name), explanations.path, wanted)
    entries = document.get("configurations")
    if not isinstance(entries, list) or len(entries) != count:
        found = len(entries) if isinstance(entries, list) else "no list of"
        raise GanexplainError(
            f"{path}: holds {found} configurations, but {count} in {explanations.path}; "
            "run select again"
        )
    selection = Selection.from_json(str(path), document)
    _check_settings(path, selection.scores, explanations)
    if selection.explanations_hash != file_hash(explanations.path):
        raise GanexplainError(
            f"{path}: ranks other explanations than {explanations.path} holds; run select again"
        )
    return selection


def _check_settings(path: Path, scores: Sequence[Score], explanations: Explanations) -> None:
    """UsageError where the settings ranked are not those of the explanations."""
    for index, score in enumerate(scores):
        for name, value in zip(SETTING, score.setting, strict=True):
            wanted = float(explanations.arrays[name][index])
            if not math.isclose(value, wanted, rel_tol=1e-6):
                field_name = f"configurations[{index}].{name}"
                check_same(path, field_name, value, explanations.path, wanted)


def _check_ranking(where: str, document: Mapping[str, Any], scores: Sequence[Score]) -> None:
    count, chosen, by = len(scores), document.get("chosen"), document.get("by")
    if sorted(score.rank for score in scores) != list(range(1, count + 1)):
        problem = f"field 'rank' does not count 1 to {count}"
    elif len({score.setting for score in scores}) < count:
        problem = "a setting occurs twice in 'configurations'"
    elif type(chosen) is not int or not 0 <= chosen < count:
        problem = f"field 'chosen' ({shown(chosen)}) is not one of 0 to {count - 1}"
    elif scores[chosen].rank != 1 and not scores[chosen].tied:
        problem = f"field 'chosen' ({chosen!r}) is neither of rank 1 nor tied with it"
    elif not isinstance(by, str) or by not in RULES:
        problem = f"field 'by' is {shown(by)}, not one of {', '.join(RULES)}"
    elif any(RULES[by] not in score.figures.values for score in scores):
        problem = f"ranked by {RULES[by]!r}, which is missing"
    else:
        return
    raise GanexplainError(f"{where}: {problem}; run select again")


def _ordered(keys: Collection[str], order: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*(key for key in order if key in keys), *keys]))


# --- Values ---------------------------------------------------------------------------------


def _wrong(where: str, value: object, wanted: str) -> GanexplainError:
    return GanexplainError(f"{where} is {shown(value)}, not {wanted}; run select again")


def _object(where: str, value: Any, required: bool = False) -> dict[str, Any]:
    if value is None and not required:
        return {}
    if not isinstance(value, dict):
        raise _wrong(where, value, "an object")
    return value


def _text(where: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(where, value, "a text")
    return value


def _texts(where: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _wrong(where, value, "a list of texts")
    return tuple(_text(f"{where}[{index}]", text) for index, text in enumerate(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and abs(value) < 1e300


def _number(where: str, entry: Mapping[str, Any], name: str) -> float:
    value = entry.get(name)
    if not _is_number(value):
        raise _wrong(f"{where}.{name}", value, "a number")
    return float(entry[name])


def _share(where: str, entry: Mapping[str, Any], name: str) -> float:
    share = _number(where, entry, name)
    if not 0 <= share <= 1:
        raise _wrong(f"{where}.{name}", share, "a share from 0 to 1")
    return share


def _optional_share(where: str, entry: Mapping[str, Any], name: str) -> float | None:
    return None if entry.get(name) is None else _share(where, entry, name)


def _optional_number(where: str, entry: Mapping[str, Any], name: str) -> float | None:
    return None if entry.get(name) is None else _number(where, entry, name)


def _neuron(where: str, value: Any) -> int | str:
    if not isinstance(value, int | str) or isinstance(value, bool):
        raise _wrong(f"{where}: neuron", value, "a unit")
    return value


def _variation(where: str, value: Any) -> Variation | None:
    try:
        return Variation.from_meta(value)
    except GanexplainError as error:
        raise GanexplainError(f"{where}: {error}") from error


def _interval(where: str, value: Any) -> tuple[float, float]:
    if not (isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))):
        raise _wrong(where, value, "two numbers")
    if value[0] > value[1]:
        raise _wrong(where, value, "a lower and an upper end")
    return float(value[0]), float(value[1])


def _intervals(
    where: str, entry: Mapping[str, Any], names: Sequence[str], kind: str
) -> dict[str, tuple[float, float]]:
    """The bounds NAME_KIND of the scores that have them."""
    keys = {name: f"{name}_{kind}" for name in names}
    return {
        name: _interval(f"{where}.{key}", entry[key])
        for name, key in keys.items()
        if entry.get(key) is not None
    }
