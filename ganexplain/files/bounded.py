"""Texts, JSON, TOML and archives in files, held against what they claim.

What is wrong is a ValueError here; the readers make their one line of it, with the file's name.
"""

from __future__ import annotations

import codecs
import json
import math
import re
import tomllib
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np

from ganexplain.errors import UsageError

LONGEST_TOML = 2**16  # bytes; tomllib is slow, and few tables of settings are long

LONGEST_TEXT = 2**25  # bytes of JSON, CSV or labels, which become up to 25 times as many objects

EXPANSION = 20  # a compressed archive may hold as many times its size; ours are not compressed
HARMLESS = 2**26  # bytes that an archive may hold whatever its size
PLAIN = "biufUS"  # kinds of array values: no objects, no records
LAST_CHARACTER = 0x10FFFF


def check_archive(archive: zipfile.ZipFile, size: int) -> None:
    """ValueError where an archive in a file of `size` bytes holds far more than that."""
    held = 0
    for entry in archive.infolist():
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{entry.filename!r} is compressed in a way that is not read here")
        held += entry.file_size
    if held > max(HARMLESS, EXPANSION * size):
        raise ValueError(f"claims to hold {held:,} bytes in {size:,}")


def read_archived(path: Path, names: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Arrays of an `.npz`, those named or all, without pickles; many kinds of errors.

    ValueError where one is not as long as its header says; KeyError for one that is not there.
    """
    with zipfile.ZipFile(path) as archive:
        check_archive(archive, path.stat().st_size)
        wanted = [f"{name}.npy" for name in names] or archive.namelist()
        found = {}
        for name in wanted:
            with archive.open(name) as stream:
                found[name.removesuffix(".npy")] = _array(stream, archive.getinfo(name).file_size)
    return found


def _array(stream: IO[bytes], size: int) -> np.ndarray:
    check_array(stream, size)
    stream.seek(0)
    array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
    if array.dtype.kind == "U" and array.size:
        characters = np.ascontiguousarray(array).view(f"{array.dtype.byteorder}u4")
        if characters.max() > LAST_CHARACTER:
            raise ValueError("text with invalid Unicode characters")
    return array


def check_array(stream: IO[bytes], size: int) -> None:
    """ValueError, or others of numpy's, where a `.npy` of `size` bytes is not as its header says.

    Also where it holds objects or records.
    """
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"an array of format {version}")
    if dtype.kind not in PLAIN or dtype.itemsize == 0:
        raise ValueError(f"an array of {dtype}, not of plain values")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != size - stream.tell():
        raise ValueError(f"an array of {dtype} {shape} in {size:,} bytes")


def read_text(path: Path, most: int = LONGEST_TEXT, errors: str = "strict") -> str:
    """A text file in UTF-8, with or without a byte order mark; `errors` as Python has them.

    Raises OSError where it cannot be read, ValueError where it is longer than `most` bytes or is
    no text.
    """
    return _content(path, most).decode("utf-8-sig", errors)


def read_list(path: Path) -> str:
    """As `read_text`, or in UTF-16 with a byte order mark, as Excel saves "Unicode text"."""
    content = _content(path, LONGEST_TEXT)
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if marked else "utf-8-sig")


def _content(path: Path, most: int) -> bytes:
    with path.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"longer than {most:,} bytes")
    return content


def lines_of(text: str) -> list[str]:
    r"""Lines of a text, which end at \n, \r\n or \r alone.

    `str.splitlines` ends them at eight more characters, which names of files may hold.
    """
    lines = re.split(r"\r\n|\n|\r", text)
    return lines[:-1] if not lines[-1] else lines


def parse_json(text: str) -> Any:
    """What a JSON text says; ValueError where it is none, or holds numbers that are not finite.

    Also where an object has a key twice, of which readers would take one or the other.
    """
    try:
        return json.loads(
            text, parse_constant=_not_finite, parse_float=_finite, object_pairs_hook=_object
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _not_finite(name: str) -> float:
    raise ValueError(f"{name[:40]} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _not_finite(digits)


def _object(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(entries)
    if len(found) < len(entries):
        names = [name for name, _ in entries]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice[:40]!r} occurs twice in an object")
    return found


def read_toml(option: str, path: Path, most: int = LONGEST_TOML) -> dict[str, Any]:
    """The values of a TOML file of at most `most` bytes.

    File names in it may be no UTF-8, as `toml_bytes` writes them. Raises UsageError that names
    `option` where it is no TOML.
    """
    try:
        return tomllib.loads(read_text(path, most, "surrogateescape"))
    except OSError as error:
        raise UsageError(f"{option} {path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{option} {path}: not TOML ({error})") from error
