"""`train-explainer`: classifiers and a corpus -> `explainer.pt`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from ganexplain.artifacts.explainer import ExplainerFile, write_explainer
from ganexplain.artifacts.model_card import ModelCard
from ganexplain.config import TrainExplainerConfig
from ganexplain.corpora.features import FeatureWorkers
from ganexplain.corpora.interfaces import AnyCorpus, AnySplit
from ganexplain.corpora.load import input_spec_for, open_corpus
from ganexplain.corpora.training_splits import TRAINING_SPLITS, load_training_splits
from ganexplain.errors import UsageError, check_known
from ganexplain.explainers.cgan.teachers import target_classes
from ganexplain.explainers.methods import LEARNED
from ganexplain.explainers.task import ExplainerTraining, Task, Trained
from ganexplain.files.atomic import Document, JsonObject, write_json
from ganexplain.files.checkpoints import checkpoint_path
from ganexplain.inputs.base import Input
from ganexplain.inputs.specification import check_same_front_end
from ganexplain.networks.hooks import find_layer
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork, example_inputs, load_target
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.distributed import check_divisible
from ganexplain.runs.lock import has_run_of
from ganexplain.runs.machine import pick_device
from ganexplain.runs.precision import with_precision_in_effect
from ganexplain.runs.progress import NotelessProgress, Progress, note_skipped
from ganexplain.runs.resume import resumable_steps
from ganexplain.runs.workers import Workers


@dataclass(frozen=True)
class TrainedExplainer:
    """The path of `explainer.pt`, its figures, a table, and the method's documents by name."""

    path: Path
    figures: Mapping[str, float]
    table: Sequence[str]
    documents: Mapping[str, Document]

    def to_json(self) -> JsonObject:
        """The document of `--json`."""
        return {
            "path": str(self.path), **self.figures, **self.documents, "table": list(self.table)
        }  # fmt: skip


def train_explainer(
    config: TrainExplainerConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
) -> TrainedExplainer:
    """Train with `config.method` on the training split, and evaluate on the validation split.

    Raises the errors of the corpus and the networks, UsageError for settings that do not fit them,
    and Diverged if a loss is not finite. An `executor` of any kind computes the maps of cgan in
    place of the workers of the settings.
    """
    workers = Workers.of(config, executor)
    method = LEARNED[check_known("--method", config.method, LEARNED)]
    config = config.of_method()
    path = checkpoint_path(out, "explainer", config.format)
    sources = NetworkSource.all_from_settings(config)
    device = pick_device(config.device)
    networks = tuple(load_target(source, None, device) for source in sources)
    input_spec = _common_input_spec(sources, networks)
    corpus = open_corpus(config.corpus, config.skip_bad_files)
    input_spec = input_spec_for(corpus, input_spec)
    _check_settings(config, networks, corpus)
    # Recordings that cannot be used are named before --overwrite deletes anything.
    if overwrite and has_run_of(out, "train-explainer"):
        features = FeatureWorkers(workers, out, NotelessProgress(progress))
        load_training_splits(config, corpus, input_spec, features)
    with RunDirectory(out, "train-explainer", config, overwrite, resume) as run:
        progress = run.keep_notes(progress)
        note_skipped(progress, corpus.skipped)
        config = with_precision_in_effect(config, device, progress.note)
        _note_inputs(run, sources, corpus)
        splits = load_training_splits(
            config, corpus, input_spec, FeatureWorkers(workers, out, progress)
        )
        names = tuple(source.name for source in sources)
        task = Task(
            config, names, networks, splits["train"], splits["valid"], device, out, progress,
            workers,
        )  # fmt: skip
        trained = _train(method.start(task), config, run, progress)
        hashes = {source.name: source.digest() for source in sources}
        found = ExplainerFile(config.method, trained.content, trained.figures, input_spec, hashes)
        write_explainer(path, found, config)
        _describe(trained, path, config, splits, names)
        run.results.update(trained.figures)
    named = {name.removesuffix(".json"): doc for name, doc in trained.documents.items()}
    return TrainedExplainer(path, trained.figures, trained.table, named)


def _note_inputs(run: RunDirectory, sources: Sequence[NetworkSource], corpus: AnyCorpus) -> None:
    """Record the files of the networks, and the recordings."""
    for source in sources:
        for name, file in source.files().items():
            run.used(name if len(sources) == 1 else str(file), file)
    for name in TRAINING_SPLITS:
        run.used_recordings(name, corpus.split(name))


def _describe(
    trained: Trained,
    path: Path,
    config: TrainExplainerConfig,
    splits: Mapping[str, AnySplit],
    names: Sequence[str],
) -> None:
    """Write the method's documents and the model card beside the explainer in `path`."""
    for name, document in trained.documents.items():
        write_json(path.parent / name, document)
    content = f"A network that explains others ({config.method}): {', '.join(names)}."
    ModelCard(path, content, config, splits, trained.figures).write()


def _train(
    training: ExplainerTraining, config: TrainExplainerConfig, run: RunDirectory, progress: Progress
) -> Trained:
    """Do the steps that are left, and log their losses."""
    for step in resumable_steps(run, training, config.steps, config.checkpoint_every, progress):
        losses = training.step(step)
        progress.advance(1, **losses)
        if (step + 1) % config.look_every == 0 or step + 1 == config.steps:
            run.metric(step=step + 1, **losses, **training.evaluate())
    return training.finish()


def _check_settings(
    config: TrainExplainerConfig, networks: tuple[TargetNetwork, ...], corpus: AnyCorpus
) -> None:
    """Raise UsageError for an impossible setting, before recordings are read."""
    check_divisible(config.batch_size)
    LEARNED[config.method].check(config, networks, corpus.split("train"))
    for network in networks:
        if config.layer:
            find_layer(network.network, config.layer)
        target_classes(network, example_inputs(network.front_end).to(network.device), config.target)


def _common_input_spec(
    sources: tuple[NetworkSource, ...], networks: tuple[TargetNetwork, ...]
) -> Input:
    """The input of all networks; UsageError if they differ, or if it does not have two axes."""
    named = [(Path(s.name), n.front_end) for s, n in zip(sources, networks, strict=True)]
    for each in named[1:]:
        check_same_front_end(named[0], each)
    front_end = networks[0].front_end
    if not front_end.is_plane:
        raise UsageError(
            f"{sources[0].name}: takes {front_end.plural}, for which there are no maps; "
            "only networks of log-mel or pictures can be explained this way"
        )
    return front_end
