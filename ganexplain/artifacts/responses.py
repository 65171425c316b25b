"""`responses.npz`: the real excerpts that drive a unit most and least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.artifacts.axes import axes_for, check_range, check_same, check_shapes, check_values
from ganexplain.artifacts.plan import SearchTarget
from ganexplain.audio.log_mel import read_front_end
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.arrays import read_arrays, read_meta, write_arrays
from ganexplain.files.atomic import Document, JsonObject
from ganexplain.files.fields import Fields
from ganexplain.metrics.sharing import Sharing
from ganexplain.metrics.variation import Variation
from ganexplain.networks.units import Unit

REAL_AXES = {
    "mel": "RFT", "response": "R", "features": "RD", "file": "R", "start_s": "R", "audio": "RW",
}  # fmt: skip
HELD_OUT = "held_out_"  # prefix of the keys of excerpts of the valid and test splits
BEYOND = "beyond_"  # of those whose response is most beyond what the outputs explain
RANDOM = "random_"  # of random excerpts of the training split
SHARING = "response_sharing"  # field of a meta
LONGEST = 1e9  # seconds of a recording
DECIDED = "class_decisions"  # field of a meta
VARIATION = "response_variation"  # field of a meta and of selection.json


@dataclass(frozen=True)
class MeasuredUnit:
    """A unit, and the network and layer with which responses and features are measured.

    Explanations and real excerpts belong together if these are equal. `front_end` has the values
    of the network's input.
    """

    unit: Unit
    features_layer: str
    classifier_hash: str
    front_end: Document

    def to_json(self) -> JsonObject:
        """Its fields in metas."""
        return {
            "layer": self.unit.layer,
            "neuron": self.unit.neuron,
            "features_layer": self.features_layer,
            "classifier_hash": self.classifier_hash,
            "front_end": dict(self.front_end),
        }


@dataclass(frozen=True)
class Decided:
    """The number `found` of real `excerpts` for which the network decides for the class `name`."""

    name: str
    found: int
    excerpts: int

    @classmethod
    def from_json(cls, fields: Fields) -> Decided | None:
        """The decisions in a meta, None without them; errors as `Fields`."""
        if DECIDED not in fields:
            return None
        found = fields.child(DECIDED)
        return cls(found.text("class"), found.integer("found"), found.integer("excerpts"))

    def to_json(self) -> JsonObject:
        """The field of a meta."""
        return {"class": self.name, "found": self.found, "excerpts": self.excerpts}

    def absence(self, upwards: bool) -> str:
        """A warning if no excerpt has what drives the unit, or an empty string."""
        if self.found != (0 if upwards else self.excerpts):
            return ""
        share = "none" if upwards else "all"
        return (
            f"the network decides for {self.name} in {share} of the {self.excerpts} real excerpts: "
            f"they cannot show what drives the unit {'up' if upwards else 'down'}wards; take "
            "recordings in which it decides otherwise"
        )


@dataclass(frozen=True)
class ResponsesMeta:
    """The unit that real excerpts drive, and the settings of the search for them.

    `variation` is that of the responses to all excerpts of the training split, `sharing` what they
    share with the outputs and with other units, `decided` the decisions for the class of an output
    unit; they are None in files without them.
    """

    measured: MeasuredUnit
    variation: Variation | None
    sharing: Sharing | None
    corpus: tuple[str, ...]
    hop_frames: int
    overlapping: bool
    decided: Decided | None = None

    @classmethod
    def from_json(cls, measured: MeasuredUnit, fields: Fields) -> ResponsesMeta:
        """The meta of a file whose unit is known; errors as `Fields`."""
        return cls(
            measured,
            variation=Variation.from_json(fields, VARIATION),
            sharing=Sharing.from_json(fields, SHARING),
            corpus=_corpus(fields),
            hop_frames=fields.optional(fields.integer, "hop_frames") or 0,
            overlapping=fields.flag("overlapping"),
            decided=Decided.from_json(fields),
        )

    def to_json(self) -> JsonObject:
        """The fields."""
        return {
            **self.measured.to_json(),
            **({VARIATION: self.variation.to_json()} if self.variation else {}),
            **({DECIDED: self.decided.to_json()} if self.decided else {}),
            **({SHARING: self.sharing.to_json()} if self.sharing else {}),
            "corpus": list(self.corpus),
            "hop_frames": self.hop_frames,
            "overlapping": self.overlapping,
        }


@dataclass(frozen=True)
class RealResponses:
    """Arrays and meta of `responses.npz`."""

    arrays: Mapping[str, np.ndarray]
    meta: ResponsesMeta

    def write(self, path: Path) -> None:
        """Write the file."""
        write_arrays(path, "responses", self.arrays, self.meta.to_json())


def given_path(path: Path, target: SearchTarget) -> Path:
    """The `responses.npz` of a unit: the named file, or the unit's file in the named folder."""
    if not path.is_dir():
        return path
    folders = (path / target.name, path / target.unit.file_name, path)
    return next((f for f in folders if f.is_dir()), path) / "responses.npz"


