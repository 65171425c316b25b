"""`select`: explanations and real excerpts -> `responses.npz` and `selection.json`, `.npz`."""

from __future__ import annotations

from pathlib import Path

from ganexplain.artifacts.attributions import AttributionRanking
from ganexplain.artifacts.selection import Selection
from ganexplain.config import SelectConfig
from ganexplain.files.atomic import write_json
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.progress import Progress
from ganexplain.selection.attributions import attributions_in, rank_attributions
from ganexplain.selection.prediction import Probes
from ganexplain.selection.select_task import SelectTask
from ganexplain.selection.unit_selection import UnitSelection


def select(
    config: SelectConfig, out: Path, progress: Progress, overwrite: bool = False
) -> list[Selection] | AttributionRanking:
    """Rank the settings by their distance to the real excerpts that drive the unit most.

    Returns what is written as `selection.json`, one for each unit of the run explained: in `out`
    where there is one, else in folders of the units' names. The real responses are found
    in the training split, or taken from `config.responses`. A run of `attribute` is ranked by
    `rank_attributions` instead.
    """
    attributions = attributions_in(Path(config.explanations))
    if attributions:
        return rank_attributions(config, attributions, out, progress, overwrite)
    task = SelectTask.open(config)
    with RunDirectory(out, "select", config, overwrite) as run:
        progress = run.keep_notes(progress)
        task.note_judges(run, progress)
        probes = task.prepare(run, progress)
        numbers = range(len(task.files))
        selections = [_rank_unit(task, index, run, progress, probes) for index in numbers]
        run.results["chosen"] = [selection.chosen for selection in selections]
    return selections


def _rank_unit(
    task: SelectTask, index: int, run: RunDirectory, progress: Progress, probes: Probes | None
) -> Selection:
    """Rank the settings of one unit and write its files."""
    path, single = task.files[index], len(task.files) == 1
    folder = run.path if single else run.path / path.parent.name
    digest = run.used("explanations" if single else path.parent.name, path)
    explanations = task.explanations(index)
    real = task.real(index, explanations)
    real.write(folder / "responses.npz")
    unit = UnitSelection(task, explanations, real, folder, probes)
    selection = unit.select(progress, digest)
    for warning in selection.warnings:
        in_the_table = single or warning == unit.weakness
        (run.log if in_the_table else progress.note)(f"{unit.name}: {warning}")
    write_json(folder / "selection.json", selection.to_json())
    return selection
