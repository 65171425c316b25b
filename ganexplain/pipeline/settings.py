"""The settings of the stages of `run`: shipped networks, and trainings of others."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

import torch

from ganexplain.config import RunConfig, TrainClassifierConfig, TrainGanConfig
from ganexplain.corpora.interfaces import AnyCorpus
from ganexplain.corpora.splits import check_classes
from ganexplain.errors import UsageError
from ganexplain.files.shipped import is_shipped, shipped_network
from ganexplain.gans.checkpoint import load_generator
from ganexplain.runs.earlier import with_earlier
from ganexplain.runs.progress import Progress

MINUTES = 10.0  # of training a new GAN, where no other time is asked for
SAMPLE_EVERY = 200  # updates of a GAN between validations
FITTED = ("steps", "autoencoder_steps", "encoder_steps")  # to the time of a GAN's training
Config = TypeVar("Config")


@dataclass(frozen=True)
class Trainings:
    """The settings of the trainings that a run begins with."""

    classifier: TrainClassifierConfig | None = None
    gan: TrainGanConfig | None = None

    @property
    def by_stage(self) -> dict[str, TrainClassifierConfig | TrainGanConfig]:
        """Those that there are, by the names of their stages."""
        both = {"train-classifier": self.classifier, "train-gan": self.gan}
        return {name: config for name, config in both.items() if config}


def with_shipped(config: RunConfig, corpus: AnyCorpus) -> RunConfig:
    """The settings, with shipped networks for those that are neither named nor to be trained."""
    gan = config.gan or (shipped_network("gan") if corpus.has_sound else "")
    config, encoder = replace(config, gan=gan), config.encoder or ("descriptors",)
    if not (config.classifier or config.model or corpus.classes):
        config = replace(config, classifier=shipped_network("classifier"))
    if not is_shipped(config.classifier, "pretrained/classifier.pt"):
        return replace(config, encoder=encoder)
    judge, referee = shipped_network("judge"), shipped_network("referee")
    return replace(
        config,
        judge=config.judge or (judge, referee),
        encoder=config.encoder or ("descriptors", referee),
    )


def with_trainings(config: RunConfig, corpus: AnyCorpus, out: Path) -> tuple[RunConfig, Trainings]:
    """The settings with the networks that will be trained, and the settings of their trainings.

    Labelled recordings have a classifier trained if no network is named. A GAN is trained for
    `minutes`, from the GAN that is named; of pictures from the beginning, if none is.
    """
    trainings = Trainings()
    if not (config.classifier or config.model):
        quick = {**TrainClassifierConfig.PRESETS["quick"], "preset": "quick"}
        own = stage_config(TrainClassifierConfig, config, workers=1, **quick)
        trainings = replace(trainings, classifier=own)
        config = replace(config, classifier=str(out / "train-classifier" / "classifier.pt"))
    if config.minutes or not config.gan:
        start = {"start": config.gan, "channels": channels_of(config.gan)} if config.gan else {}
        further = stage_config(
            TrainGanConfig, config, classifier="", input="", sample_every=SAMPLE_EVERY, **start
        )
        trainings = replace(trainings, gan=further)
        gan = str(out / "train-gan" / "gan.pt")
        config = replace(config, gan=gan, minutes=config.minutes or MINUTES)
    if trainings.classifier:
        check_classes(corpus)
    for stage in trainings.by_stage:
        if not corpus.split("valid"):
            raise UsageError(
                f"{corpus.name}: {stage} chooses the best network by files of the split valid, "
                "which is empty; list some (a plain folder has one from five files on)"
            )
    return config, trainings


def as_begun(
    config: RunConfig, trainings: Trainings, out: Path, progress: Progress
) -> tuple[RunConfig, Trainings]:
    """The same, where a GAN's training has begun with as many updates as it has then had."""
    begun = trainings.gan and with_earlier(out / "train-gan", trainings.gan, FITTED)
    if begun is None:
        return config, trainings
    progress.note(f"train-gan: --resume keeps the {begun.steps} updates of the run in {out}")
    return replace(config, minutes=0.0), replace(trainings, gan=begun)


def channels_of(gan: str) -> int:
    """The number of channels of a generator's first layer; errors as `load_generator`."""
    return load_generator(Path(gan), torch.device("cpu"))[0].channels


def stage_config(kind: type[Config], config: RunConfig, **own: object) -> Config:
    """The settings of a stage: its `own`, and those that `run` has under the same name and type.

    Stages after the search name a network of the user's own as `classifier`: a factory is run only
    if it is named again.
    """
    types = {field.name: field.type for field in fields(kind)}  # type: ignore[arg-type]
    shared = {
        f.name: getattr(config, f.name) for f in fields(config) if types.get(f.name) == f.type
    }
    if "classifier" in types and "model" not in types:
        shared["classifier"] = config.classifier or config.model
    return kind(**{**shared, **own})
