"""Writes and reads arrays: `.npz` with a meta, and `.npy`."""

from __future__ import annotations

import json
import math
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.errors import (
    GanexplainError,
    UsageError,
    WrongKind,
    is_out_of_memory,
    reason_of,
    short_repr,
)
from ganexplain.files.archives import check_array, read_npz
from ganexplain.files.atomic import Document, atomic_file, existing_file
from ganexplain.files.bounded import parse_json

SCHEMA = 1
CHUNK = 2**24  # bytes that are written at once


def write_arrays(path: Path, kind: str, arrays: Mapping[str, np.ndarray], meta: Document) -> None:
    """Write named arrays and a `meta` JSON text (with `kind` and `schema`) to an `.npz`."""
    text = json.dumps({"kind": kind, "schema": SCHEMA, **meta}, allow_nan=False)
    # Not np.savez: it allows no key `file`, and writes the time of day into each entry.
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
    with damage_reported(path, kind):
        arrays = read_npz(existing_file(path))
        meta = parse_json(str(arrays.pop("meta")))
        found = meta["kind"]
    check_kind(path, kind, found, meta.get("schema"))
    for key in keys:
        if key not in arrays:
            raise GanexplainError(f"{path}: key {key!r} is missing; make it again")
    return arrays, meta


def read_meta(path: Path, kind: str) -> dict[str, Any]:
    """The meta of an `.npz` written by `write_arrays`; errors as `read_arrays`."""
    with damage_reported(path, kind):
        meta = parse_json(str(read_npz(existing_file(path), ["meta"])["meta"]))
        found = meta["kind"]
    check_kind(path, kind, found, meta.get("schema"))
    assert isinstance(meta, dict)  # others have no `get`
    return meta


@contextmanager
def damage_reported(path: Path, kind: str) -> Iterator[None]:
    """While open, any error of a damaged file becomes a GanexplainError."""
    try:
        yield
    except (GanexplainError, MemoryError):
        raise
    except Exception as error:  # zipfile and numpy raise many kinds
        raise GanexplainError(
            f"{path}: not a complete {kind} file ({reason_of(error)}); make it again"
        ) from error


def wrong_kind(path: Path, wanted: str, found: str) -> WrongKind:
    """The error for a file that is none of the kind `wanted`; `found` says what it is."""
    error = WrongKind(f"{path}: {found}, but {wanted!r} is needed here; name a file of that kind")
    error.wanted = wanted
    return error


def check_kind(path: Path, wanted: str, found: object, schema: object) -> None:
    """Raise WrongKind for a file of another kind, UsageError for a schema that is not supported."""
    if not isinstance(found, str) or found != wanted:
        raise wrong_kind(path, wanted, f"contains {short_repr(found)}")
    if not isinstance(schema, int) or schema != SCHEMA:
        raise UsageError(
            f"{path}: schema {short_repr(schema)}, this version reads {SCHEMA}; make it again"
        )


def write_rows(path: Path, blocks: Iterable[np.ndarray]) -> None:
    """Write one `.npy` from one or more blocks (t, ...) of rows, with only one block in memory.

    NumPy reserves space in the header for a longer first axis.
    """
    with atomic_file(path) as stream:
        header = None
        for block in blocks:
            if header is None:
                header = np.lib.format.header_data_from_array_1_0(block[:0])
                np.lib.format.write_array_header_1_0(stream, header)
            stream.write(np.ascontiguousarray(block).data)
            header["shape"] = (header["shape"][0] + len(block), *block.shape[1:])
        assert header is not None
        stream.seek(0)
        np.lib.format.write_array_header_1_0(stream, header)


def scratch_array(shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray:
    """Zeros in a file without a name, which the system writes out where memory is short.

    The file, in the folder for temporary files, ends with the array. Raises GanexplainError where
    there is no room for it.
    """
    size = math.prod(shape) * dtype.itemsize
    if not size:
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile() as stream:
        try:  # without its room, writing into the array would end the process
            for first in range(0, size, CHUNK):
                stream.write(bytes(min(CHUNK, size - first)))
            stream.flush()
        except OSError as error:
            raise GanexplainError(
                f"{tempfile.gettempdir()}: no room for {size / 1e9:.1f} GB ({error.strerror}); "
                "make room, or name another folder in TMPDIR"
            ) from error
        return np.memmap(stream, dtype, "r+", shape=tuple(shape))


def read_vector(path: Path) -> np.ndarray:
    """A vector (D,) of finite numbers from a `.npy`, float32; UsageError for other content."""
    found = try_open_array(existing_file(path))
    if found is None or found.dtype.kind not in "fiu" or found.ndim != 1:
        raise UsageError(f"{path}: not a vector of numbers; save one with numpy.save")
    vector = np.array(found, dtype=np.float32)
    if not (np.isfinite(vector).all() and vector.any()):
        raise UsageError(f"{path}: contains values that are not finite, or only zeros")
    return vector


def try_open_array(path: Path) -> np.ndarray | None:
    """Memory-map one `.npy`; None if it is missing or damaged, as a cache entry may be."""
    try:
        return open_array(path)
    except Exception as error:  # a damaged header raises even tokenizer errors
        if is_out_of_memory(error):
            raise
        return None


def open_array(path: Path) -> np.ndarray:
    """Memory-map one `.npy`; raises ValueError and other errors of numpy."""
    with path.open("rb") as stream:
        check_array(stream, path.stat().st_size)
    return np.lib.format.open_memmap(path, mode="r")