def read_responses(
    path: Path, other: Path, wanted: MeasuredUnit, sizes: Mapping[str, int]
) -> RealResponses:
    """Read `responses.npz`; UsageError if it belongs to another classifier or unit.

    The file `other` belongs to the unit `wanted`; `sizes` has its lengths of axis letters.
    """
    real_axes = axes_for(read_front_end(other, wanted.front_end), REAL_AXES)
    arrays, document = read_arrays(path, "responses", ())
    for name, value in wanted.to_json().items():
        check_same(path, name, document.get(name), other, value)
    groups = ["", "bottom_"]
    if f"{HELD_OUT}response" in arrays:
        groups += [HELD_OUT, f"{HELD_OUT}bottom_"]
    if f"{BEYOND}response" in arrays:
        groups += [BEYOND, f"{BEYOND}bottom_"]
    for prefix in groups:
        mine = {prefix + name: letters for name, letters in real_axes.items()}
        for name in mine:
            if name not in arrays:
                raise GanexplainError(f"{path}: key {name!r} is missing; make it again")
        check_shapes(path, arrays, mine, sizes)
        _check_real(path, arrays, prefix, real_axes)
    if f"{RANDOM}mel" in arrays:
        _check_random(path, arrays, real_axes["mel"])
    fields = Fields(f"{path}: ", document)
    return RealResponses(arrays, ResponsesMeta.from_json(wanted, fields))


def searched_corpora(path: Path) -> tuple[str, ...]:
    """The corpora in whose training split the excerpts of `responses.npz` were found."""
    return _corpus(Fields(f"{path}: ", read_meta(path, "responses")))


def _corpus(fields: Fields) -> tuple[str, ...]:
    """The corpora of a meta; the first versions wrote one, as a text."""
    one = isinstance(fields.values.get("corpus"), str)
    return (fields.text("corpus"),) if one else fields.texts("corpus")


def check_group(place: object, arrays: Mapping[str, np.ndarray], prefix: str) -> None:
    """Raise UsageError if a unit has no real excerpts whose keys begin with a prefix."""
    if f"{prefix}response" not in arrays:
        raise UsageError(
            f"{place}: has no real excerpts for a search beyond the outputs; make it again with "
            "`ganexplain responses`"
        )


def _check_random(path: Path, arrays: Mapping[str, np.ndarray], letters: str) -> None:
    """Raise GanexplainError for random excerpts unlike the others in shape, or fewer than two."""
    name, inputs = f"{RANDOM}mel", letters.removeprefix("R")
    sizes = dict(zip(inputs, arrays["mel"].shape[1:], strict=True))
    if check_shapes(path, arrays, {name: letters}, sizes)["R"] < 2:
        raise GanexplainError(f"{path}: {name} contains fewer than two excerpts; make it again")
    check_values(path, arrays, [name])


def _check_real(
    path: Path, arrays: Mapping[str, np.ndarray], prefix: str, axes: Mapping[str, str]
) -> None:
    """Raise GanexplainError if real excerpts contain impossible values."""
    check_values(path, arrays, [prefix + name for name in axes if name != "file"])
    check_range(path, arrays, f"{prefix}start_s", 0, LONGEST)
    if (np.char.str_len(arrays[f"{prefix}file"]) == 0).any():
        raise GanexplainError(f"{path}: {prefix}file contains an empty name; make it again")
