"""Work in parts whose results are kept in the run directory until the run has all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from ganexplain.files.dataclass_files import read_dataclass, write_dataclass
from ganexplain.runs.parts import PARTS_FOLDER, parts_to_do
from ganexplain.runs.progress import LOGGER, NullProgress, Progress, forward_warnings
from ganexplain.runs.tasks import Advance
from ganexplain.runs.workers import DividedWork, Workers

T = TypeVar("T")


def no_files(part: Any, result: Any) -> Iterable[Path]:
    """The files of parts that are results alone."""
    return ()


KIND = "part"


@dataclass(frozen=True)
class NumberedPart:
    """A task by names and indices, of so many `units` of the progress.

    One whose length is not known before has 0, and reports its own.
    """

    FOLDER: ClassVar[str] = PARTS_FOLDER  # of its file, in the run directory
    number: int
    units: int

    def path(self, out: Path) -> Path:
        """The file of its result below the run directory.

        Its name has a hash of all fields: of other inputs, another part has the same number.
        """
        digest = hashlib.sha256(repr(self).encode(errors="surrogateescape")).hexdigest()
        return out / self.FOLDER / f"{self.number:06d}-{digest[:16]}.npz"


@dataclass(frozen=True)
class PartResult(Generic[T]):
    """The result of a part, and the notes and warnings of whichever process did it."""

    result: T
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class PartWork(Generic[T]):
    """What does a part: `prepare(*arguments)(part, progress)` returns its result, a dataclass.

    The arguments are sent to other processes; `opened` is what this process has prepared already.
    `files(part, result)` are those that a part has written beside its result; it is done again
    where one is gone. Where a part has `steps`, these have a progress of their own, and a single
    part is done here, step by step.
    """

    result: type[T]
    prepare: Callable[..., Callable[[Any, Progress], T]]
    arguments: tuple[Any, ...]
    opened: Callable[[Any, Progress], T]
    steps: bool = False
    files: Callable[[Any, T], Iterable[Path]] = no_files

    def read(self, part: NumberedPart, out: Path) -> PartResult[T]:
        """What is kept of a part; errors as `read_dataclass`."""
        kind: Any = PartResult[self.result]  # type: ignore[name-defined]
        kept: PartResult[T] = read_dataclass(part.path(out), KIND, kind)
        return kept

    def is_done(self, part: NumberedPart, out: Path) -> bool:
        """Whether the result of a part and its files are there; errors as `read`."""
        if not part.path(out).is_file():
            return False
        return all(path.is_file() for path in self.files(part, self.read(part, out).result))

    def take(self, part: NumberedPart, out: Path, progress: Progress) -> T:
        """The result of a part that is done; reports its notes and warnings."""
        kept = self.read(part, out)
        for note in kept.notes:
            progress.note(note)
        for warning in kept.warnings:
            LOGGER.warning("%s", warning)
        return kept.result

    def divided(self, out: Path) -> DividedWork:
        """The work on parts of the run in `out`, whose results are kept there."""
        arguments = self.prepare, self.arguments, out, self.steps
        return DividedWork(PartWriter, arguments, out, loaded=(self.opened,))


class PartWriter:
    """Does parts in any process, and writes the file of each last."""

    def __init__(
        self,
        prepare: Callable[..., Callable[[Any, Progress], object]],
        arguments: tuple[Any, ...],
        out: Path,
        steps: bool,
        opened: Callable[[Any, Progress], object] | None = None,
    ) -> None:
        self.do, self.out, self.steps = opened or prepare(*arguments), out, steps

    def __call__(self, part: NumberedPart, advance: Advance) -> None:
        """Do a part and write its file."""
        progress = PartProgress(advance)
        with forward_warnings(lambda message: None) as warnings:
            earlier = len(warnings)
            result = self.do(part, StepProgress(progress) if self.steps else progress)
            advance(0)  # ends a task whose command has ended
            found = PartResult(result, tuple(progress.notes), tuple(warnings[earlier:]))
            write_dataclass(part.path(self.out), KIND, found)
        advance(max(part.units - progress.units, 0))


class PartProgress(NullProgress):
    """The progress of a part: notes are kept, and `units` are those that it has advanced by."""

    def __init__(self, advance: Advance) -> None:
        super().__init__()
        self.by, self.units = advance, 0

    def advance(self, units: int = 1, **values: float) -> None:
        """Report units of the part."""
        self.units += units
        self.by(units)


class StepProgress(NullProgress):
    """The progress of steps within a part, which are no units of it."""

    def __init__(self, part: Progress) -> None:
        super().__init__()
        self.part = part

    def advance(self, units: int = 1, **values: float) -> None:
        """Show that something happens, and end a task whose command has ended."""
        self.part.advance(0)

    def note(self, message: str) -> None:
        """Note it for the part."""
        self.part.note(message)


@dataclass(frozen=True)
class PartedRun:
    """Where the parts of a run are done, and how that is shown: as a step named `title`."""

    out: Path
    workers: Workers
    progress: Progress
    title: str
    worth_it: bool

    def results(self, parts: Sequence[NumberedPart], work: PartWork[T]) -> list[T]:
        """The results of all parts, in their order; those that an earlier run kept are not redone.

        Notes and warnings of a part are reported when it and all before it are done.
        """
        out, progress = self.out, self.progress
        if not parts:
            return []  # without a step that shows nothing
        if work.steps and len(parts) == 1:
            return [work.opened(parts[0], progress)]
        todo = parts_to_do(parts, lambda part: work.is_done(part, out), progress)
        for part in todo:
            part.path(out).unlink(missing_ok=True)  # its files are gone
        total, left = (sum(part.units for part in some) for some in (parts, todo))
        progress.start(self.title, total, total - left)
        found: list[T] = []

        def advance(units: int) -> None:
            progress.advance(units)
            while len(found) < len(parts) and parts[len(found)].path(out).is_file():
                found.append(work.take(parts[len(found)], out, progress))

        self.workers.do(todo, work.divided(out), advance, self.worth_it)
        return found + [work.take(part, out, progress) for part in parts[len(found) :]]
