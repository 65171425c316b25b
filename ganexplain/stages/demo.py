"""`demo`: a page from the networks and recordings that come with the package."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from ganexplain.config import DemoConfig, RunConfig
from ganexplain.files.atomic import Document
from ganexplain.files.shipped import shipped, shipped_network
from ganexplain.runs.progress import Progress
from ganexplain.stages.run import plan as plan_of_run
from ganexplain.stages.run import run

CORPUS = "demo.csv"
ITERATIONS = 200  # half of what `run` searches with: a page in less than two minutes of a core


@dataclass(frozen=True)
class DemoPage:
    """The page, and commands to try next, each with what it does."""

    page: Path
    next_commands: tuple[tuple[str, str], ...]

    def __fspath__(self) -> str:
        return str(self.page)

    def to_json(self) -> Document:
        """The entries of `--json`."""
        commands = [{"command": line, "does": what} for line, what in self.next_commands]
        return {"path": str(self.page), "next": commands}


def demo(
    config: DemoConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
) -> DemoPage:
    """Explain the neuron "sing" of the shipped detector; errors as `run`.

    GanexplainError if the package was installed without its data.
    """
    page = run(whole_run(config), out, progress, overwrite, resume)
    return DemoPage(page, next_commands(out))


def plan(
    config: DemoConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
) -> str:
    """What `demo` would do: `plan` of `run`; errors as `demo`."""
    return plan_of_run(whole_run(config), out, progress, overwrite, resume)


def whole_run(config: DemoConfig) -> RunConfig:
    """The settings of `run` with shipped networks and recordings; errors as `demo`."""
    return RunConfig(
        corpus=(str(shipped(CORPUS)),),
        classifier=shipped_network("classifier"),
        neuron="sing",
        iterations=ITERATIONS,
        device=config.device,
        workers=config.workers,
        scheduler_file=config.scheduler_file,
    )


def next_commands(out: Path) -> tuple[tuple[str, str], ...]:
    """Commands that go on from the demo in `out`."""
    classifier = shipped_network("classifier")
    excerpt = f"{shipped('audio/gig_ria_country.ogg')}@10.5"
    return (
        (
            command("predict", "YOUR_SONG.mp3", classifier=classifier, out="runs/demo-predict"),
            "finds where somebody sings in a recording of yours",
        ),
        (
            command("attribute", excerpt, classifier=classifier, out="runs/demo-why"),
            "explains a single decision",
        ),
        (
            command(
                "select",
                str(out / "explain"),
                responses=str(out / "responses"),
                by="fid-response",
                out="runs/demo-paper",
            ),
            "ranks the same settings by the score of the paper",
        ),
        (
            command("run", "YOUR_RECORDINGS", out="runs/yours"),
            "does the same with your recordings",
        ),
    )


def command(*words: str, **options: str) -> str:
    """A line of a shell, with its paths quoted where necessary."""
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    return shlex.join(["ganexplain", *words, *flags])
