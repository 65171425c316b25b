"""Checks the instructions of a pickle before they are followed."""

from __future__ import annotations

import io
import pickletools
from collections.abc import Sequence
from typing import IO, NamedTuple

NUMBERING = ("PUT", "BINPUT", "LONG_BINPUT")  # instructions that number an object
HASHING = ("SETITEM", "SETITEMS", "ADDITEMS", "FROZENSET", "DICT")
MOST_HASHED = 10**7  # values of all keys together
DEEPEST = 100  # tuples in a tuple: Python hashes them without a limit, until its stack ends


class _Object(NamedTuple):
    """What the hash of an object takes: values in all, and tuples in each other."""

    values: int = 1
    depth: int = 0


def check_instructions(pickled: bytes | IO[bytes]) -> None:
    """ValueError for incomplete instructions, or for few that take much memory or time.

    Those are the number of an object, for which memory is taken, tuples that are nested deeply,
    and a key that is a tuple of tuples: it may contain the same one again and again, and is hashed
    as if they were different. Of a file, the instructions up to the next end are read.
    """
    stream = io.BytesIO(pickled) if isinstance(pickled, bytes) else pickled
    start = stream.tell()
    size = stream.seek(0, io.SEEK_END)
    stream.seek(start)
    stack: list[_Object] = []
    memo: dict[int, _Object] = {}
    marks: list[int] = []
    hashed = 0
    for instruction, argument, _ in pickletools.genops(stream):
        name = instruction.name
        if name in NUMBERING:
            if int(argument or 0) > size:
                raise ValueError(f"an object number {argument:,} in {size:,} bytes")
            memo[int(argument or 0)] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name.endswith("GET"):
            stack.append(memo[int(argument or 0)])
        elif name == "MARK":
            marks.append(len(stack))
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "POP" and marks and marks[-1] == len(stack):
            marks.pop()
        else:
            popped = _popped(instruction, stack, marks)
            hashed += sum(each.values for each in popped) if name in HASHING else 0
            if hashed > MOST_HASHED:
                raise ValueError(f"keys of more than {MOST_HASHED:,} values")
            made = _tuple_of(popped) if "TUPLE" in name else _Object()
            stack += [made] * len(instruction.stack_after)


def _tuple_of(items: Sequence[_Object]) -> _Object:
    depth = 1 + max((each.depth for each in items), default=0)
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} tuples in each other")
    return _Object(min(1 + sum(each.values for each in items), MOST_HASHED + 1), depth)


def _popped(
    instruction: pickletools.OpcodeInfo, stack: list[_Object], marks: list[int]
) -> Sequence[_Object]:
    """Remove from a stack what an instruction takes, and return it."""
    before = [each.name for each in instruction.stack_before]
    count = len(before)
    if "mark" in before:
        count = len(stack) - marks.pop() + before.index("mark")
    popped = stack[len(stack) - count :]
    if len(popped) < count:
        raise ValueError("instructions take more objects than there are")
    del stack[len(stack) - count :]
    return popped
