"""`train-classifier`: corpora -> `classifier.pt`."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import torch

from ganexplain.artifacts.model_card import ModelCard
from ganexplain.classifiers.base import ExcerptNet
from ganexplain.classifiers.checkpoint import Classifier, architecture_name, write_classifier
from ganexplain.classifiers.evaluation import Evaluation, choose_threshold, evaluate, figures_text
from ganexplain.classifiers.training import (
    ClassifierTraining,
    check_settings,
    input_for,
    output_count,
)
from ganexplain.config import TrainClassifierConfig
from ganexplain.config.shared import Divides
from ganexplain.corpora.batches import batches_for
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.features import FeatureWorkers
from ganexplain.corpora.interfaces import AnyCorpus, LabelledSplit
from ganexplain.corpora.load import load_split, open_corpus
from ganexplain.corpora.recordings import check_kinds
from ganexplain.corpora.splits import check_classes, require_classes, require_labels
from ganexplain.files.atomic import write_table
from ganexplain.files.checkpoints import checkpoint_path, freeze_network
from ganexplain.inputs.base import Input
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.lock import has_run_of
from ganexplain.runs.machine import pick_device, reserve_cores
from ganexplain.runs.precision import with_precision_in_effect
from ganexplain.runs.prefetch import Prefetch
from ganexplain.runs.progress import NotelessProgress, Progress, note_skipped
from ganexplain.runs.resume import resumable_steps
from ganexplain.runs.workers import Workers


def train_classifier(
    config: TrainClassifierConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
) -> Path:
    """Train on the training split, keep the epoch with the lowest validation error, and test it.

    Returns the path of `classifier.pt`; `test.csv` beside it has the figures of each test file,
    empty if undefined. The decision threshold is chosen on the training and validation recordings
    together; the authors' choice on validation alone depends on one or two songs if that split is
    small. Raises the errors of the corpora, UsageError for settings that do not fit them, and
    Diverged if the loss is not finite. An `executor` of any kind computes the features that are not
    in the cache.
    """
    workers = _feature_workers(config, executor)
    path = checkpoint_path(out, "classifier", config.format)
    corpus = open_corpus(config.corpus, config.skip_bad_files)
    require_labels(corpus)
    check_classes(corpus)
    if config.balance:
        check_kinds(corpus.split("train"))
    input_spec = input_for(config, corpus)
    outputs = output_count(config.outputs, len(corpus.classes))
    check_settings(config, input_spec)
    device = pick_device(config.device)
    # Recordings that cannot be used are named before --overwrite deletes anything.
    if overwrite and has_run_of(out, "train-classifier"):
        features = FeatureWorkers(workers, out, NotelessProgress(progress))
        _load_splits(corpus, input_spec, config, features)
    with RunDirectory(out, "train-classifier", config, overwrite, resume) as run:
        progress = run.keep_notes(progress)
        note_skipped(progress, corpus.skipped)
        config = with_precision_in_effect(config, device, progress.note)
        features = FeatureWorkers(workers, out, progress)
        splits = _load_splits(corpus, input_spec, config, features)
        for name, split in splits.items():
            run.used_recordings(name, split.recordings)
        training = ClassifierTraining(config, outputs, splits["train"], device)
        _train(training, splits, run, progress)
        table = out / "test.csv" if corpus.has_sound else None
        found = _best_classifier(training, splits, corpus.classes, table, progress)
        write_classifier(path, found, config)
        _write_card(path, found, config, splits)
        run.results.update(found.figures)
    return path


def _write_card(
    path: Path,
    found: Classifier,
    config: TrainClassifierConfig,
    splits: Mapping[str, LabelledSplit],
) -> None:
    architecture = architecture_name(found.network)
    content = f"A classifier ({architecture}): {', '.join(found.classes)}."
    ModelCard(path, content, config, splits, found.figures).write()


def _best_classifier(
    training: ClassifierTraining,
    splits: dict[str, LabelledSplit],
    classes: tuple[str, ...],
    table: Path | None,
    progress: Progress,
) -> Classifier:
    """The network of the best epoch, on the CPU, with its threshold and figures, also of a test."""
    best = training.best
    assert best is not None  # an epoch is over
    network = freeze_network(training.best_network(best), training.device)
    threshold = choose_threshold(network, splits["train"], splits["valid"])
    figures: dict[str, float | Mapping[str, float]] = {"valid": best.figures}
    figures["epoch"] = best.epoch + 1
    if "test" in splits:
        figures["test"] = _test(network, splits["test"], threshold, table, progress)
    network = freeze_network(network, torch.device("cpu"))
    return Classifier(network, training.input_spec, classes, threshold, figures)


def _test(
    network: ExcerptNet,
    split: LabelledSplit,
    threshold: float,
    table: Path | None,
    progress: Progress,
) -> Mapping[str, float]:
    """The figures of a split; those of each file go into the `table`, if there is one."""
    evaluation = evaluate(network, split, threshold)
    if table:
        _write_files(table, split, evaluation)
    progress.note("test: " + figures_text(evaluation.figures))
    return evaluation.figures


def _feature_workers(config: TrainClassifierConfig, executor: Executor | None) -> Workers:
    """The workers that compute features; errors as `Workers.of`."""
    processes = "auto" if config.scheduler_file else str(max(config.workers, 1))
    divides = Divides(workers=processes, scheduler_file=config.scheduler_file)
    return Workers.of(divides, executor)


def _load_splits(
    corpus: AnyCorpus, input_spec: Input, config: TrainClassifierConfig, features: FeatureWorkers
) -> dict[str, LabelledSplit]:
    progress, cache = features.progress, cache_directory(config.cache)
    features.fill(corpus, ("train", "valid", "test"), input_spec, cache)
    splits: dict[str, LabelledSplit] = {}
    for name in ("train", "valid", "test"):
        if name == "test" and not corpus.split(name):
            progress.note("the corpus has no test split; test figures are left out")
            continue
        split = load_split(corpus, name, input_spec, cache, progress, config.skip_bad_files)
        assert isinstance(split, LabelledSplit)  # other kinds have no architecture
        require_classes(corpus, split, name)
        splits[name] = split
    return splits


def _train(
    training: ClassifierTraining,
    splits: dict[str, LabelledSplit],
    run: RunDirectory,
    progress: Progress,
) -> None:
    config, last = training.config, training.updates - 1
    batches = batches_for(splits["train"], config, training.network.target_frames)
    with reserve_cores(config.workers), Prefetch(batches.make, config.workers) as prefetch:
        for step in resumable_steps(run, training, last + 1, config.checkpoint_every, progress):
            loss = training.step(step, prefetch.take(step, last))
            progress.advance(1, loss=loss, rate=training.learning_rate(step))
            if (step + 1) % config.updates_per_epoch == 0:
                epoch = step // config.updates_per_epoch
                figures = training.finish_epoch(epoch, splits["valid"])
                run.metric(epoch=epoch + 1, **figures)
                progress.note(
                    f"epoch {epoch + 1}: loss {figures['loss']:.3f}, validation "
                    + figures_text(figures)
                )
        share = prefetch.waiting_share()
    progress.note(f"{100 * share:.1f} % of the time was spent waiting for batches")


def _write_files(path: Path, split: LabelledSplit, evaluation: Evaluation) -> None:
    names = [recording.path.name for recording in split.recordings]
    rows = [
        [name, *("" if np.isnan(value) else format(value, ".6g") for value in figures.values())]
        for name, figures in zip(names, evaluation.files, strict=True)
    ]
    write_table(path, ["file", *evaluation.figures], rows)
