"""The errors a user sees: one line that says what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
import errno
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

DISK_FULL = "no space left on the disk; free some and run the command again"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
LONGEST = 4000  # characters of a message, which may quote a file
NO_MEMORY = re.compile(  # in the words of torch, C++, CUDA, oneDNN, Python's threads, the loader
    "out of memory|bad_alloc|can(no|')t allocate memory|alloc_failed|"
    "could not create a primitive(?! descriptor)|can't start new thread|failed to map segment",
    re.IGNORECASE,
)
LONGEST_REASON = 160  # characters of what an error of a library says
# What torch puts around what it says: a headline, the condition in its source, a list of frames.
AROUND = re.compile(
    r"\A(?:Error\(s\) in loading state_dict for [^\n]*\n|\[enforce fail at [^]]*\](?:[^.\n]*\. )?)"
    r"|Exception raised from .*"
)
OF_SCRIPT = "The following operation failed in the TorchScript"  # what says why comes last
OF_PICKLE = re.compile(r"(?:WeightsUnpickler error: |(?=Trying to load unsupported ))(.*)")
NEGATION = re.compile("^(?:no[nt]?|un|anti|without)[ _-]?(?=.)", re.IGNORECASE)
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class GanexplainError(Exception):
    """The run cannot go on; the message is the one line shown. Exit status 1.

    What a file or its name puts into the line can neither break it nor command a terminal.
    """

    exit_status = 1

    def __str__(self) -> str:
        text = printable(super().__str__())
        return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


class UsageError(GanexplainError):
    """The command line or a configuration file asks for something that cannot be. Exit status 2."""

    exit_status = 2


class WrongKind(UsageError):
    """A file contains something else than what is `wanted` of the setting that names it."""

    wanted = ""


class BadFile(GanexplainError):
    """An input file that cannot be used; where `one_of_many`, `--skip-bad-files` leaves it out."""

    one_of_many = False


@contextmanager
def skipping_bad_file(skip: bool, note: Callable[[str], object]) -> Iterator[None]:
    """While open, a BadFile goes to `note` if `skip`; otherwise it is raised as `one_of_many`."""
    try:
        yield
    except BadFile as error:
        if not skip:
            error.one_of_many = True
            raise
        note(str(error))


class EmptySplit(GanexplainError):
    """A split of a corpus without any file that can be used."""


class TooFewExcerpts(GanexplainError):
    """A split with too few excerpts for a test of what can be predicted."""


class SilentFile(BadFile):
    """A recording without any sound: no use as a mixture, meaningful as a stem."""


class Diverged(GanexplainError):
    """Training or optimisation ran into values that are not finite."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the run ends as by Ctrl-C, with another exit status."""


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it came of, is that no memory was to be had."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        if isinstance(error, OSError) and error.errno is not None:
            found = error.errno == errno.ENOMEM
        else:
            named = isinstance(error, RuntimeError | OSError | ImportError)
            found = named and NO_MEMORY.search(str(error)) is not None
        if found or isinstance(error, MemoryError):
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False


def printable(text: str) -> str:
    """Text with control characters, line ends and halves of characters written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def terminal_safe(text: str) -> str:
    """Text in which what a terminal takes for commands is written as escapes.

    Control characters but tabs and line ends, and those that turn the direction of writing.
    """
    return COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def short_repr(value: object) -> str:
    """A value of a file in a message: short, on one line, whatever it is."""
    return reprlib.repr(value)[:120]


def reason_of(error: BaseException) -> str:
    """What an error of a library says, on one short line, for the brackets of a message.

    The kind of the error stands before it, but for those that are no kind of their own. Of what
    torch puts around an error, and of where in its source it comes from, nothing is left.
    """
    lines = [line.strip() for line in AROUND.sub("", str(error)).splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        return type(error).__name__
    unpickled = OF_PICKLE.search(str(error))
    reason = lines[-1 if lines[0].startswith(OF_SCRIPT) else 0]
    reason = unpickled[1] if unpickled else reason
    if len(reason) > LONGEST_REASON:
        sentences, end, _ = reason[:LONGEST_REASON].rpartition(". ")
        reason = sentences if end else f"{reason[: LONGEST_REASON - 4].rpartition(' ')[0]} ..."
    if not isinstance(error, GanexplainError | RuntimeError | ValueError | OSError):
        reason = f"{type(error).__name__}: {reason}"
    return reason.rstrip(".:, ")


def first_names(names: Sequence[str], most: int = 8) -> str:
    """Names for a note, of many the first and the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`" (did you mean 'fc9'?)"` for a near miss of a known name, else `""`.

    Never its opposite, as `sing` is of `nosing`.
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=len(known) or 1, cutoff=0.5)
    matches = [match for match in close if not _are_opposite(name, match)]
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def _are_opposite(one: str, other: str) -> bool:
    """Whether the names are more alike once one of them has lost its `no`, `non-` or `un`."""
    alike = _likeness(one, other)
    return any(
        _likeness(rest, against) > alike
        for text, against in ((one, other), (other, one))
        if (rest := NEGATION.sub("", text)) != text
    )


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()


def check_known(option: str, name: str, known: Iterable[str]) -> str:
    """`name` where it is one of `known`, else a UsageError with the closest match."""
    known = list(known)
    if name not in known:
        raise UsageError(
            f"{option}: {name!r} is not known{did_you_mean(name, known)}; one of {', '.join(known)}"
        )
    return name
