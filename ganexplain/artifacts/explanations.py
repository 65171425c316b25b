"""`explanations.npz`: arrays and meta of one unit, checked where they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.artifacts.axes import axes_for, check_range, check_shapes, check_values
from ganexplain.artifacts.lost_gradients import LostSearches
from ganexplain.artifacts.plan import SearchTarget
from ganexplain.artifacts.responses import BEYOND, MeasuredUnit
from ganexplain.audio.log_mel import read_front_end
from ganexplain.config import LAST_SEED
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.arrays import read_arrays, read_meta
from ganexplain.files.atomic import Document, JsonObject
from ganexplain.files.fields import Fields
from ganexplain.inputs.base import Input
from ganexplain.networks.units import Unit

KIND = "explanations"
MIXTURES = "mixtures.pt"  # the generator of a search with --prior-from, in its run directory
# Axis letters as in docs/reference/files.md: a letter has the same length in all files of a run.
EXPLANATION_AXES = {
    "learning_rate": "C", "prior_weight": "C", "iterations": "C", "trajectory": "C",
    "seed": "N", "latent": "CNZ", "mel": "CNFT", "response": "CN", "features": "CND",
    "best_iteration": "CN", "start_mel": "NFT", "start_response": "N",
    "response_trace": "LNS", "latent_norm_trace": "LNS",
}  # fmt: skip
# Of a search that fixed the outputs of the network: those numbers, in standard deviations.
FIXED_AXES = {"fixed_outputs": "CNO", "start_fixed_outputs": "NO"}
OLD_NAMES = {"fixed_outputs": "held", "start_fixed_outputs": "start_held"}  # first names of arrays
TRACES = ("response_trace", "latent_norm_trace")  # NaN behind the iterations of their settings
OLDEST = {  # for files without these
    "prior": "l2", "precision": "float32", "search": "grid", "objective": "response",
}  # fmt: skip


@dataclass(frozen=True)
class ExplanationMeta:
    """The meta of `explanations.npz`: the unit, the networks and the search.

    `class_name` is the unit's class, or empty. `layer_axes` are the axes of the layer's output if
    its units are not on the first, as `frames 115 x units 32`, or empty. `example_iterations` and
    `lost` are known when the search is done. `beyond` is `output` if the search fixed the outputs
    of the network. Fields that older files do not have are empty or have the value of that time.
    `guide_hashes` are the digests of the guides of a surrogate search.
    `settings` are all settings of the run, as in the file.
    """

    target: SearchTarget
    class_name: str
    features_layer: str
    front_end: Document
    seed: int
    classifier: str
    classifier_hash: str
    gan: str
    gan_hash: str
    responses: str
    responses_hash: str
    classes: tuple[str, ...]
    version: str
    prior: str
    precision: str
    hysteresis: bool
    search: str
    objective: str
    settings: Document
    example_iterations: int = 0
    lost: LostSearches | None = None
    layer_axes: str = ""
    beyond: str = ""
    guide_hashes: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, fields: Fields) -> ExplanationMeta:
        """The meta of a file; errors as `Fields`."""
        seed = fields.integer("seed")
        if not 0 <= seed <= LAST_SEED:
            raise fields.wrong("seed", f"from 0 to {LAST_SEED}")
        needed = ("features_layer", "classifier", "classifier_hash")
        usual = {name: "" for name in ("gan", "gan_hash", "responses", "responses_hash", "version")}
        return cls(
            target=SearchTarget.from_json(fields),
            class_name=fields.text("unit"),
            front_end=fields.mapping("front_end"),
            seed=seed,
            classes=fields.texts("classes"),
            hysteresis=fields.flag("hysteresis"),
            settings=fields.values,
            example_iterations=fields.optional(fields.integer, "example_iterations") or 0,
            lost=LostSearches.from_json(fields),
            layer_axes=fields.text("layer_axes", "") or "",
            beyond=fields.text("beyond", "") or "",
            guide_hashes=fields.texts("guide_hashes"),
            **{name: fields.text(name) for name in needed},
            **{name: fields.text(name, value) or value for name, value in (usual | OLDEST).items()},
        )

    def to_json(self) -> JsonObject:
        """The meta in the file."""
        known_later: JsonObject = {
            "responses_hash": self.responses_hash,
            "example_iterations": self.example_iterations,
            "layer_axes": self.layer_axes,
            "guide_hashes": list(self.guide_hashes),
        }
        return {
            **self.settings,
            "classifier": self.classifier,
            "classifier_hash": self.classifier_hash,
            "gan_hash": self.gan_hash,
            "features_layer": self.features_layer,
            "front_end": dict(self.front_end),
            "classes": list(self.classes),
            "version": self.version,
            **self.target.to_json(),
            "unit": self.class_name,
            **{name: value for name, value in known_later.items() if value},
            **(self.lost.to_json() if self.lost else {}),
        }

    @property
    def unit(self) -> Unit:
        """The explained unit."""
        return self.target.unit

    @property
    def direction(self) -> str:
        """Whether its response was maximised (`max`) or minimised (`min`)."""
        return self.target.direction

    @property
    def title(self) -> str:
        """The class where it is one, else the unit, and `min` where it was minimised."""
        lowest = ", min" if self.direction == "min" else ""
        return f"{self.class_name or self.unit}{lowest}"

    @property
    def prefix(self) -> str:
        """The prefix of the keys of the real excerpts with which to compare."""
        return (BEYOND if self.beyond else "") + ("" if self.direction == "max" else "bottom_")

    @property
    def measured(self) -> MeasuredUnit:
        """The unit and networks with which comparable real excerpts are measured."""
        return MeasuredUnit(self.unit, self.features_layer, self.classifier_hash, self.front_end)

    def check_same_inputs(self, path: Path, made: ExplanationMeta) -> None:
        """Raise UsageError if a file with the meta `made` was made from other inputs than these."""
        for name in ("classifier", "gan", "responses"):
            if getattr(made, f"{name}_hash") != getattr(self, f"{name}_hash"):
                raise UsageError(
                    f"{path}: made with another {name} file than {getattr(self, name)} is now; "
                    "name another --out, or remove this one"
                )
        if made.precision != self.precision:
            raise UsageError(
                f"{path}: computed in {made.precision}, not in {self.precision} as here; name "
                "another --out, or remove this one"
            )
        if made.guide_hashes != self.guide_hashes:
            raise UsageError(
                f"{path}: made with other guides; name another --out, or remove this one"
            )


@dataclass(frozen=True)
class Explanations:
    """Arrays and meta of `explanations.npz`; `sizes` has the length of each axis letter."""

    path: Path
    arrays: dict[str, np.ndarray]
    meta: ExplanationMeta
    front_end: Input
    sizes: dict[str, int]

    @property
    def prefix(self) -> str:
        """The prefix of the keys of the real excerpts with which to compare."""
        return self.meta.prefix


def read_explanations(path: Path, exploded: bool = False) -> Explanations:
    """Read `explanations.npz`; errors as `read_arrays`, or with the name of a wrong array.

    With `exploded` its excerpts may contain values that are not finite, which a page reports.
    """
    arrays, document = read_searches(path, KIND, tuple(EXPLANATION_AXES))
    meta = ExplanationMeta.from_json(meta_fields(path, document))
    front_end = read_front_end(path, meta.front_end)
    axes = EXPLANATION_AXES | {k: v for k, v in FIXED_AXES.items() if k in arrays}
    sizes = check_shapes(path, arrays, axes_for(front_end, axes), {})
    unchecked = (*TRACES, "mel") if exploded else TRACES
    check_values(path, arrays, [name for name in axes if name not in unchecked])
    if set(arrays["trajectory"].tolist()) != set(range(sizes["L"])):
        raise GanexplainError(f"{path}: trajectory does not name all of 0 to {sizes['L'] - 1}")
    counts = arrays["iterations"]
    check_range(path, arrays, "iterations", 1)
    check_range(path, arrays, "learning_rate", 0)
    check_range(path, arrays, "prior_weight", 0)
    if (arrays["seed"] != meta.seed + np.arange(sizes["N"])).any():
        raise GanexplainError(f"{path}: seed does not count up from that of the run; make it again")
    check_range(path, arrays, "best_iteration", 0, counts[:, None])
    if sizes["S"] != counts.max() + 1:
        raise GanexplainError(
            f"{path}: the traces have {sizes['S']} values, not one for each of 0 to "
            f"{counts.max()} iterations; make it again"
        )
    for name in TRACES:
        for line, count in zip(arrays["trajectory"], counts, strict=True):
            check_values(path, {name: arrays[name][line, :, : count + 1]}, [name])
    _check_settings(path, arrays)
    return Explanations(path, arrays, meta, front_end, sizes)


def read_searches(
    path: Path, kind: str, keys: Sequence[str]
) -> tuple[dict[str, np.ndarray], Document]:
    """Arrays, by their present names, and meta of `explanations.npz` or a part of it.

    Errors as `read_arrays`.
    """
    arrays, document = read_arrays(path, kind, keys)
    for name, old in OLD_NAMES.items():
        if old in arrays:
            arrays[name] = arrays.pop(old)
    return arrays, document


def gan_path(explanations: Path, meta: ExplanationMeta) -> Path:
    """The file of the GAN, as it was named; of mixtures that of the run, wherever this is now."""
    if meta.settings.get("prior_from"):
        for folder in (explanations.parent, explanations.parent.parent):  # of one unit, of several
            if (folder / MIXTURES).is_file():
                return folder / MIXTURES
    return Path(meta.gan)


def read_explanation_meta(path: Path, kind: str = KIND) -> ExplanationMeta:
    """The meta of `explanations.npz` or of a part; errors as `read_meta` and `Fields`."""
    return ExplanationMeta.from_json(meta_fields(path, read_meta(path, kind)))


def is_made(path: Path, kind: str, meta: ExplanationMeta) -> bool:
    """Whether a unit's file or a part exists; UsageError if it was made from other inputs."""
    if not path.is_file():
        return False
    meta.check_same_inputs(path, read_explanation_meta(path, kind))
    return True


def meta_fields(path: Path, document: Document) -> Fields:
    """The fields of a file's meta, without those that all files of arrays have."""
    own = {name: value for name, value in document.items() if name not in ("kind", "schema")}
    return Fields(f"{path}: meta.", own)


def _check_settings(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise GanexplainError if a setting occurs twice or a trajectory has several settings."""
    names = ("learning_rate", "prior_weight", "trajectory", "iterations")
    rows = list(zip(*(arrays[name].tolist() for name in names), strict=True))
    pairs = {row[2]: row[:2] for row in rows}
    if len({(*row[:2], row[3]) for row in rows}) < len(rows):
        raise GanexplainError(f"{path}: a setting occurs twice; make it again")
    if any(pairs[row[2]] != row[:2] for row in rows):
        raise GanexplainError(f"{path}: trajectory is of several searches; make it again")
