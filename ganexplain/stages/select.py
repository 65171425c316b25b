"""`select`: explanations and real excerpts -> `responses.npz` and `selection.json`, `.npz`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.artifacts.attributions import AttributionRanking
from ganexplain.artifacts.responses import read_responses
from ganexplain.artifacts.selection import Selection
from ganexplain.config import SelectConfig
from ganexplain.files.atomic import read_json, write_json
from ganexplain.files.dataclass_files import read_dataclass, write_dataclass
from ganexplain.files.fields import Fields
from ganexplain.networks.units import Unit
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.part_results import KIND, NumberedPart, PartedRun, PartWork
from ganexplain.runs.parts import PARTS_FOLDER, remove_parts
from ganexplain.runs.progress import Progress
from ganexplain.runs.workers import Workers
from ganexplain.selection.attributions import attributions_in, rank_attributions
from ganexplain.selection.prediction import Probes
from ganexplain.selection.select_task import SelectTask
from ganexplain.selection.unit_selection import UnitSelection

PROBES = "probes.npz"  # file of what units are ranked by in the parts, for --by prediction
WRITTEN = "selection.json", "selection.npz", "responses.npz"  # files of a unit
WORTH_PROCESSES = 2  # units with controls from which several processes are faster


def select(
    config: SelectConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
) -> list[Selection] | AttributionRanking:
    """Rank the settings by their distance to the real excerpts that drive the unit most.

    Returns what is written as `selection.json`, one for each unit of the run explained: in `out`
    where there is one, else in folders of the units' names. The real responses are found
    in the training split, or taken from `config.responses`. A run of `attribute` is ranked by
    `rank_attributions` instead. An `executor` of any kind ranks units in place of the workers of
    the settings; units that are done are kept for `resume`.
    """
    workers = Workers.of(config, executor)
    attributions = attributions_in(Path(config.explanations))
    if attributions:
        return rank_attributions(config, attributions, out, progress, overwrite, resume)
    task = SelectTask.open(config)
    task.check_given()
    with RunDirectory(out, "select", config, overwrite, resume) as run:
        progress = run.keep_notes(progress)
        task.note_judges(run, progress)
        parts = UnitPart.all_of(task, run)
        if task.found:
            task.found.note_recordings(run)
        if run.finished and (earlier := _recorded(out, parts)):
            run.keep_record(progress)
            return earlier
        run.note_inputs()
        opened = UnitRanking(task, out, task.prepare(run, progress, workers))
        ranked = _rank_units(opened, parts, workers, progress)
        for found in ranked:
            for warning in found.selection.warnings:
                in_the_table = len(ranked) == 1 or warning == found.selection.weakness
                (run.log if in_the_table else progress.note)(f"{found.name}: {warning}")
        remove_parts(out)
        selections = [found.selection for found in ranked]
        run.results["chosen"] = [selection.chosen for selection in selections]
    return selections


@dataclass(frozen=True)
class UnitPart(NumberedPart):
    """A unit by its number in the run: its folder, and the hash of its explanations."""

    folder: str
    explanations_hash: str

    @classmethod
    def all_of(cls, task: SelectTask, run: RunDirectory) -> list[UnitPart]:
        """The parts of all units, whose explanations are recorded."""
        if len(task.files) == 1:
            return [cls(0, 1, "", run.used("explanations", task.files[0]))]
        names = [path.parent.name for path in task.files]
        hashes = [run.used(name, path) for name, path in zip(names, task.files, strict=True)]
        each = enumerate(zip(names, hashes, strict=True))
        return [cls(number, 1, name, digest) for number, (name, digest) in each]


def _recorded(out: Path, parts: Sequence[UnitPart]) -> list[Selection]:
    """What a finished run has written; empty if one of its files is not there."""
    if not all((out / part.folder / name).is_file() for part in parts for name in WRITTEN):
        return []
    paths = [out / part.folder / "selection.json" for part in parts]
    return [Selection.from_json(Fields(f"{path}: ", read_json(path))) for path in paths]


@dataclass(frozen=True)
class RankedUnit:
    """The ranking of a unit, and the name of the unit."""

    selection: Selection
    name: str


class UnitRanking:
    """Ranks units of a run in any process, whose real responses are in their folders."""

    def __init__(self, task: SelectTask, out: Path, probes: Probes | None) -> None:
        self.task, self.out, self.probes = task, out, probes

    @classmethod
    def open(cls, config: SelectConfig, out: Path) -> UnitRanking:
        """What a worker opens by the settings and the files of the run."""
        task = SelectTask.open(config)
        return cls(task, out, StoredProbes.read(out, task.units) if task.encoder else None)

    def files(self, part: UnitPart, ranked: RankedUnit) -> Iterable[Path]:
        """The files of a unit."""
        return (self.out / part.folder / name for name in WRITTEN)

    def write_real(self, part: UnitPart) -> None:
        """Write the real responses of a unit."""
        real = self.task.real(part.number, self.task.explanations(part.number))
        real.write(self.out / part.folder / "responses.npz")

    def __call__(self, part: UnitPart, progress: Progress) -> RankedUnit:
        """Rank the settings of a unit and write its files."""
        folder, explanations = self.out / part.folder, self.task.explanations(part.number)
        wanted, sizes = explanations.meta.measured, explanations.sizes
        real = read_responses(folder / "responses.npz", explanations.path, wanted, sizes)
        unit = UnitSelection(self.task, explanations, real, folder, self.probes)
        selection = unit.select(progress, part.explanations_hash)
        write_json(folder / "selection.json", selection.to_json())
        return RankedUnit(selection, unit.name)


def _rank_units(
    opened: UnitRanking, parts: list[UnitPart], workers: Workers, progress: Progress
) -> list[RankedUnit]:
    """Rank the units that an earlier run has not ranked."""
    config, out, task = opened.task.config, opened.out, opened.task
    work = PartWork(
        RankedUnit, UnitRanking.open, (config, out), opened, steps=True, files=opened.files
    )
    todo = [part for part in parts if not work.is_done(part, out)]
    for part in todo:
        opened.write_real(part)
    if opened.probes:
        StoredProbes.write(opened.probes, out)
    on_cpu = task.explained is None or task.explained.device.type == "cpu"
    worth_it = on_cpu and config.controls and len(todo) >= WORTH_PROCESSES
    return PartedRun(out, workers, progress, "units", worth_it).results(parts, work)


@dataclass(frozen=True)
class StoredProbes:
    """`Probes` in a file of the run, with the responses (U, M) of the units in their order."""

    responses: np.ndarray
    outputs: np.ndarray
    encoded: Mapping[str, np.ndarray]
    recording: np.ndarray

    @staticmethod
    def write(probes: Probes, out: Path) -> None:
        """Write the file."""
        responses = np.stack(list(probes.responses.values()))
        found = StoredProbes(responses, probes.outputs, probes.encoded, probes.recording)
        write_dataclass(out / PARTS_FOLDER / PROBES, KIND, found)

    @staticmethod
    def read(out: Path, units: Sequence[Unit]) -> Probes:
        """The probes of units in the file."""
        found = read_dataclass(out / PARTS_FOLDER / PROBES, KIND, StoredProbes)
        responses = dict(zip(dict.fromkeys(units), found.responses, strict=True))
        return Probes(responses, found.outputs, found.encoded, found.recording)
