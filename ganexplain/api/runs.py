"""A command as a Python function: arguments in, the record of its run out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, Self, TypeVar

from ganexplain.api.arguments import PathName, Values, arguments_of, config_from, translate
from ganexplain.config import OTHERS, STAGES, options_named
from ganexplain.errors import GanexplainError
from ganexplain.files.atomic import Document, JsonObject, read_json
from ganexplain.runs.progress import NullProgress, Progress, forward_warnings, stderr_progress
from ganexplain.stages import load_stage, with_files_of_the_hub

Result = TypeVar("Result")
ProgressCallback = Callable[[int, int, float], None]
IN_PLACE = ("label-stems",)  # they write beside their input


@dataclass(frozen=True, repr=False)
class Run(Generic[Result]):
    """What a command has written, and what it found.

    A run can be passed wherever a path is taken. Without `out` its directory is temporary, and is
    removed with the last run that was made from it.

    Attributes:
        out: Run directory.
        settings: All settings, as the config of the command.
        result: What the command returns.
        notes: What the command notes on stderr.
    """

    out: Path
    settings: Any
    result: Result
    notes: tuple[str, ...] = ()
    sources: tuple[object, ...] = field(default=(), compare=False)  # and temporary directories

    @cached_property
    def record(self) -> JsonObject:
        """The content of `run.json`: inputs with their hashes, seconds, figures (`results`)."""
        return read_json(self.out / "run.json")

    @property
    def figures(self) -> Document:
        """The figures of the run, as in `run.json`."""
        found = self.record["results"]
        assert isinstance(found, dict)  # as RunDirectory writes it
        return found

    def warn(self) -> Iterable[str]:
        """What a caller in Python is warned of."""
        return ()

    def __fspath__(self) -> str:
        return str(self.out)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.out)!r})"


class CallbackProgress(NullProgress):
    """Progress that calls a function with what is done, of how much, and a value or NaN."""

    def __init__(self, callback: ProgressCallback) -> None:
        super().__init__()
        self.callback = callback

    def start(self, description: str, total: int, done: int = 0, at_most: bool = False) -> None:
        """Begin a step."""
        self.total, self.done = total, done

    def advance(self, units: int = 1, **values: float) -> None:
        """Call the function."""
        super().advance()
        self.done += units
        self.callback(self.done, self.total, next(iter(values.values()), float("nan")))


@dataclass(frozen=True)
class Running:
    """How a command runs: where it writes, and what it reports to; as the arguments."""

    out: PathName | None = None
    overwrite: bool = False
    resume: bool = False
    executor: Executor | None = None
    progress: bool | ProgressCallback = False

    @classmethod
    def split(cls, given: Values) -> tuple[Self, Values]:
        """The arguments of this kind among those `given`, and the settings."""
        own = {name: value for name, value in given.items() if name in cls.__dataclass_fields__}
        return cls(**own), {name: value for name, value in given.items() if name not in own}

    @property
    def more(self) -> Values:
        """The arguments that only some stages have."""
        given = {"resume": self.resume, "executor": self.executor}
        return {name: value for name, value in given.items() if value}


def run_command(command: str, kind: type[Run[Any]], given: Values) -> Any:
    """Run a command with the arguments `given`; returns its record, of the type `kind`.

    Raises the errors of the command, which name arguments.
    """
    running, arguments = Running.split(given)
    earlier = [value for value in arguments.values() if isinstance(value, Run)]
    config_class, stage = (STAGES | OTHERS)[command]
    try:
        config = config_from(config_class, arguments, [each.settings for each in earlier])
        folder = TemporaryDirectory(prefix="ganexplain-") if running.out is None else None
        out = Path(folder.name) / command if folder else Path(running.out or "")
        more = running.more | ({} if command in IN_PLACE else {"out": out})
        with reported(running.progress) as progress, options_named(config):
            found = load_stage(stage)(
                with_files_of_the_hub(config, progress),
                progress=progress,
                overwrite=running.overwrite,
                **more,
            )
    except GanexplainError as error:
        translate(error, [each.name for each in arguments_of(config_class)])
        raise
    run = kind(out, config, found, tuple(progress.notes), (folder, *earlier))
    for text in run.warn():
        warnings.warn(text, stacklevel=3)
    return run


@contextmanager
def reported(wanted: bool | ProgressCallback) -> Iterator[NullProgress]:
    """The progress of a run: as of the command, to a function, or none.

    Warnings about files are Python's warnings unless the progress shows them.
    """
    if wanted is True:
        with stderr_progress(quiet=False) as shown:
            yield shown
        return
    progress = CallbackProgress(wanted) if wanted else NullProgress()
    with forward_warnings(lambda text: _warn(progress, text)):
        yield progress


def _warn(progress: Progress, text: str) -> None:
    progress.note(text)
    warnings.warn(text, stacklevel=2)
