"""Makes file names from other names: distinct, and short enough for file systems."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

LONGEST = 255  # bytes of a file's name, on all usual file systems
HASH_LENGTH = 8
LONGEST_PART = 100  # bytes of a layer's or a unit's name in a file name


def truncate_name(name: str, most: int) -> str:
    """The beginning of a name: whole characters in at most `most` bytes of UTF-8."""
    return name.encode(errors="surrogateescape")[:most].decode(errors="ignore")


def shorten_name(name: str, ending: str = "", most: int = LONGEST) -> str:
    """`name` + `ending` in at most `most` bytes; a longer name is cut and gets a hash."""
    content = name.encode(errors="surrogateescape")
    room = most - len(ending.encode(errors="surrogateescape"))
    if len(content) <= room:
        return name + ending
    mark = "-" + hashlib.sha256(content).hexdigest()[:HASH_LENGTH]
    return truncate_name(name, room - len(mark)) + mark + ending


def safe_name_part(text: str) -> str:
    """A text, such as the name of a layer or unit, as part of a file name."""
    return shorten_name(re.sub(r"[^\w.@,+-]", "_", text), most=LONGEST_PART)


def distinct_names(names: Sequence[str], most: int) -> list[str]:
    """The names, each in at most `most` bytes, the second of two equal ones as `NAME-2`.

    They are also distinct on file systems that do not distinguish upper and lower case.
    """
    reserved = {shorten_name(name, most=most).casefold() for name in names}
    used: set[str] = set()
    found = []
    for name in names:
        candidate, number = shorten_name(name, most=most), 1
        while candidate.casefold() in used or (number > 1 and candidate.casefold() in reserved):
            number += 1
            candidate = shorten_name(f"{name}-{number}", most=most)
        used.add(candidate.casefold())
        found.append(candidate)
    return found
