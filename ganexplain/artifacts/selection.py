"""`selection.json`: the record of a ranking, its writer and its reader.

Each field is checked when it is read; an error names the wrong field.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganexplain.artifacts.axes import check_same
from ganexplain.artifacts.explanations import Explanations
from ganexplain.artifacts.figures import SETTING, Control, JudgeAgreement, Score
from ganexplain.artifacts.responses import VARIATION
from ganexplain.errors import GanexplainError, short_repr
from ganexplain.files.atomic import JsonObject, file_hash, read_json
from ganexplain.files.fields import Fields
from ganexplain.metrics.scores import RULES, SCORES, ScoreKind
from ganexplain.metrics.variation import Variation

REMEDY = "run select again"


@dataclass(frozen=True)
class Selection:
    """`selection.json`: `chosen` has rank 1 or is tied with it; `rule` is the choice of `--by`.

    `variation` is that of the responses to real excerpts, `transfer` the `transferred_share` of the
    chosen setting; both are None in files without them.
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
    transfer: float | None = None

    @property
    def by(self) -> str:
        """The key of the ranking score."""
        return RULES[self.rule]

    @property
    def weakness(self) -> str:
        """A warning if the unit hardly responds to real excerpts, or an empty string."""
        return self.variation.weakness if self.variation else ""

    @property
    def kinds(self) -> list[ScoreKind]:
        """The scores that some setting has, the ranking one first."""
        present = [
            k for k in SCORES.values() if any(k.key in s.figures.values for s in self.scores)
        ]
        return sorted(present, key=lambda kind: kind.key != self.by)

    @classmethod
    def from_json(cls, fields: Fields) -> Selection:
        """The selection in a document; GanexplainError for a wrong field or ranking."""
        names = ("tie_rule", "layer", "unit", "direction", "features_layer", "explanations_hash")
        controls, judges = fields.child("controls"), fields.child("judges")
        found = cls(
            chosen=fields.integer("chosen"),
            rule=fields.text("by"),
            warnings=fields.texts("warnings"),
            variation=Variation.from_json(fields, VARIATION),
            transfer=fields.optional(fields.number, "transfer"),
            neuron=fields.neuron("neuron"),
            scores=tuple(map(Score.from_json, fields.children("configurations"))),
            controls={name: Control.from_json(controls.child(name)) for name in controls},
            judges={name: JudgeAgreement.from_json(judges.child(name)) for name in judges},
            **{name: fields.text(name, "") for name in names},
        )
        _check_ranking(fields.place, found)
        return found

    def to_json(self) -> JsonObject:
        """The document."""
        return {
            "chosen": self.chosen,
            "by": self.rule,
            "tie_rule": self.tie_rule,
            "warnings": list(self.warnings),
            VARIATION: self.variation.to_json() if self.variation else None,
            "transfer": self.transfer,
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
    """Read the ranking of the settings of `explanations`.

    Raises UsageError if it belongs to another unit, GanexplainError if it is not a file of `select`
    or ranks other explanations.
    """
    fields = Fields(f"{path}: ", read_json(path), REMEDY)
    count = len(explanations.arrays["learning_rate"])
    for name, wanted in explanations.meta.target.to_json().items():
        check_same(path, name, fields.values.get(name), explanations.path, wanted)
    found = len(fields.children("configurations"))
    if found != count:
        raise GanexplainError(
            f"{path}: has {found} configurations, but {count} in {explanations.path}; {REMEDY}"
        )
    selection = Selection.from_json(fields)
    _check_settings(path, selection.scores, explanations)
    if selection.explanations_hash != file_hash(explanations.path):
        raise GanexplainError(
            f"{path}: ranks other explanations than those in {explanations.path}; {REMEDY}"
        )
    return selection


def _check_settings(path: Path, scores: Sequence[Score], explanations: Explanations) -> None:
    """Raise UsageError if the ranked settings are not those of the explanations."""
    for index, score in enumerate(scores):
        for name, value in zip(SETTING, score.setting, strict=True):
            wanted = float(explanations.arrays[name][index])
            if not math.isclose(value, wanted, rel_tol=1e-6):
                field_name = f"configurations[{index}].{name}"
                check_same(path, field_name, value, explanations.path, wanted)


def _check_ranking(place: str, found: Selection) -> None:
    """Raise GanexplainError if ranks, choice and rule contradict each other."""
    scores, chosen, by = found.scores, found.chosen, found.rule
    count = len(scores)
    if sorted(score.rank for score in scores) != list(range(1, count + 1)):
        problem = f"field 'rank' does not count 1 to {count}"
    elif len({score.setting for score in scores}) < count:
        problem = "a setting occurs twice in 'configurations'"
    elif not 0 <= chosen < count:
        problem = f"field 'chosen' ({short_repr(chosen)}) is not one of 0 to {count - 1}"
    elif scores[chosen].rank != 1 and not scores[chosen].tied:
        problem = f"field 'chosen' ({chosen!r}) is neither of rank 1 nor tied with it"
    elif by not in RULES:
        problem = f"field 'by' is {short_repr(by)}, not one of {', '.join(RULES)}"
    elif any(RULES[by] not in score.figures.values for score in scores):
        problem = f"ranked by {RULES[by]!r}, which is missing"
    else:
        return
    raise GanexplainError(f"{place}{problem}; {REMEDY}")
