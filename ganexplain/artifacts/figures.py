"""Entries of `selection.json`: the figures of settings, controls and judges.

Each field is checked when it is read; an error names the wrong field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ganexplain.artifacts.lost_gradients import LostSearches
from ganexplain.files.atomic import JsonObject
from ganexplain.files.fields import Fields
from ganexplain.metrics.scores import SCORES

RESPONSES = ("mean_response", "std_response")  # figures besides the scores
SETTING = ("learning_rate", "prior_weight", "iterations")


@dataclass(frozen=True)
class Figures:
    """The measurements of a set of examples: scores by key, 95 % intervals, shares of judges.

    `values` has the scores, and the mean and standard deviation of the response; `differences` has
    95 % intervals of a control's score minus that of the chosen setting. Scores that are not
    defined for the set are absent.
    """

    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    judges: Mapping[str, float] = field(default_factory=dict)
    differences: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def votes(self) -> float | None:
        """Mean share over the judges; None without judges."""
        return sum(self.judges.values()) / len(self.judges) if self.judges else None

    def interval(self, key: str) -> tuple[float, float] | None:
        """The interval of a score to show.

        None without one, or where all resamples agree: that is no certainty, but too few examples
        or settings to vary.
        """
        ends = self.intervals.get(key)
        return ends if ends and ends[0] < ends[1] else None

    @classmethod
    def from_json(cls, fields: Fields) -> Figures:
        """The figures in the fields of a setting or a control; errors as `Fields`."""
        names = [name for name in fields if name in (*SCORES, *RESPONSES)]
        judges = fields.child("judges")
        return cls(
            values={name: fields.number(name) for name in names},
            intervals=_intervals(fields, names, "interval"),
            differences=_intervals(fields, names, "difference"),
            judges={name: judges.share(name) for name in judges},
        )

    def to_json(self) -> JsonObject:
        """The figures without the judges' shares, which are at the end of an entry."""
        scores = [key for key in self.values if key not in RESPONSES]
        found: JsonObject = {key: self.values[key] for key in scores}
        for key, ends in self.intervals.items():
            found[f"{key}_interval"] = list(ends)
            if key in self.differences:
                found[f"{key}_difference"] = list(self.differences[key])
        return found | {key: self.values[key] for key in RESPONSES if key in self.values}


@dataclass(frozen=True)
class Score:
    """One setting as ranked by `select`; the best has rank 1.

    `latent_norm` is the mean norm of its latents, None in files without it.
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
        """Standard deviation of the responses."""
        return self.figures.values["std_response"]

    @classmethod
    def from_json(cls, fields: Fields) -> Score:
        """An entry of `configurations`; errors as `Fields`."""
        for name in ("fid_response", *RESPONSES):
            fields.number(name)
        return cls(
            learning_rate=fields.number("learning_rate"),
            prior_weight=fields.number("prior_weight"),
            iterations=fields.integer("iterations"),
            rank=fields.integer("rank"),
            tied=fields.flag("tied"),
            figures=Figures.from_json(fields),
            latent_norm=fields.optional(fields.number, "latent_norm"),
        )

    def to_json(self) -> JsonObject:
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
    """A control: examples that are not from the search, measured like a setting.

    `lost` counts the searches without a gradient, None if there are none.
    """

    meaning: str
    examples: int | None
    figures: Figures
    lost: LostSearches | None = None

    @classmethod
    def from_json(cls, fields: Fields) -> Control:
        """An entry of `controls`; errors as `Fields`."""
        return cls(
            meaning=fields.text("meaning", ""),
            examples=fields.optional(fields.integer, "examples"),
            figures=Figures.from_json(fields),
            lost=LostSearches.from_json(fields),
        )

    def to_json(self) -> JsonObject:
        """An entry of `controls`."""
        return {
            "meaning": self.meaning,
            "examples": self.examples,
            **self.figures.to_json(),
            "judges": dict(self.figures.judges),
            **(self.lost.to_json() if self.lost else {}),
        }


@dataclass(frozen=True)
class JudgeAgreement:
    """The agreement of a judge, another network: shares of the chosen and of the real examples.

    `weak_agreement` is that of the real excerpts which drive the unit least; `sample_agreement`
    is how well the explained network orders samples of the GAN by the judge's votes (AUROC);
    `same_corpora` names the corpora on which both were trained. `interval` is the exact 95 %
    binomial interval of `agreement`, None in older files.
    """

    agreement: float | None
    real_agreement: float | None
    class_name: str
    path: str
    sha256: str
    weak_agreement: float | None = None
    sample_agreement: float | None = None
    same_corpora: tuple[str, ...] = ()
    interval: tuple[float, float] | None = None

    @classmethod
    def from_json(cls, fields: Fields) -> JudgeAgreement:
        """An entry of `judges`; errors as `Fields`."""
        return cls(
            agreement=fields.optional(fields.share, "agreement"),
            real_agreement=fields.optional(fields.share, "real_agreement"),
            class_name=fields.text("class", ""),
            path=fields.text("path", ""),
            sha256=fields.text("sha256", ""),
            weak_agreement=fields.optional(fields.share, "weak_agreement"),
            sample_agreement=fields.optional(fields.share, "sample_agreement"),
            same_corpora=fields.texts("same_corpora"),
            interval=fields.optional(fields.interval, "agreement_interval"),
        )

    def to_json(self) -> JsonObject:
        """An entry of `judges`."""
        return {
            "path": self.path,
            "sha256": self.sha256,
            "class": self.class_name,
            "agreement": self.agreement,
            **({"agreement_interval": list(self.interval)} if self.interval else {}),
            "real_agreement": self.real_agreement,
            "weak_agreement": self.weak_agreement,
            "sample_agreement": self.sample_agreement,
            "same_corpora": list(self.same_corpora),
        }


def _intervals(fields: Fields, names: Sequence[str], kind: str) -> dict[str, tuple[float, float]]:
    """The intervals NAME_KIND of the scores that have one."""
    keys = {name: f"{name}_{kind}" for name in names}
    return {name: fields.interval(key) for name, key in keys.items() if key in fields}
