"""Files that are written whole or not at all; JSON documents, tables and hashes of files.

Every file is written beside its final name, flushed to disk and renamed, so a file under its
final name is whole. What a killed process leaves beside it is held by nobody, and goes with the
next run.
"""

from __future__ import annotations

import csv
import ctypes
import errno
import hashlib
import io
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ganexplain.errors import (
    DISK_FULL,
    NO_SPACE,
    GanexplainError,
    UsageError,
)
from ganexplain.files.bounded import (
    parse_json,
    read_text,
)
from ganexplain.files.names import LONGEST, truncate_name

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

UNFINISHED = ".unfinished"  # the ending of files being written
NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
LOCKED = (errno.EWOULDBLOCK, errno.EACCES)  # another has it
LOCK_TRIES = 20  # where signals, or a file system's server, interrupt them
# How file systems (SMB, 9p, FUSE) refuse to rename an open file, or over another.
NO_RENAME = (errno.EEXIST, errno.EACCES, errno.EPERM, errno.EBUSY, errno.ETXTBSY)


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary neighbour of `path`; rename it to `path` when the block ends well.

    Raises GanexplainError where the disk is full or the folder cannot be written. What a file
    system has not (locks, a way to flush) is left out.
    """
    token = f".{secrets.token_hex(4)}{UNFINISHED}"
    temporary = path.with_name(f".{truncate_name(path.name, LONGEST - 1 - len(token))}{token}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, NEW_FILE, 0o666), "wb") as stream:
            try_lock(stream)
            yield stream
            stream.flush()
            _flush_to_disk(stream)
            # While it is held, so that nobody takes it for a dead one's.
            renamed = _rename(temporary, path)
        if not renamed:
            _rename_closed(temporary, path)
    except OSError as error:
        raise GanexplainError(_disk_message(path, error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _flush_to_disk(stream: IO[bytes]) -> None:
    try:
        os.fsync(stream.fileno())
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP):
            raise


def _rename(temporary: Path, path: Path) -> bool:
    """Give a file its final name; False where the file system may only rename others."""
    try:
        temporary.replace(path)
    except OSError as error:
        if error.errno not in NO_RENAME or path.is_dir():
            raise
        return False
    return True


def _rename_closed(temporary: Path, path: Path) -> None:
    """The same of a file that is no longer open, and, if it must be, where none has the name."""
    if not _rename(temporary, path):
        path.unlink(missing_ok=True)
        temporary.replace(path)


def try_lock(stream: IO[Any]) -> bool | None:
    """Lock an open file until it is closed or the process dies; False where another has it.

    None where the file system has no locks: nobody can tell.
    """
    if fcntl is None:
        return None
    for _ in range(LOCK_TRIES):
        number = _flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        if number != errno.EINTR:
            return True if not number else False if number in LOCKED else None
    return None


def _flock(descriptor: int, operation: int) -> int:
    """The error number of one call of flock, 0 of a lock; Python's own retries for ever."""
    libc = ctypes.CDLL(None, use_errno=True)
    return ctypes.get_errno() if libc.flock(descriptor, operation) else 0


def remove_unfinished(folder: Path) -> None:
    """Delete what processes that are gone were writing in a folder and below it."""
    for path in folder.rglob(f".*{UNFINISHED}"):
        with suppress(OSError), path.open("r+b") as stream:  # gone, or finished meanwhile
            if try_lock(stream):
                path.unlink()


def _disk_message(path: Path, error: OSError) -> str:
    if error.errno in (*NO_SPACE, None):  # None: a short write of numpy
        return f"{path}: {DISK_FULL}"
    return f"{path}: cannot be written ({error.strerror or error}); choose another folder"


def write_bytes(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all."""
    with atomic_file(path) as stream:
        stream.write(content)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8; of names that are none, what is not is written as an escape."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Write a JSON document; numbers that are not finite are refused by json itself."""
    text = json.dumps(document, indent=2, allow_nan=False)
    write_bytes(path, text.encode() + b"\n")


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV table, atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON document; GanexplainError names the file where it is not one."""
    try:
        document = parse_json(read_text(existing_file(path)))
    except (OSError, ValueError) as error:
        raise GanexplainError(f"{path}: not a JSON document ({error}); make it again") from error
    if not isinstance(document, dict):
        raise GanexplainError(f"{path}: expected a JSON object; make it again")
    return document


def existing_file(path: Path) -> Path:
    """The path itself; UsageError where no file is there."""
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    return path


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with existing_file(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
