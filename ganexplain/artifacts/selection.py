"""`selection.json` as `report` reads it: every field checked, the wrong one named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganexplain.artifacts.axes import check_same
from ganexplain.artifacts.explanations import Explanations
from ganexplain.errors import GanexplainError, shown
from ganexplain.files.atomic import file_hash, read_json
from ganexplain.metrics.scores import RULES, SCORES, ScoreKind
from ganexplain.metrics.variation import Variation

RESPONSES = ("mean_response", "std_response")  # figures beside the scores of the table


def read_selection(path: Path, explanations: Explanations) -> Selection:
    """The ranking of the settings of `explanations`.

    Raises UsageError where it is of another unit, GanexplainError where it is not what `select`
    writes or ranks other explanations.
    """
    document, made = read_json(path), explanations.arrays
    for name in ("layer", "neuron", "direction"):
        wanted = explanations.meta[name]
        check_same(path, name, document.get(name), explanations.path, wanted)
    entries, count = document.get("configurations"), len(made["learning_rate"])
    if not isinstance(entries, list) or len(entries) != count:
        held = len(entries) if isinstance(entries, list) else "no list of"
        raise GanexplainError(
            f"{path}: holds {held} configurations, but {count} in {explanations.path}; "
            "run select again"
        )
    scores = tuple(_score(f"{path}: configurations[{i}]", e) for i, e in enumerate(entries))
    for index, score in enumerate(scores):
        for each in ("learning_rate", "prior_weight", "iterations"):
            value, wanted = getattr(score, each), float(made[each][index])
            if not math.isclose(value, wanted, rel_tol=1e-6):
                name = f"configurations[{index}].{each}"
                check_same(path, name, value, explanations.path, wanted)
    _check_ranking(path, document, scores)
    if document.get("explanations_hash") != file_hash(explanations.path):
        raise GanexplainError(
            f"{path}: ranks other explanations than {explanations.path} holds; run select again"
        )
    return Selection(
        chosen=document["chosen"],
        by=RULES[document["by"]],
        tie_rule=_text(f"{path}: tie_rule", document.get("tie_rule")),
        warnings=_texts(f"{path}: warnings", document.get("warnings")),
        scores=scores,
        controls={
            name: _control(f"{path}: controls.{name}", entry)
            for name, entry in _object(f"{path}: controls", document.get("controls")).items()
        },
        judges={
            name: _judge(f"{path}: judges.{name}", entry)
            for name, entry in _object(f"{path}: judges", document.get("judges")).items()
        },
        weakness=_weakness(path, document.get("response_variation")),
    )


def _weakness(path: Path, variation: Any) -> str:
    try:
        found = Variation.from_meta(variation)
    except GanexplainError as error:
        raise GanexplainError(f"{path}: {error}") from error
    return found.weakness if found else ""


def _check_ranking(path: Path, document: Mapping[str, Any], scores: Sequence[Score]) -> None:
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
    raise GanexplainError(f"{path}: {problem}; run select again")


# --- Entries --------------------------------------------------------------------------------


def _score(where: str, entry: Any) -> Score:
    entry = _object(where, entry, required=True)
    figures = _figures(where, entry)
    for name in ("fid_response", *RESPONSES):
        if name not in figures.values:
            raise _wrong(f"{where}.{name}", None, "a number")
    tied = entry.get("tied", False)
    if type(tied) is not bool:
        raise _wrong(f"{where}.tied", tied, "true or false")
    return Score(
        learning_rate=_number(where, entry, "learning_rate"),
        prior_weight=_number(where, entry, "prior_weight"),
        iterations=int(_number(where, entry, "iterations")),
        rank=int(_number(where, entry, "rank")),
        tied=tied,
        mean_response=figures.values["mean_response"],
        std_response=figures.values["std_response"],
        figures=figures,
    )


def _figures(where: str, entry: Mapping[str, Any]) -> Figures:
    names = [name for name in (*SCORES, *RESPONSES) if entry.get(name) is not None]
    judges = _object(f"{where}.judges", entry.get("judges"))
    return Figures(
        values={name: _number(where, entry, name) for name in names},
        intervals=_intervals(where, entry, names, "interval"),
        differences=_intervals(where, entry, names, "difference"),
        judges={
            name: _share(f"{where}.judges", judges, name)
            for name in judges
            if judges[name] is not None
        },
    )


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


def _control(where: str, entry: Any) -> Control:
    entry = _object(where, entry, required=True)
    examples = entry.get("examples")
    return Control(
        meaning=_text(f"{where}.meaning", entry.get("meaning")),
        examples=None if examples is None else int(_number(where, entry, "examples")),
        figures=_figures(where, entry),
    )


def _judge(where: str, entry: Any) -> Judge:
    entry = _object(where, entry, required=True)
    return Judge(
        agreement=_optional_share(where, entry, "agreement"),
        real_agreement=_optional_share(where, entry, "real_agreement"),
        class_name=_text(f"{where}.class", entry.get("class")),
        path=_text(f"{where}.path", entry.get("path")),
        sha256=_text(f"{where}.sha256", entry.get("sha256")),
        weak_agreement=_optional_share(where, entry, "weak_agreement"),
        sample_agreement=_optional_share(where, entry, "sample_agreement"),
        same_corpora=_texts(f"{where}.same_corpora", entry.get("same_corpora")),
    )


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


def _interval(where: str, value: Any) -> tuple[float, float]:
    if not (isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))):
        raise _wrong(where, value, "two numbers")
    if value[0] > value[1]:
        raise _wrong(where, value, "a lower and an upper end")
    return float(value[0]), float(value[1])


@dataclass(frozen=True)
class Figures:
    """What `select` measured of a set of examples: scores by key, 95 % intervals, judges' shares.

    `differences` are the 95 % intervals of a control's score minus the chosen setting's. What is
    not defined for the set is absent.
    """

    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    judges: Mapping[str, float] = field(default_factory=dict)
    differences: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def votes(self) -> float | None:
        """Mean share over the judges, None without any."""
        return sum(self.judges.values()) / len(self.judges) if self.judges else None


@dataclass(frozen=True)
class Score:
    """One configuration of the grid as `select` ranked it; `rank` counts from 1, the best."""

    learning_rate: float
    prior_weight: float
    iterations: int
    rank: int
    tied: bool
    mean_response: float
    std_response: float
    figures: Figures

    @property
    def setting(self) -> tuple[float, float, int]:
        """Learning rate, prior weight and iterations."""
        return self.learning_rate, self.prior_weight, self.iterations


@dataclass(frozen=True)
class Control:
    """Examples that the search did not make, measured as a setting is."""

    meaning: str
    examples: int | None
    figures: Figures


@dataclass(frozen=True)
class Judge:
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


@dataclass(frozen=True)
class Selection:
    """`selection.json`: `chosen` is of rank 1, or tied with it; `by` the key of its score.

    `weakness` says how little the unit responds to real excerpts, where it hardly does.
    """

    chosen: int
    by: str
    tie_rule: str
    warnings: tuple[str, ...]
    scores: tuple[Score, ...]
    controls: Mapping[str, Control]
    judges: Mapping[str, Judge]
    weakness: str = ""

    @property
    def kinds(self) -> list[ScoreKind]:
        """The scores that any setting has, the one that ranks first."""
        present = [
            k for k in SCORES.values() if any(k.key in s.figures.values for s in self.scores)
        ]
        return sorted(present, key=lambda kind: kind.key != self.by)
