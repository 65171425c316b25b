"""The only reader and writer of checkpoints, arrays and JSON documents.

Every file is written beside its final name, flushed to disk and renamed, so a file under its
final name is whole. What a killed process leaves beside it is held by nobody, and goes with the
next run. Loading is data only: no pickled objects, in checkpoints or in arrays.
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
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from ganexplain.errors import (
    DISK_FULL,
    NO_SPACE,
    GanexplainError,
    UsageError,
    no_memory,
    reason_of,
    shown,
)
from ganexplain.files.bounded import (
    check_archive,
    check_array,
    lines_of,
    parse_json,
    read_archived,
    read_text,
)
from ganexplain.files.names import LONGEST, cut
from ganexplain.inputs.front_end import FrontEnd
from ganexplain.inputs.specification import Input, input_from, input_values

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SCHEMA = 1
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
    temporary = path.with_name(f".{cut(path.name, LONGEST - 1 - len(token))}{token}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, NEW_FILE, 0o666), "wb") as stream:
            hold(stream)
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


def hold(stream: IO[Any]) -> bool | None:
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
            if hold(stream):
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


def write_json(path: Path, document: Mapping[str, Any]) -> None:
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
        document = parse_json(read_text(_existing(path)))
    except (OSError, ValueError) as error:
        raise GanexplainError(f"{path}: not a JSON document ({error}); make it again") from error
    if not isinstance(document, dict):
        raise GanexplainError(f"{path}: expected a JSON object; make it again")
    return document


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    return path


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with _existing(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# --- arrays -------------------------------------------------------------------------------


def write_arrays(
    path: Path, kind: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> None:
    """Write named arrays and a `meta` JSON text (with `kind` and `schema`) to an `.npz`."""
    text = json.dumps({"kind": kind, "schema": SCHEMA, **meta}, allow_nan=False)
    # Not np.savez: it cannot hold a key named `file`, and stamps the time of day on each entry.
    with atomic_file(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, array in {"meta": np.array(text), **arrays}.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)


def read_arrays(
    path: Path, kind: str, keys: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All arrays of an `.npz` written by `write_arrays`, and its meta.

    Raises UsageError for a missing file or another kind, GanexplainError for a truncated or
    foreign one or a missing key.
    """
    with _whole(path, kind):
        arrays = read_archived(_existing(path))
        meta = parse_json(str(arrays.pop("meta")))
        found = meta["kind"]
    _check_kind(path, kind, found, meta.get("schema"))
    for key in keys:
        if key not in arrays:
            raise GanexplainError(f"{path}: key {key!r} is missing; make it again")
    return arrays, meta


def read_meta(path: Path, kind: str) -> dict[str, Any]:
    """The meta alone of an `.npz` written by `write_arrays`; errors as `read_arrays`."""
    with _whole(path, kind):
        meta: dict[str, Any] = parse_json(str(read_archived(_existing(path), ["meta"])["meta"]))
        found = meta["kind"]
    _check_kind(path, kind, found, meta.get("schema"))
    return meta


@contextmanager
def _whole(path: Path, kind: str) -> Iterator[None]:
    """While open, whatever a damaged file raises becomes a GanexplainError."""
    try:
        yield
    except (GanexplainError, MemoryError):
        raise
    except Exception as error:  # zipfile and numpy raise many kinds
        raise GanexplainError(
            f"{path}: not a whole {kind} file ({reason_of(error)}); make it again"
        ) from error


def _check_kind(path: Path, wanted: str, found: object, schema: object) -> None:
    if not isinstance(found, str) or found != wanted:
        raise UsageError(f"{path}: holds {shown(found)}, but {wanted!r} is needed here")
    if not isinstance(schema, int) or schema != SCHEMA:
        raise UsageError(
            f"{path}: schema {shown(schema)}, this version reads {SCHEMA}; make it again"
        )


# --- checkpoints --------------------------------------------------------------------------


