"""`plan.json` of an `explain` run: the units to search, and the parts of their searches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.atomic import JsonObject, read_json
from ganexplain.files.fields import Fields
from ganexplain.networks.units import Unit

PART = "explanations part"
DIRECTIONS = {"max": ("max",), "min": ("min",), "both": ("max", "min")}
PLAN_FILE, PARTS_FOLDER = "plan.json", "parts"
TRIALS_FOLDER = f"{PARTS_FOLDER}/trials"  # of settings, in the run directory
MOST_PARTS = 1_000_000


@dataclass(frozen=True)
class SearchTarget:
    """A unit, and whether its response is maximised (`max`) or minimised (`min`)."""

    unit: Unit
    direction: str

    @classmethod
    def from_json(cls, fields: Fields) -> Self:
        """The target in `plan.json` or a meta; errors as `Fields`."""
        layer, neuron = fields.text("layer"), fields.neuron("neuron")
        if fields.text("direction") not in DIRECTIONS["both"]:
            raise fields.wrong("direction", "max or min")
        try:
            return cls(Unit.from_meta(layer, neuron), fields.text("direction"))
        except UsageError as error:
            raise GanexplainError(f"{fields.place}neuron {error}; {fields.remedy}") from error

    def to_json(self) -> JsonObject:
        """Its fields in `plan.json` and in metas."""
        unit = self.unit
        return {"layer": unit.layer, "neuron": unit.neuron, "direction": self.direction}

    @property
    def name(self) -> str:
        """The name of its folder and its parts."""
        return f"{self.unit.file_name}-{self.direction}"


@dataclass(frozen=True)
class Part:
    """The rows `first` to before `last` of one target's searches."""

    target: SearchTarget
    block: int
    first: int
    last: int

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.target.name}-{self.block:03d}.npz"


@dataclass(frozen=True)
class Plan:
    """All targets of a run, and the bounds (B + 1,) of the blocks of rows of each target."""

    targets: tuple[SearchTarget, ...]
    bounds: tuple[int, ...]

    def parts(self, target: SearchTarget) -> list[Part]:
        """The parts of one target, in the order of their rows."""
        spans = zip(self.bounds, self.bounds[1:], strict=False)
        return [Part(target, block, *span) for block, span in enumerate(spans)]

    def all_parts(self) -> list[Part]:
        """The parts of all targets, in their order."""
        return [part for target in self.targets for part in self.parts(target)]

    def to_json(self) -> JsonObject:
        """The content of `plan.json`."""
        return {"units": [target.to_json() for target in self.targets], "bounds": list(self.bounds)}

    def path(self, out: Path, target: SearchTarget) -> Path:
        """The path of a target's explanations, in a folder if there are several targets."""
        folder = out if len(self.targets) == 1 else out / target.name
        return folder / "explanations.npz"


def read_plan(out: Path) -> Plan:
    """The plan of a run; GanexplainError if `plan.json` is damaged."""
    path = out / PLAN_FILE
    fields = Fields(f"{path}: ", read_json(path))
    targets = tuple(map(SearchTarget.from_json, fields.children("units")))
    plan = Plan(targets, fields.integers("bounds"))
    if not plan.targets or len(plan.bounds) < 2:
        raise GanexplainError(f"{path}: not a plan; make it again")
    if len(plan.targets) * len(plan.bounds) > MOST_PARTS:
        raise GanexplainError(f"{path}: more than {MOST_PARTS:,} parts; make it again")
    return plan


def parse_shard(text: str) -> tuple[int, int] | None:
    """(i, n) of `i/n`, i from 0 to n - 1; None for an empty text; UsageError for anything else."""
    if not text:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or int(found[1]) >= int(found[2]):
        raise UsageError(f"--shard {text}: give i/n with i from 0 to n - 1, as in 0/8")
    return int(found[1]), int(found[2])


def part_path(out: Path, part: Part) -> Path:
    """The path of a part that is not merged."""
    return out / PARTS_FOLDER / part.name
