"""How operators that only keep, move, merge or divide axes change what they count."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd, prod
from typing import Any

from ganexplain.networks.axes.named_axes import (
    BLOCKS,
    EXAMPLES,
    UNKNOWN,
    Axis,
    Names,
    Shape,
    names_of,
)

Move = Callable[[Any, Shape, tuple[Axis, ...], Shape], tuple[Axis, ...]]


def keep(given: Any, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    """The same axes, aligned at the last as in broadcasting, or without those reduced."""
    if len(after) >= len(before):
        return (UNKNOWN,) * (len(after) - len(before)) + axes
    reduced = given.get("dim")
    if reduced is None:
        removed = {k for k, size in enumerate(before) if size == 1}
    else:
        removed = {
            k % len(before) for k in (reduced if isinstance(reduced, list | tuple) else [reduced])
        }
    return tuple(axis for k, axis in enumerate(axes) if k not in removed)


def _permute(given: Any, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    return tuple(axes[k] for k in given["dims"])


def _transpose(given: Any, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    found = list(axes)
    one, other = given.get("dim0", 0), given.get("dim1", -1)  # `t` has neither
    found[one], found[other] = found[other], found[one]
    return tuple(found)


def _insert(given: Any, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    at = given.get("dim", 0) % len(after)
    return (*axes[:at], UNKNOWN, *axes[at:])


def _append(given: Any, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    return (*axes, UNKNOWN)


def _without_last(
    given: Any, before: Shape, axes: tuple[Axis, ...], after: Shape
) -> tuple[Axis, ...]:
    return axes[:-1]


def _by_vector(given: Any, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    """The rows of a matrix that is multiplied by a vector; a vector's axis stays."""
    return axes[: len(after)]


def _regroup(given: Any, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    """Axes that are merged or divided; what was merged is divided again as it was."""
    if prod(before) != prod(after) or not prod(after):
        return ()
    left = [part for size, axis in zip(before, axes, strict=True) for part in _parts(axis, size)]
    found = []
    for place, size in enumerate(after):
        merged: list[tuple[int, Names]] = []
        total = 1
        while total < size:
            length, names = left.pop(0)
            fitting = gcd(length, size // total)
            if fitting == 1 < length:  # neither divides the other
                return ()
            merged.append((fitting, _of_blocks(names) if length > fitting > 1 else names))
            total *= fitting
            left[:0] = [(length // fitting, names)] if length > fitting else []
        wanted = 1 if size == 1 else 0 if after[place + 1 : place + 2] == (1,) else len(left)
        while wanted and left and left[0][0] == 1:  # axes of length one
            merged.append(left.pop(0))
            wanted -= 1
        found.append(tuple(merged))
    return tuple(found)


def _restride(given: Any, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    """Axes by their steps in memory: of frames the longer step counts frames, not the values."""
    memory = given["self"].stride()
    behind = sorted(zip(memory, axes, before, strict=True), key=lambda each: -each[0])
    steps = list(zip(given["stride"], range(len(after)), after, strict=True))
    found = [UNKNOWN] * len(after)
    for step, place, size in sorted(steps, reverse=True):
        at = [k for k, (inner, _, n) in enumerate(behind) if inner <= step and n > 1]
        if at and size > 1:
            found[place] = behind[at[0]][1]
            del behind[: at[0] + 1]
    return tuple(found)


def _of_blocks(names: Names) -> Names:
    """What the outer part of an axis counts that is divided."""
    kept = ("units", "places", EXAMPLES)
    return frozenset(
        name if name in kept or name.startswith(BLOCKS) else BLOCKS + name for name in names
    )


def _parts(axis: Axis, size: int) -> Axis:
    """The axes merged in one, as one if they do not have its length any more."""
    known = prod(length for length, _ in axis) == size and len(axis) > 1
    return axis if known else ((size, names_of(axis)),)


MOVES: dict[str, Move] = {
    "permute": _permute,
    **dict.fromkeys(("transpose", "t", "swapaxes", "numpy_T"), _transpose),
    **dict.fromkeys(("unsqueeze", "stack"), _insert),
    **dict.fromkeys(("unfold", "view_as_real"), _append),
    **dict.fromkeys(("mv", "addmv"), _by_vector),
    **dict.fromkeys(("view_as_complex", "unfold_backward"), _without_last),
    "as_strided": _restride,
    **dict.fromkeys(
        ("view", "_unsafe_view", "reshape", "_reshape_alias", "view_copy", "_reshape_copy"),
        _regroup,
    ),
}
