"""`train-gan`: corpus -> `gan.pt`."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from ganexplain.artifacts.model_card import ModelCard
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.config import TrainGanConfig
from ganexplain.corpora.features import FeatureWorkers
from ganexplain.corpora.interfaces import AnySplit
from ganexplain.corpora.load import input_spec_for, open_corpus
from ganexplain.corpora.training_splits import TRAINING_SPLITS, load_training_splits
from ganexplain.errors import Diverged, UsageError
from ganexplain.files.atomic import write_bytes
from ganexplain.files.checkpoints import checkpoint_path
from ganexplain.gans.best import GeneratorChoice, collapse_advice
from ganexplain.gans.checkpoint import GanFile, load_gan, write_gan
from ganexplain.gans.encoder import reconstruction_error, train_encoder
from ganexplain.gans.networks import AnyEncoder, AnyGenerator
from ganexplain.gans.training import GanTraining, check_settings
from ganexplain.gans.validation import EXCERPTS, NEIGHBOUR_SAMPLES, Validation
from ganexplain.inputs.base import Input
from ganexplain.inputs.specification import check_same_front_end, read_input_file
from ganexplain.report.pictures.sample_sheet import (
    input_sheet,
    sample_sounds,
    strip,
)
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.lock import has_run_of
from ganexplain.runs.machine import pick_device
from ganexplain.runs.precision import with_precision_in_effect
from ganexplain.runs.progress import NotelessProgress, Progress, note_skipped
from ganexplain.runs.resume import resumable_steps
from ganexplain.runs.workers import Workers

SHEET_COLUMNS, SOUNDS = 8, 5


@dataclass(frozen=True)
class NamedNetworks:
    """The networks of `--classifier`, `--features-of` and `--start`, None where not named."""

    judge: nn.Module | None
    teacher: nn.Module | None
    start: tuple[AnyGenerator, AnyEncoder] | None


def train_gan(
    config: TrainGanConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
) -> Path:
    """Train a generator on the excerpts of the training split; returns the path of `gan.pt`.

    The generator is the running average of the weights at the step with the best score against
    real excerpts; with `--start` that may be step 0, the GAN that it begins with. Raises the errors
    of the corpus and the classifiers, UsageError for an unknown loss, and Diverged if a loss is not
    finite; the best generator until then is in `best.pt`, which can be used as `gan.pt`. An
    `executor` of any kind computes the features that are not in the cache, in place of the workers
    of the settings.
    """
    workers = Workers.of(config, executor)
    path = checkpoint_path(out, "gan", config.format)
    corpus = open_corpus(config.corpus, config.skip_bad_files)
    input_spec = input_spec_for(
        corpus, read_input_file(Path(config.input))[0] if config.input else None
    )
    check_settings(config, input_spec)
    device = pick_device(config.device)
    networks = _named_networks(config, input_spec, device)
    # Recordings that cannot be used are named before --overwrite deletes anything.
    if overwrite and has_run_of(out, "train-gan"):
        features = FeatureWorkers(workers, out, NotelessProgress(progress))
        load_training_splits(config, corpus, input_spec, features)
    with RunDirectory(out, "train-gan", config, overwrite, resume) as run:
        progress = run.keep_notes(progress)
        note_skipped(progress, corpus.skipped)
        config = with_precision_in_effect(config, device, progress.note)
        for name in TRAINING_SPLITS:
            run.used_recordings(name, corpus.split(name))
        features = FeatureWorkers(workers, out, progress)
        splits = load_training_splits(config, corpus, input_spec, features)
        choice = _prepare(config, splits, device, networks, run)
        _train(config, choice, run, progress)
        gan = _with_encoder(choice, progress)
        if config.start and gan.step == 0:
            progress.note(
                "no step was better than the GAN of --start, which is kept; try more --steps"
            )
        run.results |= {"step": gan.step, **gan.figures, **choice.noted}
        write_gan(path, gan, config)
        _write_card(path, choice, gan, config)
    return path


def _write_card(path: Path, choice: GeneratorChoice, gan: GanFile, config: TrainGanConfig) -> None:
    splits = {"train": choice.training.split, "valid": choice.validation.valid}
    words = f"A GAN ({config.loss}, {gan.channels} channels) of step {gan.step}, and an encoder."
    ModelCard(path, words, config, splits, gan.figures).write()


def _prepare(
    config: TrainGanConfig,
    splits: Mapping[str, AnySplit],
    device: torch.device,
    networks: NamedNetworks,
    run: RunDirectory,
) -> GeneratorChoice:
    for option in ("classifier", "features-of", "start"):
        if path := getattr(config, option.replace("-", "_")):
            run.used(option, Path(path))
    training = GanTraining(config, splits["train"], device, networks.teacher, networks.start)
    validation = Validation(config.seed, splits["train"], splits["valid"], device, networks.judge)
    return GeneratorChoice(training, validation)


def _named_networks(
    config: TrainGanConfig, input_spec: Input, device: torch.device
) -> NamedNetworks:
    """Load what the config names; UsageError for networks of another size or input.

    So for a classifier that would judge a GAN which it trains.
    """
    if config.classifier and config.classifier == config.features_of:
        raise UsageError(
            "--classifier and --features-of are one file, which would judge a GAN that it trained; "
            "name another, or leave --classifier out"
        )
    corpus = (Path(config.corpus[0]), input_spec)

    def classifier(name: str) -> nn.Module | None:
        if not name:
            return None
        found = load_classifier(Path(name), device)
        check_same_front_end((Path(name), found.front_end), corpus)
        return found.network

    judge, teacher = classifier(config.classifier), classifier(config.features_of)
    if not config.start:
        return NamedNetworks(judge, teacher, None)
    path = Path(config.start)
    generator, encoder, generated = load_gan(path, device)
    check_same_front_end((path, generated), corpus)
    if generator.channels != config.channels:
        raise UsageError(
            f"--start {path}: its generator has {generator.channels} channels; give --channels "
            f"{generator.channels}"
        )
    return NamedNetworks(judge, teacher, (generator, encoder))


def _train(
    config: TrainGanConfig, choice: GeneratorChoice, run: RunDirectory, progress: Progress
) -> None:
    """Do all steps; if a loss is not finite, write the best generator until then."""
    try:
        _adversarial_steps(config, choice, run, progress)
    except Diverged as error:
        if choice.best is None:
            raise
        best = checkpoint_path(run.path, "best", config.format)
        write_gan(best, best_gan(choice), config)
        raise Diverged(f"{error}; {best} is from step {choice.best.step}") from error


def _adversarial_steps(
    config: TrainGanConfig, choice: GeneratorChoice, run: RunDirectory, progress: Progress
) -> None:
    training, warm = choice.training, 0 if config.start else config.autoencoder_steps
    total = warm + config.steps
    for step in resumable_steps(run, choice, total, config.checkpoint_every, progress):
        done = step + 1 - warm
        if step == 0 and config.start:  # which is kept unless it becomes better
            _validate(choice, 0, run, progress)
        if done <= 0:
            losses = training.autoencoder_step(step)
        else:
            losses = training.step(done - 1)
            choice.add(losses)
            if done % config.sample_every == 0:
                _validate(choice, done, run, progress)
        progress.advance(1, **losses)
    if config.steps % config.sample_every:
        # After the state is written, so that a run that is extended later has the same results
        # as an uninterrupted one.
        _validate(choice, config.steps, run, progress)


def _validate(choice: GeneratorChoice, step: int, run: RunDirectory, progress: Progress) -> None:
    """Validate, and write samples of always the same latents, below real excerpts."""
    run.metric(step=step, **choice.validate(step, progress))
    validation, split = choice.validation, choice.training.split
    generated = validation.samples(choice.training.average, SHEET_COLUMNS)
    rows = {"real": validation.excerpts(split, SHEET_COLUMNS), "generated": generated}
    path = run.path / f"samples-{step:06d}"
    write_bytes(path.with_suffix(".png"), input_sheet(rows, split.front_end))
    if split.front_end.sound_rate:
        sounds = sample_sounds(split.front_end, generated[:SOUNDS])
        write_bytes(path.with_suffix(".flac"), strip(sounds, split.front_end.sound_rate))


def best_gan(choice: GeneratorChoice) -> GanFile:
    """The best generator and its figures, without an encoder."""
    best, training = choice.best, choice.training
    assert best is not None
    figures = {**best.figures, **choice.validation.reference()}
    return GanFile(
        generator=best.weights,
        channels=training.config.channels,
        step=best.step,
        figures={name: float(value) for name, value in figures.items()},
        front_end=training.split.front_end,
    )


def _with_encoder(choice: GeneratorChoice, progress: Progress) -> GanFile:
    """The best generator with an encoder; notes report the quality of both."""
    gan, generator, validation = best_gan(choice), choice.generator(), choice.validation
    training, config = choice.training, choice.training.config
    encoder = train_encoder(
        training.encoder, generator, training.split, config.encoder_steps, config.seed, progress
    )
    held_out = validation.excerpts(validation.valid, EXCERPTS)
    samples = validation.samples(generator, NEIGHBOUR_SAMPLES)
    figures = {
        **gan.figures,
        "reconstruction": reconstruction_error(encoder, generator, held_out),
        **validation.nearest(samples),
        **validation.texture(samples),
    }
    for line in summary(gan.step, figures):
        progress.note(line)
    weights = {name: value.cpu() for name, value in encoder.state_dict().items()}
    return replace(gan, figures=figures, encoder=weights)


def summary(step: int, figures: Mapping[str, float]) -> list[str]:
    """Lines about the quality of a generator."""
    lines = [
        f"best at step {step}: score {figures['score']:.4g}; distance to held-out excerpts "
        f"{figures['held_out']:.4g} (of training excerpts {figures['floor']:.4g}); diversity "
        f"{figures['diversity']:.2f} of real excerpts; precision "
        f"{figures['precision']:.2f}, recall {figures['recall']:.2f}"
    ]
    if advice := collapse_advice(figures):
        lines.append(f"the generator kept is collapsed: {advice}")
    if "response_std" in figures:
        lines.append(
            f"response of samples {figures['response_mean']:.2f} +- {figures['response_std']:.2f}, "
            f"of real excerpts {figures['real_response_mean']:.2f} +- "
            f"{figures['real_response_std']:.2f}"
        )
    lines.append(
        f"nearest training excerpt {figures['nearest_training']:.3f} away, nearest held-out one "
        f"{figures['nearest_held_out']:.3f} (held-out to training "
        f"{figures['held_out_to_training']:.3f}); reconstruction {figures['reconstruction']:.3f}"
    )
    if "onsets" in figures:
        lines.append(
            f"distance to held-out excerpts: onsets {figures['onsets']:.3f} nat, notes "
            f"{figures['notes']:.2f} frames; lattice of the strides {figures['lattice_bands']:.2f} "
            f"in bands, {figures['lattice_frames']:.2f} in frames (recordings: about 1)"
        )
    return lines
