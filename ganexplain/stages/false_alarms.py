"""`false-alarms`: a network and recordings without a class -> where it finds it, and why."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from ganexplain.artifacts.edits import EditedExcerpt
from ganexplain.artifacts.false_alarms import (
    ExplainedAlarms,
    FoundAlarms,
    RecordingAlarms,
)
from ganexplain.attribution.alarm_groups import (
    ClassFiles,
    Counts,
    FoundGroup,
    chosen_alarms,
    count_alarms,
    explain_alarms,
    group_alarms,
)
from ganexplain.attribution.alarm_sounds import ITERATIONS, GeneratedClass, generate_sounds
from ganexplain.attribution.alarms import AlarmTask
from ganexplain.config import CounterfactualConfig, FalseAlarmsConfig
from ganexplain.corpora.recordings import Recording
from ganexplain.counterfactuals.boundary import output_level
from ganexplain.errors import GanexplainError, UsageError, skipping_bad_file
from ganexplain.networks.black_box import find_black_box
from ganexplain.networks.decisions import AUTO
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.part_results import NumberedPart, PartedRun, PartWork
from ganexplain.runs.parts import remove_parts
from ganexplain.runs.progress import Progress, note_skipped
from ganexplain.runs.workers import Workers
from ganexplain.stages.counterfactual import counterfactual

EDITS = "edits"  # folder of the smallest edits, by class
WORTH_PROCESSES = 32  # recordings to hear, or alarms to explain, from which several are faster


def false_alarms(
    config: FalseAlarmsConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
) -> FoundAlarms:
    """Write `false-alarms.json`, and a page and the sounds of each class with alarms.

    Raises UsageError for a network that takes no recordings, an unknown class or a corpus without
    anything that is known not to have it; BadFile for a recording that cannot be used. An
    `executor` of any kind works in place of the workers of the settings; recordings that are done
    are kept for `resume`.
    """
    workers = Workers.of(config, executor)
    task = AlarmTask.open(config)
    with RunDirectory(out, "false-alarms", config, overwrite, resume) as run:
        progress = run.keep_notes(progress)
        for name, path in task.source.files().items():
            run.used(name, path)
        run.used_recordings("corpus", task.corpus.recordings)
        if run.finished and (again := FoundAlarms.recorded(out)):
            run.keep_record(progress)
            return again
        run.note_inputs()
        if config.outputs == AUTO and task.source.model:
            progress.note(f"what the network puts out is taken for {task.kind} (--outputs)")
        for note in filter(None, (task.unlabelled(), task.scores_note())):
            progress.note(note)
        done = _find(Parted(task, out, workers, progress))
        done.write(out)
        remove_parts(out)
        run.results.update(alarms={each.name: each.alarms for each in done.classes})
    return done


def _find(parted: Parted) -> FoundAlarms:
    """The false alarms of all classes, whose pages and sounds are written."""
    task, heard = parted.task, parted.listen()
    skipped = tuple(reason for each in heard for reason in each.skipped)
    note_skipped(parted.progress, skipped)
    if len(skipped) == len(heard):
        raise GanexplainError(
            f"{task.corpus.name}: none of its recordings can be used, the first: {skipped[0]}"
        )
    explained, generated = parted.explain(heard), parted.generate(heard)
    classes, counts = [], Counts.of(heard, len(task.classes))
    for number in task.targets:
        found = count_alarms(task, number, counts)
        if not found.excerpts:
            parted.progress.note(
                f"{found.name}: left out, as no excerpt of {task.sound.seconds:g} s is "
                "labelled as without it; label some"
            )
            continue
        groups, made = group_alarms(task, number, explained), generated.get(number)
        edits = _edits(parted, number, groups) if task.config.edits else []
        classes.append(ClassFiles(task, number, parted.out).write(found, groups, edits, made))
    if not classes:
        raise UsageError(
            f"{task.corpus.name}: no {task.sound.seconds:g} s of it are labelled as without "
            f"{', '.join(task.classes[k] for k in task.targets)}; name a corpus that has such"
        )
    return FoundAlarms(task.source.name, task.kind, task.sound.seconds, tuple(classes), skipped)


@dataclass(frozen=True)
class ListenPart(NumberedPart):
    """A recording, by its number in the corpus."""

    file: str


@dataclass(frozen=True)
class ExplainPart(NumberedPart):
    """Alarms of a recording: the samples where they start, and the numbers of their classes."""

    file: str
    starts: tuple[int, ...]
    classes: tuple[int, ...]


@dataclass(frozen=True)
class GeneratePart(NumberedPart):
    """The sounds to generate for a class, by its number.

    They are not mixed from recordings that were `skipped`, by their numbers in the corpus.
    """

    target: int
    skipped: tuple[int, ...]


@dataclass(frozen=True)
class Parted:
    """The work of a run that is divided: recording by recording."""

    task: AlarmTask
    out: Path
    workers: Workers
    progress: Progress

    def listen(self) -> list[RecordingAlarms]:
        """The alarms of each recording."""
        recordings = self.task.corpus.recordings
        parts = [ListenPart(k, 1, str(each.path)) for k, each in enumerate(recordings)]
        work = PartWork(
            RecordingAlarms, Listen, (self._settings,), Listen(self.task.config, self.task)
        )
        return self._run("listening", len(parts) >= WORTH_PROCESSES).results(parts, work)

    def explain(self, heard: Sequence[RecordingAlarms]) -> list[ExplainedAlarms]:
        """The causes of at most so many alarms of each class as the settings say."""
        recordings, first = self.task.corpus.recordings, len(heard)
        parts = [
            ExplainPart(first + k, len(starts), str(recordings[k].path), starts, classes)
            for k, (starts, classes) in enumerate(chosen_alarms(heard, self.task.config.most))
            if starts
        ]
        work = PartWork(
            ExplainedAlarms, Explain, (self._settings,), Explain(self.task.config, self.task)
        )
        alarms = sum(part.units for part in parts)
        return self._run("causes", alarms >= WORTH_PROCESSES).results(parts, work)

    def generate(self, heard: Sequence[RecordingAlarms]) -> dict[int, GeneratedClass]:
        """Sounds that are taken for each class that has alarms or was named."""
        task, number = self.task, len(heard) + len(self.task.corpus.recordings)
        alarmed = {each for one in heard for each in one.classes.tolist()}
        units = ITERATIONS * task.config.generated
        skipped = tuple(k for k, one in enumerate(heard) if one.skipped)
        parts = [
            GeneratePart(number + k, units, each, skipped)
            for k, each in enumerate(task.targets)
            if units
            and (each in alarmed or task.is_named(each))
            and any(one.excerpts[each] for one in heard)
        ]
        opened = Generate(task.config, self.out, task)
        work = PartWork(
            GeneratedClass, Generate, (self._settings, self.out), opened,
            files=lambda part, found: (Path(each.sound) for each in found.sounds),
        )  # fmt: skip
        found = self._run("generating", len(parts) > 1).results(parts, work)
        return {part.target: one for part, one in zip(parts, found, strict=True) if one.sounds}

    @property
    def _settings(self) -> FalseAlarmsConfig:
        """The settings of workers, which need not guess the kind of the outputs again."""
        return replace(self.task.config, outputs=self.task.kind)

    def _run(self, title: str, is_long: bool) -> PartedRun:
        """A step, for which processes are worth their start if it is long and on a CPU."""
        worth_it = is_long and self.task.explained.device.type == "cpu"
        return PartedRun(self.out, self.workers, self.progress, title, worth_it)


class Listen:
    """Finds the alarms of recordings, in any process."""

    def __init__(self, config: FalseAlarmsConfig, task: AlarmTask | None = None) -> None:
        self.task = task or AlarmTask.open(config)
        self.recordings = {str(each.path): each for each in self.task.corpus.recordings}

    def __call__(self, part: ListenPart, progress: Progress) -> RecordingAlarms:
        """Find the alarms of a recording."""
        skipped: list[str] = []
        recording: Recording = self.recordings[part.file]
        with skipping_bad_file(self.task.config.skip_bad_files, skipped.append):
            return self.task.listen(recording)
        return RecordingAlarms.none(len(self.task.classes), skipped)


class Explain:
    """Finds the causes of alarms, in any process."""

    def __init__(self, config: FalseAlarmsConfig, task: AlarmTask | None = None) -> None:
        self.task = task or AlarmTask.open(config)

    def __call__(self, part: ExplainPart, progress: Progress) -> ExplainedAlarms:
        """Explain the alarms of a recording."""
        named = zip(part.starts, part.classes, strict=True)
        return explain_alarms(self.task, Path(part.file), list(named), progress.advance)


class Generate:
    """Generates the sounds of classes, in any process."""

    def __init__(self, config: FalseAlarmsConfig, out: Path, task: AlarmTask | None = None) -> None:
        self.task, self.out = task or AlarmTask.open(config), out

    def __call__(self, part: GeneratePart, progress: Progress) -> GeneratedClass:
        """Generate the sounds of a class."""
        corpus = self.task.corpus
        usable = [each for k, each in enumerate(corpus.recordings) if k not in part.skipped]
        task = replace(self.task, corpus=corpus.only(usable))
        return generate_sounds(task, part.target, self.out, progress.advance)


def _edits(parted: Parted, number: int, groups: Sequence[FoundGroup]) -> list[EditedExcerpt | None]:
    """The smallest edits of the first alarms of groups; none of networks without gradients."""
    task, progress = parted.task, parted.progress
    settings = _edit_settings(task, number)
    first = [each.record.alarms[0] for each in groups]
    whole = [each.excerpt for each in first if each.is_whole]
    if settings is None or not whole:
        return []
    settings = replace(settings, start_from=tuple(whole))
    folder = parted.out / EDITS / task.stem(number)
    try:
        found = counterfactual(settings, folder, progress, resume=True)
    except GanexplainError as error:
        progress.note(f"{task.classes[number]}: no edits ({error})")
        return []
    edits = {each.excerpt: cast(EditedExcerpt, each) for each in found.excerpts}
    return [edits.get(each.excerpt) for each in first]


def _edit_settings(task: AlarmTask, number: int) -> CounterfactualConfig | None:
    """The settings of `counterfactual` for the decision for a class; None if it has no gradient."""
    explained, config, level = task.explained, task.config, ""
    if find_black_box(explained.network):
        return None
    if task.kind == "activations":
        level = f"{config.level:g}"
    elif not explained.names.classes:
        if explained.outputs > 1:
            return None  # its decision is about classes, which have no names
        level = f"{output_level(explained, task.kind):g}"
    names = ("classifier", "model", "weights", "input", "backend", "trust_pickle", "trust_features",
             "device", "seed")  # fmt: skip
    return CounterfactualConfig(
        start_from=(), neuron=str(number if explained.outputs > 1 else 0), level=level,
        outputs=task.kind if task.source.model else AUTO, workers="1",
        **{name: getattr(config, name) for name in names},
    )  # fmt: skip
