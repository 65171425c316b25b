"""`validate`: explanations, their selection and held-out excerpts -> `prediction.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ganexplain.artifacts.explanations import (
    ExplanationMeta,
    gan_path,
    read_explanation_meta,
    read_explanations,
)
from ganexplain.artifacts.prediction import Prediction
from ganexplain.artifacts.responses import searched_corpora
from ganexplain.artifacts.unit_files import UnitFiles, unit_files
from ganexplain.config import ValidateConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.interfaces import AnyCorpus
from ganexplain.corpora.load import input_spec_for, load_split, open_corpus
from ganexplain.errors import UsageError, check_known
from ganexplain.files.atomic import file_hash, write_json
from ganexplain.files.shipped import is_carried
from ganexplain.gans.checkpoint import gan_corpora, gan_start
from ganexplain.inputs.base import Input
from ganexplain.networks.target import TargetNetwork
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import Progress, note_skipped
from ganexplain.selection.controls import load_target_network
from ganexplain.selection.encoders import Encoder, load_encoders
from ganexplain.selection.example_sets import by_unit, tested_unit
from ganexplain.selection.leaks import Use, held_out, leak_notes
from ganexplain.selection.prediction import PredictionTest, Probes, check_enough

SPLITS = ("test", "valid", "train")
OTHER_MUSIC = (
    "shipped networks have learned from music that does not come with them, too (their card, "
    "sample_data/pretrained/README.md, lists it)"
)
LONGEST_CHAIN = 10  # of GANs that were trained on from one another


@dataclass(frozen=True)
class ValidateTask:
    """What a test is made of, opened and checked before the run begins."""

    config: ValidateConfig
    files: Sequence[UnitFiles]
    explained: TargetNetwork
    encoders: Sequence[Encoder]
    corpus: AnyCorpus
    input_spec: Input

    @classmethod
    def open(cls, config: ValidateConfig) -> ValidateTask:
        """The task that the settings ask for; errors of settings and of every file."""
        splits = config.split.split("+")
        for name in splits:
            check_known("--split", name, SPLITS)
            if splits.count(name) > 1:
                raise UsageError(f"--split {config.split}: names {name} twice; name it once")
        files = unit_files(config)
        first, device = read_explanations(files[0].explanations), pick_device(config.device)
        corpus = open_corpus(config.corpus, config.skip_bad_files)
        if not any(map(corpus.split, splits)):
            raise UsageError(f"--split {config.split}: {corpus.name} has no such recordings")
        explained = load_target_network(config, first, device)
        encoders = load_encoders(config.encoder, (first.path, first.front_end), device)
        return cls(
            config, files, explained, encoders, corpus, input_spec_for(corpus, first.front_end)
        )

    def notes(self, excerpts: int, recordings: int) -> list[str]:
        """Reasons why the result says less than it seems to."""
        found = []
        if seen := [name for name in self.config.split.split("+") if name != "test"]:
            found.append(
                f"the split {' and '.join(seen)} was used to train or to choose the networks and "
                "the examples: it is not held out"
            )
        if recordings == 1:
            found.append(f"{excerpts} excerpts are of 1 recording: no interval can be given")
        found += self.leaks
        for name in self.explained_encoders:
            found.append(f"encoder {name} is the explained network: no independent one")
        return found

    @cached_property
    def leaks(self) -> tuple[str, ...]:
        """Reasons why recordings of the test split may not be held out."""
        searched = dict.fromkeys(searched_corpora(each.responses) for each in self.files)
        meta = read_explanation_meta(self.files[0].explanations)
        network = self.config.classifier or meta.classifier
        uses = [
            Use("the explained network", self.explained.corpora, unread=_of_shipped(network)),
            *_uses_of_gans(gan_path(self.files[0].explanations, meta), meta),
            *(Use("the search for real excerpts", each, ("train",)) for each in searched),
        ]
        tested = held_out(self.corpus, self.config.split)
        return tuple(leak_notes(tested, uses, self.config.skip_bad_files))

    @cached_property
    def explained_encoders(self) -> tuple[str, ...]:
        """The names of encoders that are the explained network."""
        digest = read_explanation_meta(self.files[0].explanations).classifier_hash
        return tuple(e.name for e in self.encoders if e.source and e.source.digest() == digest)


def _uses_of_gans(gan: Path, meta: ExplanationMeta) -> list[Use]:
    """Of the GAN, and of those that it was trained on from."""
    uses = [_use_of_gan(gan, meta)]
    start = gan_start(gan) if uses[0].corpora else ""
    while start and len(uses) < LONGEST_CHAIN:
        path, words = Path(start), f"{start}, from which the GAN was trained on,"
        if not path.is_file():
            return [*uses, Use(words, (), unknown=f"{path} is not there; put it back")]
        uses.append(Use(words, gan_corpora(path), unread=_of_shipped(start)))
        start = gan_start(path)
    return uses


def _use_of_gan(path: Path, meta: ExplanationMeta) -> Use:
    """The corpora of the training of the GAN, or of mixtures, or why they are not known."""
    words = "the mixtures" if meta.settings.get("prior_from") else "the GAN"
    if not meta.gan_hash:  # of an older file
        return Use(words, ())
    if not path.is_file():
        why = (
            f"{path} is not there; put it back"
            + ", or run this in the folder in which explain ran" * (not path.is_absolute())
        )
        return Use(words, (), unknown=why)
    if file_hash(path) != meta.gan_hash:
        why = f"{path} has changed since explain; put back the file that explain used"
        return Use(words, (), unknown=why)
    return Use(words, gan_corpora(path), unread=_of_shipped(str(path)))


def _of_shipped(path: str) -> str:
    """Why the corpora of a shipped network cannot be read; empty for other networks."""
    return OTHER_MUSIC if is_carried(path) else ""


def validate(
    config: ValidateConfig, out: Path, progress: Progress, overwrite: bool = False
) -> Prediction:
    """Test which of two held-out excerpts the examples of each unit say excites it more.

    Returns what is written as `prediction.json`. Raises UsageError for settings and files that do
    not go together, and GanexplainError for fewer than 20 excerpts.
    """
    task = ValidateTask.open(config)
    with RunDirectory(out, "validate", config, overwrite) as run:
        progress = run.keep_notes(progress)
        note_skipped(progress, task.corpus.skipped)
        task_files(task, run)
        found = _tested(task, progress)
        for note in found.notes:
            progress.note(note)
        write_json(out / "prediction.json", found.to_json())
    return found


def task_files(task: ValidateTask, run: RunDirectory) -> None:
    """Record the files and recordings that the test reads."""
    for each in task.files:
        for name, path in each.inputs.items():
            run.used(f"{each.name} {name}".strip(), path)
    for encoder in task.encoders:
        for name, path in encoder.source.files().items() if encoder.source else ():
            run.used(f"encoder {encoder.name} {name}", path)
    for name in task.config.split.split("+"):
        run.used_recordings(name, task.corpus.split(name))


def _tested(task: ValidateTask, progress: Progress) -> Prediction:
    config, files = task.config, by_unit(task.files)
    split = load_split(
        task.corpus,
        config.split,
        task.input_spec,
        cache_directory(config.cache),
        progress,
        config.skip_bad_files,
    )
    probes = Probes.measure(
        split, config.hop_frames, task.explained, list(files), task.encoders, progress
    )
    excerpts = len(probes.recording)
    check_enough(task.corpus.name, config.split, excerpts)
    units = [tested_unit(each, task.encoders) for each in files.values()]
    test = PredictionTest(probes, units, config.seed)
    predictions = test.run(progress)
    return Prediction(
        corpus=config.corpus,
        split=config.split,
        excerpts=excerpts,
        recordings=test.recordings,
        encoders={e.name: e.source.name if e.source else "" for e in task.encoders},
        notes=(*task.notes(excerpts, test.recordings), *test.notes()),
        units=tuple(predictions),
        layers=test.layers(),
        explained_encoders=task.explained_encoders,
        input=task.input_spec.kind,
        held_out=config.split == "test" and not task.leaks,
    )
