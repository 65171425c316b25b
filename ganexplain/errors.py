"""The errors a user sees: one line that says what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GanexplainError(Exception):
    """The run cannot go on; the message is the one line shown. Exit status 1."""

    exit_status = 1


class UsageError(GanexplainError):
    """The command line or a configuration file asks for something that cannot be. Exit status 2."""

    exit_status = 2


class BadFile(GanexplainError):
    """An input file that cannot be used; `--skip-bad-files` may leave it out."""


class SilentFile(BadFile):
    """A recording without any sound: no use as a mixture, meaningful as a stem."""


class Diverged(GanexplainError):
    """Training or optimisation ran into values that are not finite."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the run ends as by Ctrl-C, with another exit status."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`" (did you mean 'fc9'?)"` for a near miss of a known name, else `""`."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def check_known(option: str, name: str, known: Iterable[str]) -> str:
    """`name` where it is one of `known`, else a UsageError with the closest match."""
    known = list(known)
    if name not in known:
        raise UsageError(
            f"{option}: {name!r} is not known{did_you_mean(name, known)}; one of {', '.join(known)}"
        )
    return name
