"""Writes files completely or not at all; reads JSON documents; hashes files.

Each file is written under a temporary name beside its final one, flushed to disk and renamed, so a
file under its final name is complete. A temporary file of a killed process has no lock, and the
next run deletes it.
"""

from __future__ import annotations

import csv
import ctypes
import errno
import glob
import hashlib
import io
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ganexplain.errors import DISK_FULL, NO_SPACE, GanexplainError, UsageError
from ganexplain.files.bounded import parse_json, read_text
from ganexplain.files.names import LONGEST, truncate_name

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

JsonObject = dict[str, object]  # an object as it is written to JSON
Document = Mapping[str, object]  # an object as it was read, before its fields are checked

UNFINISHED = ".unfinished"  # ending of temporary files
NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
LOCKED = (errno.EWOULDBLOCK, errno.EACCES)  # another process has the lock
LOCK_TRIES = 20  # signals and servers of file systems can interrupt a try
# Errors of file systems (SMB, 9p, FUSE) that cannot rename an open file, or over another.
NO_RENAME = (errno.EEXIST, errno.EACCES, errno.EPERM, errno.EBUSY, errno.ETXTBSY)


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; rename it to `path` if the block does not fail.

    Raises GanexplainError if the disk is full or the folder cannot be written. Locks and flushing
    are left out on file systems that do not support them.
    """
    temporary = _temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, NEW_FILE, 0o666), "wb") as stream:
            try_lock(stream)
            yield stream
            stream.flush()
            _flush_to_disk(stream)
            # While it is locked, so that no other run deletes it.
            renamed = _rename(temporary, path)
        if not (renamed or _rename(temporary, path)):  # closed now, but `path` may exist
            path.unlink(missing_ok=True)
            temporary.replace(path)
    except OSError as error:
        raise GanexplainError(_disk_message(path, error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Make a temporary folder beside `path`; it replaces `path` if the block does not fail.

    An earlier one is deleted, and what killed processes have left of some, when the new one is
    there. Raises GanexplainError if the disk is full or the folder cannot be written.
    """
    path = path.resolve()  # a link stays one
    temporary = _temporary(path)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():
            path.replace(_temporary(path))
        temporary.replace(path)
        for left in path.parent.glob(_temporary_pattern(path)):
            shutil.rmtree(left)
    except OSError as error:
        raise GanexplainError(_disk_message(path, error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary(path: Path) -> Path:
    """An unused name beside `path` for what is to be renamed to it."""
    token = f".{secrets.token_hex(4)}{UNFINISHED}"
    return path.with_name(f"{_temporary_stem(path, len(token))}{token}")


def _temporary_pattern(path: Path) -> str:
    """The pattern of such names."""
    token = f".{'[0-9a-f]' * 8}{UNFINISHED}"
    return glob.escape(_temporary_stem(path, 9 + len(UNFINISHED))) + token


def _temporary_stem(path: Path, room: int) -> str:
    return f".{truncate_name(path.name, LONGEST - 1 - room)}"


def _flush_to_disk(stream: IO[bytes]) -> None:
    try:
        os.fsync(stream.fileno())
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP):
            raise


def _rename(temporary: Path, path: Path) -> bool:
    """Give a file its final name; False if the file system does not allow this rename."""
    try:
        temporary.replace(path)
    except OSError as error:
        if error.errno not in NO_RENAME or path.is_dir():
            raise
        return False
    return True


def try_lock(stream: IO[Any]) -> bool | None:
    """Lock an open file until it is closed or the process ends; False if another has the lock.

    None if the file system has no locks.
    """
    if fcntl is None:
        return None
    for _ in range(LOCK_TRIES):
        number = _flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        if number != errno.EINTR:
            return True if not number else False if number in LOCKED else None
    return None


def _flock(descriptor: int, operation: int) -> int:
    """The error number of one call of flock, or 0; Python's own function retries without end."""
    libc = ctypes.CDLL(None, use_errno=True)
    return ctypes.get_errno() if libc.flock(descriptor, operation) else 0


def remove_unfinished(folder: Path) -> None:
    """Delete temporary files of processes that have ended, in a folder and below it."""
    for path in folder.rglob(f".*{UNFINISHED}"):
        with suppress(OSError), path.open("r+b") as stream:  # it may be finished meanwhile
            if try_lock(stream):
                path.unlink()


def _disk_message(path: Path, error: OSError) -> str:
    if error.errno in (*NO_SPACE, None):  # None: a short write of numpy
        return f"{path}: {DISK_FULL}"
    return f"{path}: cannot be written ({error.strerror or error}); choose another folder"


def write_bytes(path: Path, content: bytes) -> None:
    """Write a small file completely or not at all."""
    with atomic_file(path) as stream:
        stream.write(content)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8; bytes of file names that are not UTF-8 become escapes."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: Path, document: Document) -> None:
    """Write a JSON document; ValueError for numbers that are not finite."""
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
    """Read a JSON object; GanexplainError if the file is not one."""
    try:
        document = parse_json(read_text(existing_file(path)))
    except (OSError, ValueError) as error:
        raise GanexplainError(f"{path}: not a JSON document ({error}); make it again") from error
    if not isinstance(document, dict):
        raise GanexplainError(f"{path}: expected a JSON object; make it again")
    return document


def existing_file(path: Path) -> Path:
    """The path itself; UsageError if there is no such file."""
    if path.is_dir():
        raise UsageError(f"{path}: a folder, where a file is needed; name the file in it")
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    return path


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with existing_file(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
