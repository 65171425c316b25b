"""`run`: recordings -> a page, by the stages one after the other, each with its run directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

import torch

from ganexplain.ascent.expected_time import ExpectedTime
from ganexplain.ascent.expected_training import try_classifier, try_gan
from ganexplain.config import (
    ExplainConfig,
    ReportConfig,
    ResponsesConfig,
    RunConfig,
    SelectConfig,
    TrainClassifierConfig,
    TrainGanConfig,
    ValidateConfig,
)
from ganexplain.corpora.interfaces import AnyCorpus, split_files
from ganexplain.corpora.load import open_corpus
from ganexplain.corpora.splits import check_classes
from ganexplain.errors import TooFewExcerpts, UsageError
from ganexplain.files.shipped import is_shipped, shipped
from ganexplain.gans.checkpoint import load_generator
from ganexplain.runs.earlier import with_earlier
from ganexplain.runs.progress import Progress
from ganexplain.runs.steps import Step, announce, check_new_way, clear_run, range_of_time
from ganexplain.stages.explain import check_settings, explain
from ganexplain.stages.report import write_report
from ganexplain.stages.responses import responses
from ganexplain.stages.select import select
from ganexplain.stages.train_classifier import train_classifier
from ganexplain.stages.train_gan import train_gan
from ganexplain.stages.validate import validate

HOP_OF_TEST = 35  # frames between excerpts to predict: half a second of the usual log-mel
SHOWN = 6  # examples of a setting on the page
MINUTES = 10.0  # of training a new GAN, where no other time is asked for
SAMPLE_EVERY = 200  # updates of a GAN between validations
FITTED = ("steps", "autoencoder_steps", "encoder_steps")  # to the time of a GAN's training
Config = TypeVar("Config")
Seconds = Mapping[str, float]  # of stages, by name

WAY = (
    Step("train-classifier", train_classifier, "learns the labels", "classifier.pt"),
    Step("train-gan", train_gan, "learns what these recordings are like", "gan.pt"),
    Step(
        "responses",
        responses,
        "finds the real excerpts that drive the unit most and least",
        "responses.npz",
        options={"top": "examples"},
    ),
    Step(
        "explain",
        explain,
        "searches the GAN for excerpts that drive it as much",
        "explanations.npz",
    ),
    Step(
        "select",
        select,
        "ranks the settings, and compares the best with controls and judges",
        "selection.json",
    ),
    Step(
        "validate",
        validate,
        "tests what can be predicted of new recordings with these examples",
        "prediction.json",
        resumes=False,
    ),
    Step("report", write_report, "makes the page", "report.html"),
)


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


def run(
    config: RunConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
) -> Path:
    """Do all stages from recordings to a page; returns the path of the page.

    Raises the errors of the stages, and UsageError if `out` contains a run of other settings.
    """
    corpus = open_corpus(config.corpus, config.skip_bad_files)
    given = with_shipped(config, corpus)
    config, trainings = with_trainings(given, corpus, out)
    if resume:
        config, trainings = as_begun(config, trainings, out, progress)
    way = steps(config, trainings, corpus, out)
    searched: ExplainConfig = next(step.config for step in way if step.name == "explain")
    check_settings(searched)
    if not (overwrite or resume):
        check_new_way(out, RunConfig.STAGES)
    for note in notes_on(corpus):
        progress.note(note)
    todo = list(way)
    while resume and todo and todo[0].is_done(out):
        progress.note(f"{todo.pop(0).name}: done before")
    if todo:
        todo, seconds = measured(todo, config, searched, corpus)
        announce(todo, seconds(), out, progress)
        if overwrite:  # by the first stage the networks and recordings have been read
            first = todo.pop(0)
            first.run(out, progress, overwrite, resume)
            for step in WAY:
                if step.name != first.name:
                    clear_run(out / step.name, step.name, given)
        do_all(todo, seconds, out, progress, (overwrite, resume))
    several = out / "report" / "index.html"
    return several if several.is_file() else out / "report" / "report.html"


def notes_on(corpus: AnyCorpus) -> list[str]:
    """What a page of few files cannot show."""
    notes = []
    if len(files := split_files(corpus, "train+valid+test")) == 1:
        notes.append(f"only one file, {files[0].path.name}: all that is said is said of it alone")
    if not corpus.split("test"):
        notes.append(
            f"{corpus.name}: no files in the split test, so that nothing is predicted (validate is "
            "left out); a folder without lists of splits has one from three files on"
        )
    return notes


def do_all(
    todo: Sequence[Step],
    seconds: Callable[[], Seconds],
    out: Path,
    progress: Progress,
    again: tuple[bool, bool],
) -> None:
    """Do the stages, the last of which makes the page; `again`: overwrite, resume.

    `seconds` measures how long each takes now. A page of too few excerpts predicts nothing.
    """
    *before, page = todo
    for step in before:
        try:
            step.run(out, progress, *again, range_of_time(seconds()[step.name]))
        except TooFewExcerpts as error:
            progress.note(f"{step.name}: left out ({error})")
            page = replace(page, config=replace(page.config, validation=""))
    page.run(out, progress, *again, range_of_time(seconds()[page.name]))


def measured(
    todo: Sequence[Step], config: RunConfig, searched: ExplainConfig, corpus: AnyCorpus
) -> tuple[list[Step], Callable[[], Seconds]]:
    """The stages, a GAN's training with as many updates as there is time for; and a measurement.

    That returns about how long each stage takes now, by its name. Errors as those of the trainings,
    the networks and the unit.
    """
    settings, trainings = {step.name: step.config for step in todo}, {}
    classifier = gan = None
    if "train-classifier" in settings:
        classifier = try_classifier(settings["train-classifier"], corpus)
        trainings["train-classifier"] = classifier.seconds
    if "train-gan" in settings:
        gan = try_gan(settings["train-gan"], corpus)
        if config.minutes:
            settings["train-gan"] = gan.settings(settings["train-gan"], config.minutes)
        trainings["train-gan"] = gan.seconds(settings["train-gan"])
    work = ExpectedTime.of(config, searched, corpus, classifier, gan)
    steps = [replace(step, config=settings[step.name]) for step in todo]
    return steps, lambda: {**trainings, **work.seconds()}


def with_shipped(config: RunConfig, corpus: AnyCorpus) -> RunConfig:
    """The settings, with shipped networks for those that are neither named nor to be trained."""
    gan = config.gan or (str(shipped("pretrained/gan.pt")) if corpus.has_sound else "")
    config, encoder = replace(config, gan=gan), config.encoder or ("descriptors",)
    if not (config.classifier or config.model or corpus.classes):
        config = replace(config, classifier=str(shipped("pretrained/classifier.pt")))
    if not is_shipped(config.classifier, "pretrained/classifier.pt"):
        return replace(config, encoder=encoder)
    judge, referee = (str(shipped(f"pretrained/{name}.pt")) for name in ("judge", "referee"))
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


def steps(config: RunConfig, trainings: Trainings, corpus: AnyCorpus, out: Path) -> list[Step]:
    """The stages of the way with their settings, also those of `trainings`.

    `validate` is left out where the corpus has no recordings to predict.
    """
    found, made, chosen = (str(out / name) for name in ("responses", "explain", "select"))
    tested = bool(corpus.split("test"))
    settings = {
        **trainings.by_stage,
        "responses": stage_config(ResponsesConfig, config, top=config.examples),
        "explain": stage_config(
            ExplainConfig,
            config,
            iterations=(config.iterations,),
            responses=found if config.search == "adaptive" else "",
        ),
        "select": stage_config(SelectConfig, config, explanations=made, responses=found, corpus=()),
        "validate": stage_config(
            ValidateConfig, config, explanations=made, selection=chosen, hop_frames=HOP_OF_TEST
        ),
        "report": stage_config(
            ReportConfig,
            config,
            explanations=made,
            selection=chosen,
            responses=found,
            validation=str(out / "validate") if tested else "",
            examples=SHOWN,
        ),
    }
    way = [replace(each, config=settings[each.name]) for each in WAY if each.name in settings]
    return [step for step in way if tested or step.name != "validate"]


def stage_config(kind: type[Config], config: RunConfig, **own: object) -> Config:
    """The settings of a stage: its `own`, and those that `run` has under the same name.

    Stages after the search name a network of the user's own as `classifier`: a factory is run only
    if it is named again.
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    shared = {f.name: getattr(config, f.name) for f in fields(config) if f.name in names}
    if "classifier" in names and "model" not in names:
        shared["classifier"] = config.classifier or config.model
    return kind(**{**shared, **own})
