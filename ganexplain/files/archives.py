"""Reads archives of arrays, and checks their size and headers before anything is read.

Faults are ValueErrors here; the callers turn them into one line with the name of the file.
"""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO

import numpy as np

EXPANSION = 20  # largest allowed ratio of content to file; our archives are not compressed
HARMLESS = 2**26  # bytes of content that are allowed for any file
PLAIN = "biufUS"  # kinds of array values: no objects, no records
LAST_CHARACTER = 0x10FFFF
ZIP = b"PK\x03\x04"  # the first bytes of an archive with files
# Records at the end of an archive: a mark, and the length and offset of its directory.
END_MARK, LONGEST_COMMENT = b"PK\5\6", 2**16
END = struct.Struct("<4s8xLL2x")
LARGE_END = struct.Struct("<4s36xQQ")
LOCATOR = struct.Struct("<4s4xQ4x")  # the offset of LARGE_END


def check_archive(archive: zipfile.ZipFile, size: int) -> None:
    """Raise ValueError if an archive in a file of `size` bytes has much larger content.

    Its directory must be where the end of the file says, since others look for it only there.
    """
    _check_directory(archive, size)
    unpacked = 0
    for entry in archive.infolist():
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"the compression of {entry.filename!r} is not supported")
        unpacked += entry.file_size
    if unpacked > max(HARMLESS, EXPANSION * size):
        raise ValueError(f"claims to contain {unpacked:,} bytes in {size:,}")


def _check_directory(archive: zipfile.ZipFile, size: int) -> None:
    """ValueError unless the directory of an archive ends where its end records begin."""
    stream = archive.fp
    assert stream is not None  # it is open
    end = max(size - END.size - LONGEST_COMMENT, 0)
    stream.seek(end)
    tail = stream.read()
    last = tail.rfind(END_MARK)  # there may be other bytes behind it
    if last < 0 or len(tail) - last < END.size:
        raise ValueError("an archive without an end")
    end += last
    _, length, offset = END.unpack_from(tail, last)
    stream.seek(max(end - LOCATOR.size, 0))
    locator = stream.read(LOCATOR.size)
    is_sound = True
    if locator.startswith(b"PK\6\7"):  # of an archive that may be larger than 4 GiB
        end -= LOCATOR.size + LARGE_END.size
        stream.seek(max(end, 0))
        mark, length, offset = LARGE_END.unpack(stream.read(LARGE_END.size))
        is_sound = mark == b"PK\6\6" and LOCATOR.unpack(locator)[1] == end
    if not is_sound or offset + length != end:
        raise ValueError("an archive whose directory is not where its end says")


def read_npz(path: Path, names: Collection[str] = ()) -> dict[str, np.ndarray]:
    """The named arrays of an `.npz`, or all, without pickles.

    Raises ValueError for an array whose length differs from its header, KeyError for a missing
    one, and other errors of zipfile and numpy for a damaged file.
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
    """Check the header of a `.npy` of `size` bytes, which must match and have plain values.

    Raises ValueError or other errors of numpy.
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
