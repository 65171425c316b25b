"""Errors as one line on stderr and an exit status."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer

from ganexplain.errors import (
    DISK_FULL,
    NO_SPACE,
    BadFile,
    GanexplainError,
    Terminated,
    is_out_of_memory,
    short_repr,
)
from ganexplain.runs.interrupts import raise_interrupts


def print_error(text: str) -> None:
    """Print a line to stderr, where there is anyone to read it."""
    with suppress(OSError):
        typer.echo(text, err=True)


@contextmanager
def one_line_errors(may_skip: bool = False, resumes: bool = False) -> Iterator[None]:
    """While open, errors that the user can mend end the process with one line and an exit status.

    `may_skip`: the command has `--skip-bad-files`; `resumes`: it has `--resume`.
    """
    with raise_interrupts() as came:
        try:
            yield
        except BaseException as error:
            if came or isinstance(error, KeyboardInterrupt):
                cause = came[0] if came else error
                came.clear()
                kept = "no incomplete output was left behind"
                if resumes:
                    kept = "finished parts are kept; the same command with --resume goes on"
                print_error(f"interrupted: {kept}")
                raise SystemExit(143 if isinstance(cause, Terminated) else 130) from None
            line = _line_of(error)
            if line is None:
                raise
            if may_skip and isinstance(error, BadFile) and error.one_of_many:
                said = line.endswith("leave it out")
                line += f" (--skip-bad-files {'does' if said else 'leaves it out'})"
            print_error(f"error: {line}")
            raise SystemExit(getattr(error, "exit_status", 1)) from error


def _line_of(error: BaseException) -> str | None:
    """What is told of an error whose cause the user can mend; None of others."""
    # First: what could not be read for want of memory looks damaged.
    if isinstance(error, Exception) and is_out_of_memory(error):
        return "out of memory; finished work is kept. Free some, or lower --batch-size or --workers"
    if isinstance(error, GanexplainError):
        return str(error)
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return "too many open files; raise the limit (ulimit -n), or lower --workers"
    if isinstance(error, OSError) and error.filename is not None:  # of what the command names
        return f"{short_repr(str(error.filename))}: {error.strerror}"
    if isinstance(error, OSError) and error.errno in NO_SPACE:  # of a library's own cache
        return DISK_FULL
    return None
