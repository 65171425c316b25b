"""Stages that are done one after the other, each in a folder of its own, and how long they take."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganexplain.config.setting import command_text
from ganexplain.errors import UsageError
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.earlier import is_finished
from ganexplain.runs.lock import check_creatable, contains_results, directory_entries
from ganexplain.runs.progress import Progress

LONG = 90.0  # seconds from which an expected time is given in minutes


@dataclass(frozen=True)
class Step:
    """A stage of the way: its name, which its folder has too, its function and `config`.

    `purpose` says what it does, and `output` names the file of a unit; several units have a folder
    each. A stage that `resumes` keeps parts of its work. `options` are those of the whole way, by
    the settings of the stage that they set under another name.
    """

    name: str
    do: Callable[..., object]
    purpose: str
    output: str
    resumes: bool = True
    config: Any = None
    options: Mapping[str, str] = field(default_factory=dict)

    def is_done(self, out: Path) -> bool:
        """Whether an earlier run has done it with the same settings; errors as `is_finished`."""
        folder = out / self.name
        try:
            if not is_finished(folder, self.name, self.config):
                return False
        except UsageError as error:
            for own, option in self.options.items():
                error.args = (str(error).replace(f"--{own} ", f"--{option} "),)
            raise
        if (folder / self.output).is_file():
            return True
        units = [each for each in folder.iterdir() if each.is_dir()]
        return bool(units) and all((unit / self.output).is_file() for unit in units)

    def plan(self, out: Path, seconds: float) -> tuple[str, str]:
        """Two lines: what it does in about how many `seconds`, and its command."""
        command = command_text(self.name, self.config, shlex.quote(str(out / self.name)), here=True)
        return f"{self.name}, {range_of_time(seconds)}: {self.purpose}", f"    {command}"

    def run(
        self, out: Path, progress: Progress, overwrite: bool, resume: bool, time: str = ""
    ) -> None:
        """Do it into its folder in `out`; with `resume` from what an earlier run has left.

        A note says what it does, and how much `time` it takes.
        """
        progress.note(f"{self.name}: {self.purpose}{f', {time}' if time else ''}")
        folder = out / self.name
        if self.resumes:
            self.do(self.config, folder, progress, overwrite, resume)
        else:
            self.do(self.config, folder, progress, overwrite or resume)


def check_new_way(out: Path, stages: Iterable[str]) -> None:
    """Raise UsageError if `out` cannot be created, or a stage's folder has results of a run."""
    check_creatable(out)
    for name in stages:
        if directory_entries(out / name) and contains_results(out / name, name):
            raise UsageError(
                f"--out {out}: contains an earlier run; --resume to continue, --overwrite to start "
                "again, or name another"
            )


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
    progress.note("(as busy as this machine is now; measured again before each):")
    for step in todo:
        progress.note(f"  {step.name:<16}{range_of_time(expected[step.name]):>14}  {step.purpose}")


def range_of_time(seconds: float) -> str:
    """From half of an expected time to twice as much, in seconds or minutes."""
    low, high = seconds / 2, 2 * seconds
    if high < LONG:
        return f"{low:.0f} to {max(high, 1):.0f} s"
    return f"{max(low / 60, 1):.0f} to {high / 60:.0f} min"
