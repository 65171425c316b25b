"""Reads and checks texts, JSON and TOML, up to a limit of size.

Faults are ValueErrors here; the callers turn them into one line with the name of the file. The
command line imports this module, so it must not import NumPy (`files/archives.py` does).
"""

from __future__ import annotations

import codecs
import json
import math
import re
import tomllib
from pathlib import Path
from typing import Any

from ganexplain.errors import UsageError

LONGEST_TOML = 2**16  # bytes; tomllib is slow, and settings are short
LONGEST_TEXT = 2**25  # bytes of JSON, CSV or labels, which become up to 25 times as many objects


def read_text(path: Path, most: int = LONGEST_TEXT, errors: str = "strict") -> str:
    """The text of a file in UTF-8, with or without a byte order mark; `errors` as in Python.

    Raises OSError if it cannot be read, ValueError if it is longer than `most` bytes or not text.
    """
    return _content(path, most).decode("utf-8-sig", errors)


def read_list(path: Path) -> str:
    """As `read_text`, but also in UTF-16 with a byte order mark (Excel's "Unicode text")."""
    content = _content(path, LONGEST_TEXT)
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if marked else "utf-8-sig")


def _content(path: Path, most: int) -> bytes:
    with path.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"longer than {most:,} bytes")
    return content


def split_lines(text: str) -> list[str]:
    r"""Lines of a text, which end only at \n, \r\n or \r.

    `str.splitlines` also ends lines at eight other characters, which file names may contain.
    """
    lines = re.split(r"\r\n|\n|\r", text)
    return lines[:-1] if not lines[-1] else lines


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises ValueError if it is not JSON, contains numbers that are not finite, or has a key twice in
    an object, where readers differ in which one they use.
    """
    try:
        return json.loads(
            text, parse_constant=_not_finite, parse_float=_finite, object_pairs_hook=_object
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _not_finite(name: str) -> float:
    raise ValueError(f"{name[:40]} is not a number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _not_finite(digits)


def _object(entries: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(entries)
    if len(found) < len(entries):
        names = [name for name, _ in entries]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice[:40]!r} occurs twice in an object")
    return found


def read_toml(option: str, path: Path, most: int = LONGEST_TOML) -> dict[str, Any]:
    """The values of a TOML file of at most `most` bytes.

    File names in it need not be UTF-8, as `toml_bytes` writes them. Raises UsageError, which begins
    with `option`, if it is not TOML.
    """
    try:
        return tomllib.loads(read_text(path, most, "surrogateescape"))
    except OSError as error:
        raise UsageError(f"{option} {path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{option} {path}: not TOML ({error})") from error
