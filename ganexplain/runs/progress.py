"""Progress on stderr: a bar, lines or nothing, and the notes of a run."""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from ganexplain.errors import terminal_safe
from ganexplain.runs.interrupts import raise_swallowed_interrupt

if TYPE_CHECKING:
    from rich.progress import TaskID

MOST_COUNTED = 100  # units that are shown as numbers
SKIPPED = "skipped: "  # how a note of a file left out begins
LOGGER = logging.getLogger("ganexplain")


class Progress(Protocol):
    """The interface by which a stage reports its progress."""

    def start(self, description: str, total: int, done: int = 0, at_most: bool = False) -> None:
        """Begin a long step of `total` units, of which an earlier run has done `done`.

        `at_most`: it may end earlier, by a rule of its own.
        """

    def advance(self, units: int = 1, **values: float) -> None:
        """Report that `units` are done; `values` (a loss, a distance) are shown beside the bar."""

    def note(self, message: str) -> None:
        """Report one line that is kept: a warning or an intermediate result."""


class NullProgress:
    """Progress that shows nothing and keeps the notes in `notes`."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def start(self, description: str, total: int, done: int = 0, at_most: bool = False) -> None:
        """Nothing is shown."""

    def advance(self, units: int = 1, **values: float) -> None:
        """Nothing is shown."""
        raise_swallowed_interrupt()

    def note(self, message: str) -> None:
        """Keep the note."""
        self.notes.append(message)


class LoggedProgress:
    """A progress like another, whose notes are logged; `warnings` gets those of files left out."""

    def __init__(self, progress: Progress, log: Callable[[str], None], warnings: list[str]) -> None:
        self.start, self.advance = progress.start, progress.advance
        self._progress, self._log, self._warnings = progress, log, warnings

    def note(self, message: str) -> None:
        """Log the note, and report it."""
        self._log(message)
        if message.startswith(SKIPPED) and message not in self._warnings:
            self._warnings.append(message)
        self._progress.note(message)


class NotelessProgress:
    """A progress like another without its notes, for work that is done again with them."""

    def __init__(self, progress: Progress) -> None:
        self.start, self.advance = progress.start, progress.advance

    def note(self, message: str) -> None:
        """The note is not shown."""


def note_skipped(progress: Progress, reasons: Iterable[str]) -> None:
    """Note why each of some files is left out; a run lists these notes among its warnings."""
    for reason in reasons:
        progress.note(SKIPPED + reason)


def _values_text(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items())


def duration_text(seconds: float) -> str:
    """Hours, minutes and seconds, as in 0:02:05."""
    minutes, seconds = divmod(math.ceil(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def _share_text(done: int, total: int) -> str:
    """How much of a step is done: as numbers where they are few, else as a percentage."""
    return f"{done}/{total}" if total <= MOST_COUNTED else f"{100 * done // total} %"


def _print_line(text: str) -> None:
    """Print a line on stderr; a closed stream does not end the run."""
    with suppress(OSError):
        print(terminal_safe(text), file=sys.stderr, flush=True)


class LineProgress(NullProgress):
    """Progress as plain lines on stderr, for logs and pipes.

    The first lines of a step are `every` seconds apart, later ones a fifth of the time it has
    taken: some ten lines in five minutes, and ten more in an hour.
    """

    def __init__(self, every: float = 15.0) -> None:
        super().__init__()
        self.every = every

    def start(self, description: str, total: int, done: int = 0, at_most: bool = False) -> None:
        """Announce a step."""
        self.description, self.total, self.done, self.before = description, total, done, done
        self.at_most = "at most " if at_most else ""
        self.started = self.shown = time.monotonic()
        _print_line(f"{description} ...")

    def advance(self, units: int = 1, **values: float) -> None:
        """Print a line if one is due, and at the end of the step."""
        super().advance()
        if self.done >= self.total:  # its last line is printed
            return
        self.done += units
        now = time.monotonic()
        spent = now - self.started
        if self.done < self.total and now - self.shown < max(self.every, spent / 5):
            return
        self.shown = now
        left = spent / max(self.done - self.before, 1) * (self.total - self.done)
        times = f"{duration_text(spent)} spent, {self.at_most}{duration_text(left)} left"
        share = _share_text(self.done, self.total)
        _print_line(f"{self.description} {share}  {times}  {_values_text(values)}".rstrip())

    def note(self, message: str) -> None:
        """Print the note at once."""
        super().note(message)
        _print_line(message)


class BarProgress(NullProgress):
    """Progress as a rich bar with the time left, for a terminal."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self.console = Console(stderr=True, highlight=False)
        self.bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[share]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[values]}"),
            console=self.console,
        )
        self.task: TaskID | None = None

    def start(self, description: str, total: int, done: int = 0, at_most: bool = False) -> None:
        """Begin a bar below the finished ones."""
        name, share = description + (", at most" if at_most else ""), _share_text(done, total)
        self.task = self.bar.add_task(name, total=total, completed=done, share=share, values="")

    def advance(self, units: int = 1, **values: float) -> None:
        """Move the bar."""
        super().advance()
        if self.task is not None:
            self.bar.update(self.task, advance=units)
            task = self.bar.tasks[self.task]
            share = _share_text(int(task.completed), int(task.total or 0))
            self.bar.update(self.task, share=share)
            if values:
                self.bar.update(self.task, values=_values_text(values))

    def note(self, message: str) -> None:
        """Print the note above the bar."""
        super().note(message)
        self.console.print(terminal_safe(message), markup=False, soft_wrap=True)


class _Warnings(logging.Handler):
    """Passes each different warning of this package to `note` once.

    Those of a thread that has handlers of its own are theirs alone.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self.note, self.thread = note, threading.get_ident()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        here, message = threading.get_ident(), record.getMessage()
        owners = {each.thread for each in LOGGER.handlers if isinstance(each, _Warnings)}
        if here in owners - {self.thread}:
            return
        if message not in self.messages:
            self.messages.append(message)
            self.note(message)


@contextmanager
def forward_warnings(note: Callable[[str], None]) -> Iterator[list[str]]:
    """While open, `note` gets the warnings that are logged by code without a progress.

    Yields all warnings so far, including those of surrounding blocks of the same thread. In a block
    of another thread it gets those of that thread, and no other block does.
    """
    handler = _Warnings(note)
    for earlier in LOGGER.handlers:
        if isinstance(earlier, _Warnings) and earlier.thread == handler.thread:
            handler.messages += [m for m in earlier.messages if m not in handler.messages]
    LOGGER.addHandler(handler)
    try:
        yield handler.messages
    finally:
        LOGGER.removeHandler(handler)


@contextmanager
def stderr_progress(quiet: bool) -> Iterator[NullProgress]:
    """The progress that fits stderr: a bar on a terminal, lines elsewhere, nothing when quiet."""
    with ExitStack() as stack:
        progress: NullProgress = NullProgress()
        if not quiet and sys.stderr.isatty():
            bar = BarProgress()
            stack.enter_context(bar.bar)
            progress = bar
        elif not quiet:
            progress = LineProgress()
        stack.enter_context(forward_warnings(progress.note))
        yield progress
