"""`counterfactual`: real excerpts, network and GAN -> what must change for another decision."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ganexplain.artifacts.counterfactuals import ChangedExcerpt, Counterfactuals, States
from ganexplain.ascent.boundary import (
    DecisionBoundary,
    Trials,
    decision_boundary,
    parse_level,
)
from ganexplain.ascent.changed_excerpts import (
    RETOUCHED,
    STATES,
    CounterfactualTask,
    ExcerptChange,
    ExcerptChanger,
)
from ganexplain.ascent.priors import NEAR, SEARCH_PRIORS, is_weightless
from ganexplain.audio.difference import measure_change
from ganexplain.audio.io import encode_flac
from ganexplain.audio.sonify import limit_peak, sonify
from ganexplain.config import CounterfactualConfig
from ganexplain.corpora.single import StartExcerpt, parse_start
from ganexplain.errors import GanexplainError, UsageError, check_known
from ganexplain.files.arrays import write_arrays
from ganexplain.files.atomic import JsonObject, write_bytes
from ganexplain.files.names import LONGEST, distinct_names, shorten_name
from ganexplain.networks.decisions import AUTO
from ganexplain.report.pictures.change_picture import change_picture
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.part_results import NumberedPart, PartedRun, PartWork
from ganexplain.runs.parts import remove_parts
from ganexplain.runs.progress import Progress
from ganexplain.runs.workers import Workers
from ganexplain.version import __version__

WORTH_PROCESSES = 4000  # steps (about a minute) from which several processes are faster
MOST_NAME = LONGEST - len(
    "-counterfactual.flac"
)  # bytes of an excerpt's name in those of its files


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
    task = CounterfactualTask.open(config)
    trials = Trials.of_generator(task.generator, config.seed)
    with (
        decision_boundary(config, task.explained, trials) as divided,
        RunDirectory(out, "counterfactual", config, overwrite, resume) as run,
    ):
        progress = run.keep_notes(progress)
        task.note_inputs(run)
        run.note_inputs()
        found = _change_all(StartChange(task, divided, out), out, workers, progress)
        result = Counterfactuals(
            task.source.name,
            config.gan,
            layer=divided.unit.layer,
            neuron=divided.unit.neuron,
            unit=divided.name,
            divide=divided.meaning,
            excerpts=tuple(one.excerpt for one in found),
        )
        for entry in result.excerpts:
            for note in _remarks(entry):
                progress.note(note)
        arrays = {key: np.stack([one.arrays[key] for one in found]) for key in found[0].arrays}
        meta = _meta(task, result, run.inputs)
        write_arrays(out / "counterfactual.npz", "counterfactual", arrays, meta)
        remove_parts(out)
        run.results["excerpts"] = [entry.to_json() for entry in result.excerpts]
        without = sum(entry.no_gradient for entry in result.excerpts)
        run.results["starts_without_gradient"] = without
    return result


@dataclass(frozen=True)
class StartPart(NumberedPart):
    """An excerpt, FILE@SECONDS, and what the names of its files begin with."""

    text: str
    name: str


@dataclass(frozen=True)
class ChangedPart:
    """The arrays of an excerpt in `counterfactual.npz`, and its entry in the document."""

    arrays: Mapping[str, np.ndarray]
    excerpt: ChangedExcerpt


class StartChange:
    """Changes excerpts of a run in any process, and writes their sounds and pictures."""

    def __init__(self, task: CounterfactualTask, divided: DecisionBoundary, out: Path) -> None:
        self.task, self.divided, self.out = task, divided, out
        self.changer, self.writer = ExcerptChanger(task, divided), _ExcerptWriter(task, divided)
        self.open_for_good: ExitStack | None = None  # of a process that does nothing else

    @classmethod
    def open(
        cls, config: CounterfactualConfig, out: Path, opened: StartChange | None = None
    ) -> StartChange:
        """What is opened already, or the same by the settings, for the rest of the process."""
        if opened:
            return opened
        task, kept = CounterfactualTask.open(replace(config, start_from=())), ExitStack()
        trials = Trials.of_generator(task.generator, config.seed)
        divided = kept.enter_context(decision_boundary(config, task.explained, trials))
        found = cls(task, divided, out)
        found.open_for_good = kept
        return found

    def __call__(self, part: StartPart, progress: Progress) -> ChangedPart:
        """Change an excerpt."""
        front_end = self.task.front_end
        start = parse_start(part.text, front_end.excerpt_samples, front_end.sample_rate)
        changed = self.changer.change(start, progress.advance)
        return ChangedPart(changed.arrays, self.writer.write(start, self.out / part.name, changed))


def _change_all(
    opened: StartChange, out: Path, workers: Workers, progress: Progress
) -> list[ChangedPart]:
    """Change each excerpt; GanexplainError where none has a gradient, and nothing is kept."""
    task, config = opened.task, opened.task.config
    steps = config.refine_steps + config.iterations
    parts = [
        StartPart(number, steps, start.text, name)
        for number, (start, name) in enumerate(zip(task.starts, _file_names(task), strict=True))
    ]
    work = PartWork(ChangedPart, StartChange.open, (config, out), (opened,))
    worth_it = task.explained.device.type == "cpu" and steps * len(parts) >= WORTH_PROCESSES
    found = PartedRun(out, workers, progress, "counterfactuals", worth_it).results(parts, work)
    if not all(one.excerpt.no_gradient for one in found):
        return found
    for one in found:
        for path in (*one.excerpt.sounds, one.excerpt.picture):
            Path(path).unlink(missing_ok=True)
    remove_parts(out)
    raise GanexplainError(
        f"{opened.divided.unit}: the response has no gradient at any of the {len(found)} "
        "excerpts (a dead rectifier, say); choose other excerpts or another unit"
    )


def _meta(
    task: CounterfactualTask, result: Counterfactuals, inputs: Mapping[str, str]
) -> JsonObject:
    """The meta of `counterfactual.npz`."""
    return {
        **asdict(task.config),
        "layer": result.layer,
        "neuron": result.neuron,
        "unit": result.unit,
        "divide": result.divide,
        "classifier_hash": task.source.digest(),
        "gan_hash": inputs["gan"],
        "front_end": asdict(task.front_end),
        "version": __version__,
    }


def _check_settings(config: CounterfactualConfig) -> None:
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


def _file_names(task: CounterfactualTask) -> list[str]:
    """What the names of the files of each excerpt begin with."""
    wished = [
        shorten_name(start.path.stem, f"-{start.seconds:g}s", MOST_NAME) for start in task.starts
    ]
    return distinct_names(wished, MOST_NAME)


class _ExcerptWriter:
    """Writes sounds and pictures of changed excerpts."""

    def __init__(self, task: CounterfactualTask, divided: DecisionBoundary) -> None:
        self.config, self.front_end, self.divided = task.config, task.front_end, divided

    def write(self, start: StartExcerpt, base: Path, changed: ExcerptChange) -> ChangedExcerpt:
        """Write the sounds and the picture that `base` names; the record of both."""
        config, front_end, found = self.config, self.front_end, changed.arrays
        mels = [found[f"{state}_mel"] for state in STATES]
        sounds_made = sonify(
            np.stack(mels[1:]), front_end, config.griffin_lim_iterations, config.seed
        )
        sounds = [start.sound, *sounds_made, changed.retouched]
        paths = [base.with_name(f"{base.name}-{s}.flac") for s in (*STATES, RETOUCHED)]
        for path, sound in zip(paths, sounds, strict=True):
            write_bytes(path, encode_flac(limit_peak(sound), front_end.sample_rate))
        titles = [f"{state}: {float(found[f'{state}_response']):+.2f}" for state in STATES]
        picture = base.with_name(f"{base.name}.png")
        excerpts = dict(zip(titles, mels, strict=True))
        write_bytes(picture, change_picture(excerpts, front_end))
        return self._record(start, found, tuple(map(str, paths)), str(picture))

    def _record(
        self,
        start: StartExcerpt,
        found: Mapping[str, np.ndarray],
        sounds: tuple[str, ...],
        picture: str,
    ) -> ChangedExcerpt:
        original, redrawn, changed = (found[f"{state}_mel"] for state in STATES)
        latents = [found[f"{state}_latent"].astype(np.float64) for state in STATES[1:]]
        states = (*STATES, RETOUCHED)
        off = float(np.sqrt(np.mean((redrawn - original) ** 2)))
        off *= self.front_end.decibels_per_unit
        return ChangedExcerpt(
            excerpt=start.text,
            span_s=tuple(round(s, 4) for s in start.span),
            sides=States(**{s: self._side(float(found[f"{s}_margin"])) for s in states}),
            responses=States(**{s: round(float(found[f"{s}_response"]), 4) for s in states}),
            iterations=int(found["iterations"]),
            no_gradient=bool(found["no_gradient"]),
            reconstruction_off_db=round(off, 2),
            moved=round(float(np.linalg.norm(latents[1] - latents[0])), 4),
            latent_norm=round(float(np.linalg.norm(latents[1])), 4),
            change=measure_change(redrawn, changed, self.front_end).rounded(),
            sounds=sounds,
            picture=picture,
        )

    def _side(self, margin: float) -> str:
        return self.divided.sides[margin > 0]


def _remarks(entry: ChangedExcerpt) -> Sequence[str]:
    """Warnings about an excerpt beside its results."""
    if entry.no_gradient:
        return [
            f"{entry.excerpt}: the response has no gradient there (a dead rectifier, say), so "
            "nothing could be changed"
        ]
    if entry.iterations < 0:
        return [
            f"{entry.excerpt}: never changed side; give more --iterations, a smaller "
            "--prior-weight or a larger --learning-rate"
        ]
    if entry.iterations == 0:
        return [
            f"{entry.excerpt}: changed side by being redrawn alone, so the counterfactual is "
            "the reconstruction; give more --refine-steps"
        ]
    return []
