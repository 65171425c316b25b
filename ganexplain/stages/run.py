"""`run`: recordings -> a page, by the stages one after the other, each with its run directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from ganexplain.ascent.expected_time import expected_seconds
from ganexplain.config import (
    ExplainConfig,
    ReportConfig,
    ResponsesConfig,
    RunConfig,
    SelectConfig,
    ValidateConfig,
)
from ganexplain.corpora.interfaces import AnyCorpus
from ganexplain.corpora.load import open_corpus
from ganexplain.errors import TooFewExcerpts, UsageError
from ganexplain.files.shipped import shipped
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.earlier import is_finished
from ganexplain.runs.progress import Progress
from ganexplain.stages.explain import check_settings, explain
from ganexplain.stages.report import write_report
from ganexplain.stages.responses import responses
from ganexplain.stages.select import select
from ganexplain.stages.validate import validate

HOP_OF_TEST = 35  # frames between excerpts to predict: half a second of the usual log-mel
SHOWN = 6  # examples of a setting on the page
LONG = 90.0  # seconds from which an expected time is given in minutes
Config = TypeVar("Config")


@dataclass(frozen=True)
class Step:
    """A stage of the way: its name, which its folder has too, its function and `config`.

    `purpose` says what it does, and `output` names the file of a unit; several units have a folder
    each. A stage that `resumes` keeps parts of its work.
    """

    name: str
    do: Callable[..., object]
    purpose: str
    output: str
    resumes: bool = True
    config: Any = None

    def is_done(self, out: Path) -> bool:
        """Whether an earlier run has done it with the same settings; errors as `is_finished`."""
        folder = out / self.name
        if not is_finished(folder, self.name, self.config):
            return False
        units = [each for each in folder.iterdir() if each.is_dir()] or [folder]
        return all((unit / self.output).is_file() for unit in units)

    def run(self, out: Path, progress: Progress, overwrite: bool, resume: bool) -> None:
        """Do it into its folder in `out`; with `resume` from what an earlier run has left."""
        progress.note(f"{self.name}: {self.purpose}")
        folder = out / self.name
        if self.resumes:
            self.do(self.config, folder, progress, overwrite, resume)
        else:
            self.do(self.config, folder, progress, overwrite or resume)


WAY = (
    Step(
        "responses",
        responses,
        "finds the real excerpts that drive the unit most and least",
        "responses.npz",
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
    config = with_shipped(config)
    corpus = open_corpus(config.corpus, config.skip_bad_files)
    way = steps(config, corpus, out)
    searched: ExplainConfig = way[1].config
    check_settings(searched)
    if not (overwrite or resume) and any((out / step.name).exists() for step in way):
        raise UsageError(
            f"--out {out}: contains an earlier run; --resume to continue, --overwrite to start "
            "again, or name another"
        )
    todo = list(way)
    while resume and todo and todo[0].is_done(out):
        progress.note(f"{todo.pop(0).name}: done before")
    if todo:
        announce(todo, expected_seconds(config, searched, corpus), out, progress)
        if overwrite:  # by the first stage the networks and recordings have been read
            todo.pop(0).run(out, progress, overwrite, resume)
            for step in WAY[1:]:
                clear_run(out / step.name, step.name, config)
        do_all(todo, out, progress, overwrite, resume)
    several = out / "report" / "index.html"
    return several if several.is_file() else out / "report" / "report.html"


def do_all(
    todo: Sequence[Step], out: Path, progress: Progress, overwrite: bool, resume: bool
) -> None:
    """Do the stages, the last of which makes the page.

    Where there are too few excerpts to predict, the page has no prediction test.
    """
    *before, page = todo
    for step in before:
        try:
            step.run(out, progress, overwrite, resume)
        except TooFewExcerpts as error:
            progress.note(f"{step.name}: left out ({error})")
            page = replace(page, config=replace(page.config, validation=""))
    page.run(out, progress, overwrite, resume)


def clear_run(path: Path, stage: str, config: Any) -> None:
    """Delete what an earlier run of `stage` has left in `path`, if it is there.

    Raises UsageError if that is no run of this stage or contains an input that `config` names.
    """
    if path.is_dir():
        run = RunDirectory(path, stage, config, overwrite=True)
        run.close()
        run.log_file.unlink()


def announce(
    todo: Sequence[Step], expected: Mapping[str, float], out: Path, progress: Progress
) -> None:
    """Note what will be done, and about how long each stage takes here."""
    total = range_of_time(sum(expected[step.name] for step in todo))
    progress.note(f"{len(todo)} stages, each into its folder in {out}, {total}")
    progress.note("(longer while other programs run):")
    for step in todo:
        progress.note(f"  {step.name:<10}{range_of_time(expected[step.name]):>14}  {step.purpose}")


def range_of_time(seconds: float) -> str:
    """From half of an expected time to twice as much, in seconds or minutes."""
    low, high = seconds / 2, 2 * seconds
    if high < LONG:
        return f"{low:.0f} to {max(high, 1):.0f} s"
    return f"{max(low / 60, 1):.0f} to {high / 60:.0f} min"


def with_shipped(config: RunConfig) -> RunConfig:
    """The settings, with shipped networks for those that are not named."""
    gan = config.gan or str(shipped("pretrained/gan.pt"))
    encoder = config.encoder or ("descriptors",)
    if config.classifier or config.model:
        return replace(config, gan=gan, encoder=encoder)
    own, judge, referee = (
        str(shipped(f"pretrained/{name}.pt")) for name in ("classifier", "judge", "referee")
    )
    return replace(
        config,
        gan=gan,
        classifier=own,
        judge=config.judge or (judge, referee),
        encoder=config.encoder or ("descriptors", referee),
    )


def steps(config: RunConfig, corpus: AnyCorpus, out: Path) -> list[Step]:
    """The stages of the way; `validate` only where the corpus has recordings to predict."""
    found, made, chosen = (str(out / name) for name in ("responses", "explain", "select"))
    tested = bool(corpus.split("test"))
    settings = {
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
    way = [replace(step, config=settings[step.name]) for step in WAY]
    return [step for step in way if tested or step.name != "validate"]


def stage_config(kind: type[Config], config: RunConfig, **own: object) -> Config:
    """The settings of a stage: its `own`, and those that `run` has under the same name."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    shared = {f.name: getattr(config, f.name) for f in fields(config) if f.name in names}
    return kind(**{**shared, **own})
