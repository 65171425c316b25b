"""`train-explainer`: classifiers and a corpus -> `explainer.pt`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ganexplain.artifacts.explainer import ExplainerFile, write_explainer
from ganexplain.config import TrainExplainerConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import input_spec_for, load_material, read_material
from ganexplain.errors import UsageError, check_known
from ganexplain.explainers.cgan.inference import View
from ganexplain.explainers.cgan.networks import GENERATORS
from ganexplain.explainers.cgan.teachers import targets_of
from ganexplain.explainers.cgan.training import start_cgan
from ganexplain.explainers.parts.gallery import with_gallery
from ganexplain.explainers.parts.training import PartsTraining
from ganexplain.explainers.task import Start, Task
from ganexplain.files.atomic import write_json
from ganexplain.inputs.kinds import Input
from ganexplain.inputs.specification import check_same_front_end
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.hooks import find_layer
from ganexplain.networks.target import NetworkSource, TargetNetwork, example_inputs, load_target
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.distributed import check_divisible
from ganexplain.runs.machine import pick_device
from ganexplain.runs.precision import PRECISIONS
from ganexplain.runs.progress import Progress
from ganexplain.runs.resume import resumable_steps

METHODS: dict[str, Start] = {"cgan": start_cgan, "parts": PartsTraining}


def train_explainer(
    config: TrainExplainerConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
) -> dict[str, Any]:
    """Train by `config.method` on the training split, measured on the validation split.

    Gives the document of `--json`: the path of `explainer.pt`, its figures, and what the method
    says of them. Errors: those of the corpus and of the networks, UsageError for settings that
    do not fit them, Diverged where a loss is no longer finite.
    """
    start = METHODS[check_known("--method", config.method, METHODS)]
    config = config.of_method()
    sources = NetworkSource.all_from_settings(config)
    device = pick_device(config.device)
    networks = tuple(load_target(source, None, device) for source in sources)
    input_spec = _common_input_spec(sources, networks)
    corpus = read_material(config.corpus, config.skip_bad_files)
    input_spec = input_spec_for(corpus, input_spec)
    _check_settings(config, networks)
    with RunDirectory(out, "train-explainer", config, overwrite, resume) as run:
        progress = run.keep_notes(progress)
        for message in corpus.skipped:
            progress.note(f"skipped: {message}")
        for source in sources:
            for name, path in source.files().items():
                run.used(name if len(sources) == 1 else str(path), path)
        cache, splits = cache_directory(config.cache), {}
        for name in ("train", "valid"):
            run.used_recordings(name, corpus.split(name))
            splits[name] = load_material(
                corpus, name, input_spec, cache, progress, config.skip_bad_files
            )
        names = tuple(source.name for source in sources)
        task = Task(
            config, names, networks, splits["train"], splits["valid"], device, out, progress
        )
        training = start(task)
        for step in resumable_steps(run, training, config.steps, config.checkpoint_every, progress):
            losses = training.step(step)
            progress.advance(1, **losses)
            if (step + 1) % config.look_every == 0 or step + 1 == config.steps:
                run.metric(step=step + 1, **losses, **training.look())
        trained = training.finish()
        if isinstance(training, PartsTraining):
            trained = with_gallery(trained, training)
        for name, document in trained.documents.items():
            write_json(out / name, document)
        path = out / "explainer.pt"
        hashes = {source.name: source.digest() for source in sources}
        found = ExplainerFile(
            config.method, trained.content, trained.figures, input_spec, hashes, asdict(config)
        )
        write_explainer(path, found)
        run.results.update(trained.figures)
    documents = {name.removesuffix(".json"): doc for name, doc in trained.documents.items()}
    return {"path": str(path), **trained.figures, **documents, "table": trained.table}


def _check_settings(config: TrainExplainerConfig, networks: tuple[TargetNetwork, ...]) -> None:
    """UsageError for a setting that cannot be, before the corpus is read."""
    check_divisible(config.batch_size)
    if config.method == "parts" and len(networks) > 1:
        raise UsageError("--method parts explains one network; give one --classifier")
    if config.method == "cgan":
        check_known("--precision", config.precision, PRECISIONS)
        check_known("--generator", config.generator, GENERATORS)
        View(config.teacher, config.layer, config.gradient)
    for network in networks:
        if config.layer:
            find_layer(network.network, config.layer)
        targets_of(network, example_inputs(network.front_end).to(network.device), config.target)


def _common_input_spec(
    sources: tuple[NetworkSource, ...], networks: tuple[TargetNetwork, ...]
) -> Input:
    """What all of them take; UsageError where they differ, or where it has no two axes."""
    named = [(Path(s.name), n.front_end) for s, n in zip(sources, networks, strict=True)]
    for each in named[1:]:
        check_same_front_end(named[0], each)
    if isinstance(networks[0].front_end, WaveformInput):
        raise UsageError(
            f"{sources[0].name}: takes waveforms, for which there are no maps; "
            "only networks of log-mel or pictures can be explained this way"
        )
    return networks[0].front_end
