"""`prediction.json`: what can be predicted with the examples of units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ganexplain.artifacts.plan import SearchTarget
from ganexplain.errors import UsageError
from ganexplain.files.atomic import JsonObject, read_json
from ganexplain.files.fields import Fields
from ganexplain.inputs.kinds import KINDS
from ganexplain.inputs.words import Words

REMEDY = "run validate again"
NOT_HELD_OUT = "they are not held out"  # end of a note on recordings that were used already
GENERATED, OTHER, SHUFFLED = "generated", "other_unit", "shuffled"
SETS: Mapping[str, str] = {  # texts for `Words.fill`
    GENERATED: "the examples of the chosen setting",
    "real": "real {many} of the split train, the strongest and the weakest",
    "real_beyond": "real {many} of the split train, the strongest and the weakest beyond the "
    "outputs of the network",
    OTHER: "the examples of another unit of the layer, whose responses go along with this one’s",
    "reinitialised": "the same search for a network of shuffled weights, which learned nothing",
    "start": "samples of the GAN before the search, those of higher responses and the others",
    SHUFFLED: "the examples of the chosen setting, where each {one} has the response of another",
}


TITLES = {"reinitialised": "shuffled weights", "start": "before search", "shuffled": "by chance"}


def set_title(name: str) -> str:
    """The short name of a set of examples."""
    return TITLES.get(name, name.replace("_", " "))


@dataclass(frozen=True)
class PairShare:
    """The share of pairs in the right order, and its 95 % interval, None for one recording.

    `difference` is the interval of the share minus that of the generated examples, None for these.
    """

    share: float
    interval: tuple[float, float] | None
    difference: tuple[float, float] | None = None

    @classmethod
    def from_json(cls, fields: Fields) -> PairShare:
        """An entry of `shares`; errors as `Fields`."""
        return cls(
            fields.share("share"),
            fields.optional(fields.interval, "interval"),
            fields.optional(fields.interval, "difference"),
        )

    def to_json(self) -> JsonObject:
        """An entry of `shares`."""
        apart = {"difference": list(self.difference)} if self.difference else {}
        within = {"interval": list(self.interval)} if self.interval else {}
        return {"share": self.share, **within, **apart}


# By the name of an encoder, of a set of examples and of a difficulty. Without pairs there is none.
Shares = Mapping[str, Mapping[str, Mapping[str, PairShare]]]


def shares_from_json(fields: Fields) -> Shares:
    """The shares in a field `shares`; errors as `Fields`."""
    return {
        encoder: {
            examples: {
                name: PairShare.from_json(fields.child(encoder).child(examples).child(name))
                for name in fields.child(encoder).child(examples)
            }
            for examples in fields.child(encoder)
        }
        for encoder in fields
    }


def shares_to_json(shares: Shares) -> JsonObject:
    """The field `shares`."""
    return {
        encoder: {
            examples: {name: share.to_json() for name, share in by_name.items()}
            for examples, by_name in sets.items()
        }
        for encoder, sets in shares.items()
    }


@dataclass(frozen=True)
class UnitPrediction:
    """What can be predicted with the examples of one unit.

    `directions` has the hash of the explanations of each direction. `explained_share` is the share
    of the variance of its responses that the outputs of the network explain.
    """

    layer: str
    neuron: int | str
    unit: str
    directions: Mapping[str, str]
    explained_share: float
    shares: Shares

    @classmethod
    def from_json(cls, fields: Fields) -> UnitPrediction:
        """An entry of `units`; errors as `Fields`."""
        directions = fields.child("directions")
        return cls(
            layer=fields.text("layer"),
            neuron=fields.neuron("neuron"),
            unit=fields.text("unit", "") or "",
            directions={name: directions.text(name) for name in directions},
            explained_share=fields.share("explained_share"),
            shares=shares_from_json(fields.child("shares")),
        )

    def to_json(self) -> JsonObject:
        """An entry of `units`."""
        return {
            "layer": self.layer,
            "neuron": self.neuron,
            "unit": self.unit,
            "directions": dict(self.directions),
            "explained_share": self.explained_share,
            "shares": shares_to_json(self.shares),
        }


@dataclass(frozen=True)
class Prediction:
    """`prediction.json`: the held-out excerpts, the encoders, and the shares of each unit.

    `encoders` has the path of each, empty without a network; `layers` the means over the units of
    each layer that has several. `explained_encoders` are the names of those that are the explained
    network; `input` is the name of the kind of the excerpts. `held_out` is whether it is known that
    neither the explained network nor the GAN nor the search has met the recordings.
    """

    corpus: tuple[str, ...]
    split: str
    excerpts: int
    recordings: int
    encoders: Mapping[str, str]
    notes: tuple[str, ...]
    units: tuple[UnitPrediction, ...]
    layers: Mapping[str, Shares]
    explained_encoders: tuple[str, ...] = ()
    input: str = "log-mel"
    held_out: bool = False

    @property
    def words(self) -> Words:
        """The words for the excerpts."""
        return KINDS[self.input].words

    def of(self, target: SearchTarget, explanations_hash: str) -> UnitPrediction:
        """The entry of a unit; UsageError if other explanations of it were tested."""
        unit = target.unit
        for each in self.units:
            if (each.layer, each.neuron) == (unit.layer, unit.neuron):
                if each.directions.get(target.direction) == explanations_hash:
                    return each
                break
        raise UsageError(
            f"--validation: tests other explanations than those of {target.name}; {REMEDY}"
        )

    @classmethod
    def from_json(cls, fields: Fields) -> Prediction:
        """The document; errors as `Fields`."""
        encoders, layers = fields.child("encoders"), fields.child("layers")
        if not fields.children("units"):
            raise fields.wrong("units", "a list of units")
        kind = fields.text("input", "log-mel") or ""
        if kind not in KINDS:
            raise fields.wrong("input", f"one of {', '.join(KINDS)}")
        names = "explained_encoders"
        return cls(
            corpus=fields.texts("corpus"),
            split=fields.text("split"),
            excerpts=fields.positive("excerpts"),
            recordings=fields.positive("recordings"),
            encoders={name: encoders.text(name) for name in encoders},
            notes=fields.texts("notes"),
            units=tuple(map(UnitPrediction.from_json, fields.children("units"))),
            layers={name: shares_from_json(layers.child(name)) for name in layers},
            explained_encoders=fields.texts(names) if names in fields else (),
            input=kind,
            held_out=fields.flag("held_out"),
        )

    def to_json(self) -> JsonObject:
        """The document."""
        return {
            "corpus": list(self.corpus),
            "split": self.split,
            "excerpts": self.excerpts,
            "recordings": self.recordings,
            "encoders": dict(self.encoders),
            "explained_encoders": list(self.explained_encoders),
            "input": self.input,
            "held_out": self.held_out,
            "notes": list(self.notes),
            "units": [unit.to_json() for unit in self.units],
            "layers": {name: shares_to_json(shares) for name, shares in self.layers.items()},
        }


def prediction_file(path: Path) -> Path:
    """Return the file of a test: `path` itself, or `prediction.json` in the folder `path`."""
    return path / "prediction.json" if path.is_dir() else path


def read_prediction(path: Path) -> Prediction:
    """Read `prediction.json`, a file or in a folder; GanexplainError names a wrong field."""
    path = prediction_file(path)
    return Prediction.from_json(Fields(f"{path}: ", read_json(path), REMEDY))