def write_checkpoint(path: Path, kind: str, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values as a `.pt` that `weights_only=True` can load."""
    import torch

    buffer = io.BytesIO()  # torch turns a full disk into an error of its own
    torch.save({"kind": kind, "schema": SCHEMA, **content}, buffer)
    with atomic_file(path) as stream:
        stream.write(buffer.getbuffer())


def read_checkpoint(path: Path, kind: str, keys: Sequence[str] = ()) -> dict[str, Any]:
    """Read a checkpoint to the CPU, data only.

    Raises UsageError for a missing file or one of another kind, GanexplainError otherwise.
    """
    try:
        content = load_data(_existing(path))
    except UsageError:
        raise
    except Exception as error:  # torch raises many kinds for a damaged or foreign file
        raise GanexplainError(
            f"{path}: not a whole ganexplain checkpoint ({reason_of(error)}); make it again"
        ) from error
    if not isinstance(content, dict) or "kind" not in content:
        raise UsageError(f"{path}: not a ganexplain checkpoint; a {kind!r} is needed here")
    _check_kind(path, kind, content["kind"], content.get("schema"))
    for key in keys:
        if key not in content:
            raise GanexplainError(f"{path}: key {key!r} is missing; make it again")
    return content


def load_data(path: Path) -> Any:
    """Tensors and plain values of a `.pt` on the CPU; runs no code of the file's.

    Raises whatever torch raises, ValueError where it is an archive that claims to hold far more
    than there is.
    """
    import torch

    source: Path | io.BytesIO = path
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path.stat().st_size)
    else:  # of torch before 1.6, whose lengths bound nothing in a file
        source = io.BytesIO(path.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's, about files of others
        return torch.load(source, map_location="cpu", weights_only=True)


def is_checkpoint(path: Path, kind: str) -> bool:
    """Whether a file is a checkpoint of ours of that kind."""
    try:
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                return False  # TorchScript
        content = load_data(path)
    except Exception as error:  # of another kind, or damaged
        if no_memory(error):
            raise
        return False
    return isinstance(content, dict) and content.get("kind") == kind and "schema" in content


def read_any(path: Path) -> Any:
    """Content of an `.npz`, `.npy`, `.pt`, `.json` or `.jsonl` of any kind, to be compared.

    Raises GanexplainError where it is damaged.
    """
    if path.suffix == ".json":
        return read_json(path)
    with _whole(path, path.suffix):
        if path.suffix == ".jsonl":
            return [parse_json(line) for line in lines_of(read_text(path))]
        if path.suffix == ".pt":
            return load_data(path)
        if path.suffix == ".npy":
            return {"array": _mapped(path)}
        arrays: dict[str, Any] = dict(read_archived(_existing(path)))
        return arrays | {"meta": parse_json(str(arrays["meta"]))}


def front_end_from_dict(path: Path, values: Mapping[str, Any]) -> Input:
    """What a checkpoint's network takes or draws; the front end where that is log-mel."""
    try:
        if not isinstance(values, Mapping):
            raise UsageError(f"it is {shown(values)}")
        return input_from(str(path), values)
    except UsageError as error:
        raise GanexplainError(f"{path}: front end not understood ({error})") from error


def log_mel_front_end(path: Path, values: Mapping[str, Any]) -> FrontEnd:
    """The front end of a checkpoint that is used on sound; UsageError for another kind."""
    found = front_end_from_dict(path, values)
    if not isinstance(found, FrontEnd):
        raise UsageError(f"{path}: takes {found.kind}, but log-mel excerpts are needed here")
    return found


def check_same_front_end(first: tuple[Path, Input], second: tuple[Path, Input]) -> None:
    """Refuse two files made with different front ends, naming the first field that differs."""
    ours, theirs = ({"kind": "log-mel", **input_values(each)} for _, each in (first, second))
    for name in {**ours, **theirs}:  # what is as usual stands in neither
        values = [each.get(name, "as usual") for each in (ours, theirs)]
        if values[0] != values[1]:
            raise UsageError(
                f"{first[0]} and {second[0]} have different front ends: {name} is {values[0]} and "
                f"{values[1]}; train both with the same"
            )


def write_rows(path: Path, blocks: Iterable[np.ndarray]) -> None:
    """Write one `.npy` of blocks (t, ...) of rows as they come, at least one, in the memory of one.

    NumPy leaves room in a header for the first axis to grow.
    """
    with atomic_file(path) as stream:
        header: dict[str, Any] = {}
        for block in blocks:
            if not header:
                header = np.lib.format.header_data_from_array_1_0(block[:0])
                np.lib.format.write_array_header_1_0(stream, header)
            stream.write(np.ascontiguousarray(block).data)
            header["shape"] = (header["shape"][0] + len(block), *block.shape[1:])
        stream.seek(0)
        np.lib.format.write_array_header_1_0(stream, header)


def read_vector(path: Path) -> np.ndarray:
    """A vector (D,) of finite numbers from a `.npy`, float32; UsageError where it is none."""
    found = map_array(_existing(path))
    if found is None or found.dtype.kind not in "fiu" or found.ndim != 1:
        raise UsageError(f"{path}: not a vector of numbers; save one with numpy.save")
    vector = np.array(found, dtype=np.float32)
    if not (np.isfinite(vector).all() and vector.any()):
        raise UsageError(f"{path}: holds values that are not finite, or nothing but zeros")
    return vector


def map_array(path: Path) -> np.ndarray | None:
    """Memory-map one `.npy`, or None where it is absent or damaged (a cache entry)."""
    try:
        return _mapped(path)
    except Exception as error:  # a damaged header raises even tokenizer errors
        if no_memory(error):
            raise
        return None


def _mapped(path: Path) -> np.ndarray:
    with path.open("rb") as stream:
        check_array(stream, path.stat().st_size)
    return np.lib.format.open_memmap(path, mode="r")
