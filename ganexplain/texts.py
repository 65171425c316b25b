"""Texts in files: UTF-8 of a bounded length, and JSON in them.

What is wrong is a ValueError here; the readers make their one line of it, with the file's name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LONGEST_TEXT = 2**25  # bytes of JSON, CSV or labels, which become up to 25 times as many objects


def read_text(path: Path, most: int = LONGEST_TEXT) -> str:
    """A text file in UTF-8, with or without a byte order mark.

    Raises OSError where it cannot be read, ValueError where it is longer than `most` bytes or is
    no text.
    """
    with path.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"longer than {most:,} bytes")
    return content.decode("utf-8-sig")


def parse_json(text: str) -> Any:
    """What a JSON text says; ValueError where it is none, or holds numbers that are not finite."""
    try:
        return json.loads(text, parse_constant=_not_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _not_finite(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
