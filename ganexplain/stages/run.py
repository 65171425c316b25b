"""`run`: recordings -> a page, by the stages one after the other, each with its run directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ganexplain.ascent.surrogate import SURROGATE
from ganexplain.config import (
    ExplainConfig,
    ReportConfig,
    ResponsesConfig,
    RunConfig,
    SelectConfig,
    ValidateConfig,
)
from ganexplain.corpora.interfaces import AnyCorpus, split_files
from ganexplain.corpora.load import open_corpus
from ganexplain.errors import TooFewExcerpts, UsageError
from ganexplain.pipeline.expected_time import ExpectedTime
from ganexplain.pipeline.expected_training import try_classifier, try_gan
from ganexplain.pipeline.settings import (
    Trainings,
    as_begun,
    stage_config,
    with_shipped,
    with_trainings,
)
from ganexplain.pipeline.steps import Step, announce, check_new_way, clear_run, range_of_time
from ganexplain.runs.progress import Progress
from ganexplain.stages.explain import check_settings, explain
from ganexplain.stages.report import write_report
from ganexplain.stages.responses import responses
from ganexplain.stages.select import select
from ganexplain.stages.train_classifier import train_classifier
from ganexplain.stages.train_gan import train_gan
from ganexplain.stages.validate import validate

HOP_OF_TEST = 35  # frames between excerpts to predict: half a second of the usual log-mel
SHOWN = 6  # examples of a setting on the page
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
class WholeWay:
    """The stages of a run that are left `todo`, and what their times are measured of.

    `given` are the settings with shipped networks, `config` those with the networks to be trained,
    `searched` those of the search; `done` names the stages that an earlier run has done.
    """

    given: RunConfig
    config: RunConfig
    searched: ExplainConfig
    corpus: AnyCorpus
    todo: tuple[Step, ...]
    done: tuple[str, ...]

    @classmethod
    def open(
        cls, config: RunConfig, out: Path, progress: Progress, overwrite: bool, resume: bool
    ) -> WholeWay:
        """Read what `config` names; errors as `run`."""
        _check_search(config.search)
        corpus = open_corpus(config.corpus, config.skip_bad_files)
        given = with_shipped(config, corpus)
        config, trainings = with_trainings(given, corpus, out)
        if resume:
            config, trainings = as_begun(config, trainings, out, progress)
        todo, done = steps(config, trainings, corpus, out), []
        searched: ExplainConfig = next(step.config for step in todo if step.name == "explain")
        check_settings(searched)
        while resume and todo and todo[0].is_done(out):
            done.append(todo.pop(0).name)
        if not (overwrite or resume):
            check_new_way(out, RunConfig.STAGES)
        return cls(given, config, searched, corpus, tuple(todo), tuple(done))

    def measured(self, progress: Progress) -> tuple[list[Step], Callable[[], Seconds]]:
        """The stages with their times: `measured`."""
        progress.note("measuring how long each stage takes here ...")
        return measured(self.todo, self.config, self.searched, self.corpus)


def _check_search(search: str) -> None:
    """Raise UsageError for a search that `run` does not offer."""
    if search == SURROGATE:
        raise UsageError(
            f"--search {search}: needs --guide, which `run` does not have; use `explain`, or "
            "--search evolution"
        )


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
    way = WholeWay.open(config, out, progress, overwrite, resume)
    for note in (*notes_on(way.corpus), *(f"{name}: done before" for name in way.done)):
        progress.note(note)
    if way.todo:
        todo, seconds = way.measured(progress)
        announce(todo, seconds(), out, progress)
        if overwrite:  # by the first stage the networks and recordings have been read
            first = todo.pop(0)
            first.run(out, progress, overwrite, resume)
            for step in WAY:
                if step.name != first.name:
                    clear_run(out / step.name, step.name, way.given)
        do_all(todo, seconds, out, progress, (overwrite, resume))
    several = out / "report" / "index.html"
    return several if several.is_file() else out / "report" / "report.html"


def plan(
    config: RunConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
) -> str:
    """What `run` would do, without doing it: each stage, its time and its command.

    Networks that would be trained are tried for a moment, as `run` does first. Errors as `run`.
    """
    way = WholeWay.open(config, out, progress, overwrite, resume)
    lines = [f"{name}: done before" for name in way.done]
    if way.todo:
        todo, seconds = way.measured(progress)
        expected = seconds()
        lines += [line for step in todo for line in step.plan(out, expected[step.name])]
    return "\n".join(lines)


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
