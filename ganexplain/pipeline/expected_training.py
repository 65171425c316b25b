"""A few updates of the trainings of `run` before they begin: how long they will take here."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ganexplain.audio.io import read_duration
from ganexplain.classifiers.checkpoint import Classifier
from ganexplain.classifiers.evaluation import evaluate
from ganexplain.classifiers.training import ClassifierTraining, input_for, output_count
from ganexplain.classifiers.training_form import to_plain_form
from ganexplain.config import TrainClassifierConfig, TrainGanConfig
from ganexplain.corpora.batches import batches_for
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.interfaces import AnyCorpus, AnySplit, LabelledSplit, split_files
from ganexplain.corpora.load import input_spec_for, load_split
from ganexplain.errors import GanexplainError
from ganexplain.files.checkpoints import freeze_network
from ganexplain.gans.checkpoint import load_gan
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.networks import AnyGenerator
from ganexplain.gans.training import GanTraining
from ganexplain.gans.validation import CHUNK, EXCERPTS
from ganexplain.inputs.base import Input
from ganexplain.inputs.specification import check_same_front_end
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import NullProgress

FEW = 60.0  # seconds of recordings with which a training is tried
TIMES, SECONDS = 3, 1.0  # of one measurement, at least
DECODER, ENCODER = 0.25, 0.1  # shares of the time of a GAN's training, at most
PICTURE_SECONDS = 1.6  # of sound that cost as much as a picture


@dataclass(frozen=True)
class TriedClassifier:
    """A classifier before its training, and the `seconds` that the training will take."""

    network: Classifier
    seconds: float


@dataclass(frozen=True)
class TriedGan:
    """A generator of `input_spec` before its training.

    Seconds of an adversarial update with its part of a validation, and of one of the encoder and
    its decoder.
    """

    generator: AnyGenerator
    input_spec: Input
    update: float
    coder: float

    def settings(self, config: TrainGanConfig, minutes: float) -> TrainGanConfig:
        """The settings with as many updates as there is time for, one at the least."""
        seconds = 60 * minutes
        most = 0 if config.start else config.autoencoder_steps
        decoder = min(most, int(DECODER * seconds / self.coder))
        encoder = min(config.encoder_steps, int(ENCODER * seconds / self.coder))
        left = seconds - self.coder * (decoder + encoder)
        return replace(
            config,
            autoencoder_steps=config.autoencoder_steps if config.start else decoder,
            encoder_steps=encoder,
            steps=max(int(left / self.update), 1),
        )

    def seconds(self, config: TrainGanConfig) -> float:
        """About how long a training with these settings takes."""
        coders = config.encoder_steps + (0 if config.start else config.autoencoder_steps)
        return self.update * config.steps + self.coder * coders


def try_classifier(config: TrainClassifierConfig, corpus: AnyCorpus) -> TriedClassifier:
    """Train a classifier for a moment; errors as those of its training."""
    device = pick_device(config.device)
    started = time.perf_counter()
    split = _training_split(corpus, input_for(config, corpus), config.cache)
    loading = time.perf_counter() - started
    assert isinstance(split, LabelledSplit)  # other kinds have no architecture
    outputs = output_count(config.outputs, len(corpus.classes))
    training = ClassifierTraining(config, outputs, split, device)
    batches = batches_for(split, config, training.network.target_frames)
    update = seconds_of(lambda step: training.step(step, batches.make(step)))
    network = freeze_network(to_plain_form(training.network), device)
    evaluation = seconds_of(lambda step: evaluate(network, split, 0.5), times=1)
    few, all_splits = length(corpus.only(split.recordings), "train"), "train+valid+test"
    read = length(corpus, all_splits) / few
    evaluated = read + config.epochs * length(corpus, "valid") / few
    seconds = update * training.updates + loading * read + evaluation * evaluated
    return TriedClassifier(Classifier(network, split.front_end, corpus.classes, 0.5, {}), seconds)


def try_gan(config: TrainGanConfig, corpus: AnyCorpus) -> TriedGan:
    """Train a GAN for a moment; errors as those of its training."""
    device = pick_device(config.device)
    input_spec = input_spec_for(corpus, None)
    start = None
    if config.start:
        generator, encoder, generated = load_gan(Path(config.start), device)
        check_same_front_end((Path(config.start), generated), (Path(corpus.name), input_spec))
        start = generator, encoder
    split = _training_split(corpus, input_spec, config.cache)
    training = GanTraining(config, split, device, start=start)
    coder = seconds_of(training.autoencoder_step)
    latents = torch.randn(CHUNK, LATENT_SIZE, device=device)
    with torch.no_grad():
        samples = seconds_of(lambda step: training.average(latents))
    validation = samples * EXCERPTS / CHUNK / config.sample_every
    update = seconds_of(training.step) + validation
    return TriedGan(training.average, input_spec, update, coder)


def seconds_of(do: Callable[[int], object], times: int = TIMES) -> float:
    """The mean time of doing something again and again, without the first of several times.

    Other programs slow it as they will slow the work.
    """
    spent: list[float] = []
    while len(spent) < times or sum(spent) < SECONDS:
        started = time.perf_counter()
        do(len(spent))
        spent.append(time.perf_counter() - started)
    counted = spent[1:] or spent
    return sum(counted) / len(counted)


def first_recordings(corpus: AnyCorpus) -> AnyCorpus:
    """The first files of the training split, about a minute of recordings."""
    chosen, seconds = [], 0.0
    for file in corpus.split("train"):
        if seconds >= FEW:
            break
        chosen.append(file)
        seconds += length(corpus.only([file]), "train")
    return corpus.only(chosen)


def length(corpus: AnyCorpus, split: str) -> float:
    """The length in seconds of the recordings of a split, or of several as in `valid+test`."""
    files = split_files(corpus, split)
    if not corpus.has_sound:
        return PICTURE_SECONDS * len(files)
    return sum(read_duration(file.path) for file in files)


def _training_split(corpus: AnyCorpus, input_spec: Input, cache: str) -> AnySplit:
    """A minute of the training split; all of it where there is a band that does not vary in one."""
    for part in (first_recordings(corpus), corpus):
        split = load_split(part, "train", input_spec, cache_directory(cache), NullProgress())
        with suppress(GanexplainError):
            split.band_statistics()
            break
    return split
