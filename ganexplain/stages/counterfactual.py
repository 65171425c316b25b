"""`counterfactual`: real excerpts and network -> what must change for another decision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from ganexplain.artifacts.counterfactuals import (
    ChangedExcerpt,
    Counterfactuals,
    recorded_excerpts,
    within,
)
from ganexplain.artifacts.edits import EditedExcerpt
from ganexplain.ascent.priors import NEAR, SEARCH_PRIORS, is_weightless
from ganexplain.config import CounterfactualConfig
from ganexplain.corpora.single import StartExcerpt
from ganexplain.counterfactuals.boundary import DecisionBoundary, decision_boundary, parse_level
from ganexplain.counterfactuals.changed_excerpts import (
    CounterfactualTask,
    ExcerptChange,
    ExcerptChanger,
)
from ganexplain.counterfactuals.edited_excerpts import EditTask, ExcerptEdit, ExcerptEditor
from ganexplain.errors import GanexplainError, UsageError, check_known
from ganexplain.files.arrays import write_arrays
from ganexplain.files.atomic import JsonObject
from ganexplain.files.names import LONGEST, distinct_names, shorten_name
from ganexplain.networks.decisions import AUTO
from ganexplain.networks.source import named_source
from ganexplain.report.changed_excerpts import ChangeWriter
from ganexplain.report.counterfactuals import remarks
from ganexplain.report.edited_excerpts import EditWriter
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.part_results import NumberedPart, PartedRun, PartWork
from ganexplain.runs.parts import remove_parts
from ganexplain.runs.progress import Progress
from ganexplain.runs.tasks import Advance
from ganexplain.runs.workers import Workers
from ganexplain.selection.judges import network_names
from ganexplain.version import __version__

RECORDING, GAN = "recording", "gan"
OF_THE_OTHER = {
    RECORDING: (
        "prior", "prior_weight", "learning_rate", "refine_steps", "griffin_lim_iterations"
    ),
    GAN: ("cells", "judge"),
}  # fmt: skip
WORTH_PROCESSES = 4000  # steps (about a minute) from which several processes are faster
# Bytes of an excerpt's name in those of its files.
MOST_NAME = LONGEST - len("-counterfactual.flac")
Found = TypeVar("Found", ExcerptChange, ExcerptEdit)
Entry = TypeVar("Entry", ChangedExcerpt, EditedExcerpt)


def counterfactual(
    config: CounterfactualConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
) -> Counterfactuals:
    """Write `counterfactual.npz`, and sounds and a picture of each excerpt.

    Raises UsageError for an excerpt that is not there, settings out of range or checkpoints that
    do not belong together, GanexplainError for a GAN without encoder. An `executor` of any kind
    searches in place of the workers of the settings; excerpts that are done are kept for `resume`.
    """
    _check_settings(config)
    workers = Workers.of(config, executor)
    task = _open_task(config)
    with decision_boundary(config, task.explained, task.trials()) as divided:
        opened = StartChange(task, divided, out)
        with RunDirectory(out, "counterfactual", config, overwrite, resume) as run:
            progress = run.keep_notes(progress)
            _note_inputs(task, run)
            unit, kind = divided.unit, ChangedExcerpt if config.on == GAN else EditedExcerpt
            result = Counterfactuals(
                task.source.name, config.gan, unit.layer, unit.neuron, divided.name,
                divided.meaning, recorded_excerpts(run.finished, out, kind) if run.finished else (),
                divided.level,
            )  # fmt: skip
            if result.excerpts:
                run.keep_record(progress)
                return result
            run.note_inputs()
            found = _change_all(opened, out, workers, progress)
            entries = [one.excerpt for one in found]
            result = replace(result, excerpts=tuple(within(entry, out) for entry in entries))
            for entry in entries:
                for note in remarks(entry):
                    progress.note(note)
            arrays = {key: np.stack([one.arrays[key] for one in found]) for key in found[0].arrays}
            meta = _meta(task, result, run.inputs)
            write_arrays(out / "counterfactual.npz", "counterfactual", arrays, meta)
            remove_parts(out)
            run.results.update(_results(entries))
    return result


def _results(entries: Sequence[ChangedExcerpt | EditedExcerpt]) -> JsonObject:
    """The results in `run.json`."""
    return {
        "excerpts": [entry.to_json() for entry in entries],
        "starts_without_gradient": sum(entry.no_gradient for entry in entries),
    }


def _open_task(config: CounterfactualConfig) -> EditTask | CounterfactualTask:
    if config.on == GAN:
        return CounterfactualTask.open(config)
    judges = map(named_source, config.judge)
    return EditTask.open(config, dict(zip(network_names(config.judge), judges, strict=True)))


def _note_inputs(task: EditTask | CounterfactualTask, run: RunDirectory) -> None:
    """Record the files of the networks and of the excerpts."""
    for prefix, source in task.networks().items():
        for name, path in source.files().items():
            run.used(prefix + name, path)
    if task.config.gan:
        run.used("gan", Path(task.config.gan))
    for start in task.starts:
        run.used(str(start.path), start.path)


@dataclass(frozen=True)
class StartPart(NumberedPart):
    """An excerpt, FILE@SECONDS, and what the names of its files begin with."""

    text: str
    name: str


@dataclass(frozen=True)
class StartResult(Generic[Entry]):
    """The arrays of an excerpt in `counterfactual.npz`, and its entry in the document."""

    arrays: Mapping[str, np.ndarray]
    excerpt: Entry


Changed = StartResult[ChangedExcerpt] | StartResult[EditedExcerpt]


class StartChange:
    """Changes excerpts of a run in any process, and writes their sounds and pictures."""

    def __init__(
        self, task: EditTask | CounterfactualTask, divided: DecisionBoundary, out: Path
    ) -> None:
        self.task, self.divided, self.out = task, divided, out
        self.do: Callable[[StartExcerpt, Path, Advance], Changed]
        if isinstance(task, EditTask):
            self.do = _doing(ExcerptEditor(task, divided).edit, EditWriter(task, divided).write)
        else:
            self.do = _doing(
                ExcerptChanger(task, divided).change, ChangeWriter(task, divided).write
            )
        self.open_for_good: ExitStack | None = None  # of a process that does nothing else

    @classmethod
    def open(cls, config: CounterfactualConfig, out: Path) -> StartChange:
        """What a worker opens by the settings, for the rest of its process."""
        needed = config if config.on == RECORDING else replace(config, start_from=())
        task, kept = _open_task(needed), ExitStack()
        divided = kept.enter_context(decision_boundary(config, task.explained, task.trials()))
        found = cls(task, divided, out)
        found.open_for_good = kept
        return found

    def files(self, part: StartPart, found: Changed) -> Iterable[Path]:
        """The sounds and the picture of an excerpt."""
        return (self.out / name for name in (*found.excerpt.sounds, found.excerpt.picture))

    def __call__(self, part: StartPart, progress: Progress) -> Changed:
        """Change an excerpt."""
        start = self.task.read(part.text)
        return self.do(start, self.out / part.name, progress.advance)


def _doing(
    search: Callable[[StartExcerpt, Advance], Found],
    write: Callable[[StartExcerpt, Path, Found], Entry],
) -> Callable[[StartExcerpt, Path, Advance], StartResult[Entry]]:
    """What searches a change of an excerpt, and writes its files."""

    def do(start: StartExcerpt, base: Path, advance: Advance) -> StartResult[Entry]:
        found = search(start, advance)
        return StartResult(found.arrays, write(start, base, found))

    return do


def _change_all(
    opened: StartChange, out: Path, workers: Workers, progress: Progress
) -> Sequence[Changed]:
    """Change each excerpt; GanexplainError where none has a gradient, and nothing is kept."""
    task, config = opened.task, opened.task.config
    steps = config.iterations + (2 * config.refine_steps if config.on == GAN else 0)
    names = _file_names(task.starts)
    parts = [
        StartPart(number, steps, start.text, name)
        for number, (start, name) in enumerate(zip(task.starts, names, strict=True))
    ]
    kind: Any = StartResult[ChangedExcerpt] if config.on == GAN else StartResult[EditedExcerpt]
    work: PartWork[Changed] = PartWork(
        kind, StartChange.open, (config, out), opened, files=opened.files
    )
    worth_it = task.explained.device.type == "cpu" and steps * len(parts) >= WORTH_PROCESSES
    found = PartedRun(out, workers, progress, "counterfactuals", worth_it).results(parts, work)
    if not all(one.excerpt.no_gradient for one in found):
        return found
    for part, one in zip(parts, found, strict=True):
        for path in opened.files(part, one):
            path.unlink(missing_ok=True)
    remove_parts(out)
    raise GanexplainError(
        f"{opened.divided.unit}: the response has no gradient at any of the {len(found)} "
        "excerpts (a dead rectifier, say); choose other excerpts or another unit"
    )


def _meta(
    task: EditTask | CounterfactualTask, result: Counterfactuals, inputs: Mapping[str, str]
) -> JsonObject:
    """The meta of `counterfactual.npz`."""
    return {
        **asdict(task.config),
        "layer": result.layer,
        "neuron": result.neuron,
        "unit": result.unit,
        "divide": result.divide,
        "classifier_hash": task.source.digest(),
        "gan_hash": inputs.get("gan", ""),
        "front_end": asdict(task.input_spec),
        "version": __version__,
    }


def _check_settings(config: CounterfactualConfig) -> None:
    check_known("--on", config.on, (RECORDING, GAN))
    for name in OF_THE_OTHER[config.on]:
        if getattr(config, name) != getattr(CounterfactualConfig, name):
            raise UsageError(
                f"--{name.replace('_', '-')}: does nothing with --on {config.on}; leave it out"
            )
    if config.on == GAN and not config.gan:
        raise UsageError("--on gan: name a GAN with --gan")
    if not 0 < config.cells <= 1:
        raise UsageError(f"--cells {config.cells:g}: give a share above 0, up to 1")
    check_known("--prior", config.prior, (NEAR, *SEARCH_PRIORS))
    if config.outputs != AUTO and not config.model:
        raise UsageError("--outputs: goes with --model; the outputs of a classifier.pt are logits")
    if not config.start_from:
        raise UsageError("--start-from: give at least one FILE@SECONDS")
    if not 0 < config.learning_rate < math.inf:
        raise UsageError(f"--learning-rate {config.learning_rate:g}: must be above zero")
    if not math.isfinite(config.prior_weight):
        raise UsageError(f"--prior-weight {config.prior_weight:g}: must be a finite number")
    if config.prior != NEAR:
        given = config.prior_weight not in (CounterfactualConfig.prior_weight, 0)
        is_weightless(config.prior, given)
    if ":" in config.layer and config.neuron != CounterfactualConfig.neuron:
        raise UsageError(
            f"--neuron {config.neuron}: --layer {config.layer} names the unit already; leave one "
            "of them out"
        )
    if config.level:
        parse_level(config.level)


def _file_names(starts: Sequence[StartExcerpt]) -> list[str]:
    """What the names of the files of each excerpt begin with."""
    wished = [shorten_name(each.path.stem, f"-{each.seconds:g}s", MOST_NAME) for each in starts]
    return distinct_names(wished, MOST_NAME)
