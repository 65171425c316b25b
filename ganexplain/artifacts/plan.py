"""What an `explain` run is to search: which units, in which parts, and which parts are its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ganexplain.errors import GanexplainError, UsageError, short_repr
from ganexplain.files.arrays import read_meta
from ganexplain.files.atomic import read_json
from ganexplain.networks.units import Unit

PART = "explanations part"

DIRECTIONS = {"max": ("max",), "min": ("min",), "both": ("max", "min")}
PLAN_FILE, PARTS_FOLDER = "plan.json", "parts"
MOST_PARTS = 1_000_000


@dataclass(frozen=True)
class SearchTarget:
    """A unit and what to do with its activation: `max` or `min`."""

    unit: Unit
    direction: str

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """That of `plan.json` or a meta; UsageError where it names no unit."""
        return cls(Unit.from_meta(fields["layer"], fields["neuron"]), fields["direction"])

    def to_json(self) -> dict[str, Any]:
        """Its fields in `plan.json` and in metas."""
        unit = self.unit
        return {"layer": unit.layer, "neuron": unit.neuron, "direction": self.direction}

    @property
    def name(self) -> str:
        """Of its folder and its parts."""
        return f"{self.unit.file_name}-{self.direction}"


@dataclass(frozen=True)
class Part:
    """The rows `first` to `last` (the latter not included) of one target's searches."""

    target: SearchTarget
    block: int
    first: int
    last: int

    @property
    def name(self) -> str:
        """Of its file, without folder."""
        return f"{self.target.name}-{self.block:03d}.npz"


@dataclass(frozen=True)
class Plan:
    """All targets of a run and the bounds (B + 1,) of the blocks of each one's rows."""

    targets: tuple[SearchTarget, ...]
    bounds: tuple[int, ...]

    def parts(self, target: SearchTarget) -> list[Part]:
        """The parts of one target, in the order of their rows."""
        spans = zip(self.bounds, self.bounds[1:], strict=False)
        return [Part(target, block, *span) for block, span in enumerate(spans)]

    def all_parts(self) -> list[Part]:
        """The parts of all targets, in their order."""
        return [part for target in self.targets for part in self.parts(target)]

    def document(self) -> dict[str, Any]:
        """Content of `plan.json`."""
        return {"units": [target.to_json() for target in self.targets], "bounds": list(self.bounds)}

    def path(self, out: Path, target: SearchTarget) -> Path:
        """Where the explanations of a target stand: by themselves where there is but one."""
        folder = out if len(self.targets) == 1 else out / target.name
        return folder / "explanations.npz"


def read_plan(out: Path) -> Plan:
    """The plan of a run; GanexplainError where `plan.json` is damaged."""
    document = read_json(out / PLAN_FILE)
    try:
        targets = tuple(map(SearchTarget.from_json, document["units"]))
        plan = Plan(targets, tuple(document["bounds"]))
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise GanexplainError(f"{out / PLAN_FILE}: not a plan ({error}); make it again") from error
    # Names of units become names of folders: those of other directions could lead out of the run.
    for target in plan.targets:
        if not isinstance(target.unit.layer, str) or target.direction not in DIRECTIONS["both"]:
            named = short_repr(target.to_json())
            raise GanexplainError(f"{out / PLAN_FILE}: {named} is no unit; make it again")
    if not plan.targets or not all(isinstance(bound, int) for bound in plan.bounds):
        raise GanexplainError(f"{out / PLAN_FILE}: not a plan; make it again")
    if len(plan.targets) * len(plan.bounds) > MOST_PARTS:
        raise GanexplainError(f"{out / PLAN_FILE}: more than {MOST_PARTS:,} parts; make it again")
    return plan


def parse_shard(text: str) -> tuple[int, int] | None:
    """(i, n) of `i/n`, i from 0 to n - 1; None of nothing. UsageError for anything else."""
    if not text:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or int(found[1]) >= int(found[2]):
        raise UsageError(f"--shard {text}: give i/n with i from 0 to n - 1, as in 0/8")
    return int(found[1]), int(found[2])


def part_path(out: Path, part: Part) -> Path:
    """Where a part stands until it is merged."""
    return out / PARTS_FOLDER / part.name


def is_done(out: Path, part: Part, meta: Mapping[str, Any]) -> bool:
    """Whether a part is there; UsageError where it is of other checkpoints."""
    path = part_path(out, part)
    if not path.is_file():
        return False
    check_same_inputs(path, read_meta(path, PART), meta)
    return True


def check_same_inputs(path: Path, found: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
    """UsageError where a file was made from other inputs than `meta` names."""
    for name in ("classifier", "gan", "responses"):
        if found.get(f"{name}_hash") != meta.get(f"{name}_hash"):
            raise UsageError(
                f"{path}: made with another {name} file than {meta[name]} is now; name another "
                "--out, or remove this one"
            )
