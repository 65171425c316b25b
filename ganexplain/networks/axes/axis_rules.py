"""How each operator of torch changes the axes of its inputs, and which have units of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd, prod
from typing import Any

from torch import Tensor

Names = frozenset[str]  # what an axis counts: units, or axes of the input
Axis = tuple[tuple[int, Names], ...]  # the lengths of the axes merged in one, and what each counts
Shape = tuple[int, ...]
UNITS: Axis = ((0, frozenset({"units"})),)  # the length of one that is not merged is not needed
SECOND_UNITS: Axis = ((0, frozenset({"units", "places"})),)  # count where there are no others
UNKNOWN: Axis = ()
EXAMPLES = "examples"
NO_UNITS = 1 << 62  # the age of axes without units

# Operators, without the namespace and the `_` of those that work in place.
PRODUCTS = {"mm", "bmm", "addmm", "baddbmm", "linear", "_addmm_activation", "_trilinear"}
MATRICES = {"mm", "bmm", "addmm", "baddbmm"}  # whose last two tensors are multiplied as they are
ATTENTION = {"_native_multi_head_attention", "_transformer_encoder_layer_fwd"}
EMBEDDINGS = {"embedding", "_embedding_bag"}
CONSTANTS = {"new_zeros", "new_ones", "new_full", "new_empty", "new_empty_strided"}
RECURRENT = ("rnn", "lstm", "gru")


@dataclass(frozen=True)
class Axes:
    """What each axis of a tensor counts, and when in the pass its units were made."""

    each: tuple[Axis, ...]
    age: int = NO_UNITS

    @property
    def units(self) -> int | None:
        """The axis of the units: one that counts nothing else if there is one, else the last."""
        counted = list(map(names_of, self.each))
        mixed = [k for k, names in enumerate(counted) if "units" in names]
        alone = [k for k in mixed if len(counted[k]) == 1]
        return (alone or mixed)[-1] if mixed else None


def without_units(axis: Axis) -> Axis:
    """An axis that counts the same but for units."""
    return tuple((length, names - {"units"}) for length, names in axis)


def names_of(axis: Axis) -> Names:
    """All that an axis counts; axes of length one that are merged in it count nothing."""
    counting = [names for length, names in axis if length != 1]
    return frozenset().union(*(counting or [names for _, names in axis]))


@dataclass(frozen=True)
class Call:
    """A call of an operator, with its arguments by name.

    `tensors` are those among its arguments, `axes` what is known of the axes of each: None for a
    tensor that is no result of the pass, such as a weight.
    """

    name: str
    given: Any
    tensors: tuple[Tensor, ...]
    axes: tuple[Axes | None, ...]

    @property
    def is_convolution(self) -> bool:
        """Whether it is a convolution of any kind."""
        return "conv" in self.name and "convert" not in self.name

    @property
    def is_norm_of_channels(self) -> bool:
        """Whether it is a batch, instance or group normalisation."""
        return self.name.endswith(("batch_norm", "batch_norm_legit_no_training", "group_norm"))

    @property
    def is_recurrent(self) -> bool:
        """Whether it is a whole recurrent layer."""
        return any(kind in self.name for kind in RECURRENT)

    @property
    def makes_units(self) -> bool:
        """Whether the units of its output are not those of its input."""
        return (
            self.is_convolution
            or self.is_norm_of_channels
            or self.is_recurrent
            or self.name in PRODUCTS | ATTENTION | EMBEDDINGS
            or self._is_norm_of_units
        )

    @property
    def _is_norm_of_units(self) -> bool:
        """Whether it normalises the last axis alone, and no other is that of the units."""
        if self.name not in ("native_layer_norm", "_fused_rms_norm"):
            return False
        before = self.axes[0]
        others = before and before.units is not None and "units" not in names_of(before.each[-1])
        return len(self.given["normalized_shape"]) == 1 and not others

    @property
    def multiplies(self) -> bool:
        """Whether it multiplies values by weights."""
        by_weights = self.name in PRODUCTS and None in self.axes
        whole = self.is_recurrent or self.name in ATTENTION | EMBEDDINGS
        return self.is_convolution or by_weights or whole or "linear" in self.name


def axes_of_output(
    call: Call, shapes: Sequence[Shape], output: Tensor, time: int, stacked: Axis = UNKNOWN
) -> Axes | None:
    """The axes of an output of a call at `time`, whose inputs have `shapes`; None for a constant.

    Of several inputs the axes are those of the one with the earliest units among those of the
    output's shape: a branch that is added to a stream does not change the axes of the stream.
    """
    shape = tuple(output.shape)
    inputs = [(s, axes) for s, axes in zip(shapes, call.axes, strict=True) if axes]
    if (not inputs and not call.makes_units) or call.name in CONSTANTS:
        return None
    if call.makes_units:
        kept = _units_of_factors(call)
        return Axes(
            kept or _with_new_units(call, [axes.each for _, axes in inputs], len(shape)), time
        )
    before, axes = min(
        inputs,
        key=lambda each: (
            len(each[0]) != len(shape), each[1].age == NO_UNITS, each[0] != shape, each[1].age
        ),
    )  # fmt: skip
    found = _MOVES.get(call.name, _keep)(call, before, axes.each, shape)
    if stacked and found:
        at = call.given["dim"] % len(found)
        found = (*found[:at], stacked, *found[at + 1 :])
    if len(found) != len(shape):
        return Axes((UNKNOWN,) * len(shape), axes.age)
    if call.name not in _MOVES:
        found = _with_names_of(found, [each.each for s, each in inputs if s == shape])
    return Axes(found, axes.age)


def _with_names_of(found: tuple[Axis, ...], others: Sequence[tuple[Axis, ...]]) -> tuple[Axis, ...]:
    """The axes, those of which nothing is known with what they count in another input."""
    return tuple(
        axis or next((without_units(each[k]) for each in others if each[k]), UNKNOWN)
        for k, axis in enumerate(found)
    )


def _units_of_factors(call: Call) -> tuple[Axis, ...]:
    """The axes of a product of matrices in which units stay; none if new ones are made.

    The rows of the first factor and the columns of the second stay what they were. If both are
    units, those made first are, as in the pooling of channels by weights computed from them; the
    others count when those are summed over. Weights behind values make units of their own.
    """
    if call.name not in MATRICES or call.axes[-1] is None:
        return ()
    left, right = call.axes[-2], call.axes[-1]
    rows, columns = left.each[-2] if left else UNKNOWN, right.each[-1]
    of_rows, of_columns = ("units" in names_of(axis) for axis in (rows, columns))
    if not (of_rows or of_columns):
        return ()
    if left and of_rows and of_columns:
        if left.age > right.age:
            rows = SECOND_UNITS
        else:
            columns = SECOND_UNITS
    before = left.each[:-2] if left and not of_columns else right.each[:-2]
    return (*before, rows, columns)


def _with_new_units(call: Call, inputs: Sequence[tuple[Axis, ...]], rank: int) -> tuple[Axis, ...]:
    """The axes of the output of a layer with units of its own."""
    first = call.is_convolution or call.is_norm_of_channels
    at = min(1, rank - 1) if first else rank - 1
    if call.name in PRODUCTS and call.axes[-2:-1] == (None,) and call.axes[-1]:
        at = rank - 2  # weights times values, not values times weights
    before: tuple[Axis, ...] = next((each for each in inputs if len(each) == rank), ())
    if not before and call.name in EMBEDDINGS:
        before = (*next(iter(inputs), ()), UNKNOWN)
    before = before if len(before) == rank else (UNKNOWN,) * rank
    return tuple(UNITS if k == at else without_units(axis) for k, axis in enumerate(before))


# --- how other operators move axes ------------------------------------------------------------

Move = Callable[[Call, Shape, tuple[Axis, ...], Shape], tuple[Axis, ...]]


def _keep(call: Call, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    """The same axes, aligned at the last as in broadcasting, or without those reduced."""
    if len(after) >= len(before):
        return (UNKNOWN,) * (len(after) - len(before)) + axes
    given = call.given.get("dim")
    if given is None:
        removed = {k for k, size in enumerate(before) if size == 1}
    else:
        removed = {k % len(before) for k in (given if isinstance(given, list | tuple) else [given])}
    return tuple(axis for k, axis in enumerate(axes) if k not in removed)


def _permute(call: Call, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    return tuple(axes[k] for k in call.given["dims"])


def _transpose(call: Call, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    found = list(axes)
    one, other = call.given.get("dim0", 0), call.given.get("dim1", -1)  # `t` has neither
    found[one], found[other] = found[other], found[one]
    return tuple(found)


def _insert(call: Call, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    at = call.given.get("dim", 0) % len(after)
    return (*axes[:at], UNKNOWN, *axes[at:])


def _append(call: Call, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    return (*axes, UNKNOWN)


def _without_last(
    call: Call, before: Shape, axes: tuple[Axis, ...], after: Shape
) -> tuple[Axis, ...]:
    return axes[:-1]


def _regroup(call: Call, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
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
            merged.append((fitting, names))
            total *= fitting
            left[:0] = [(length // fitting, names)] if length > fitting else []
        wanted = 1 if size == 1 else 0 if after[place + 1 : place + 2] == (1,) else len(left)
        while wanted and left and left[0][0] == 1:  # axes of length one
            merged.append(left.pop(0))
            wanted -= 1
        found.append(tuple(merged))
    return tuple(found)


def _restride(call: Call, before: Shape, axes: tuple[Axis, ...], after: Shape) -> tuple[Axis, ...]:
    """Axes by their steps in memory: of frames the longer step counts frames, not the values."""
    memory = call.tensors[0].stride()
    behind = sorted(zip(memory, axes, before, strict=True), key=lambda each: -each[0])
    steps = list(zip(call.given["stride"], range(len(after)), after, strict=True))
    found = [UNKNOWN] * len(after)
    for step, place, size in sorted(steps, reverse=True):
        at = [k for k, (inner, _, n) in enumerate(behind) if inner <= step and n > 1]
        if at and size > 1:
            found[place] = behind[at[0]][1]
            del behind[: at[0] + 1]
    return tuple(found)


def _parts(axis: Axis, size: int) -> Axis:
    """The axes merged in one, as one if they do not have its length any more."""
    known = prod(length for length, _ in axis) == size and len(axis) > 1
    return axis if known else ((size, names_of(axis)),)


_MOVES: dict[str, Move] = {
    "permute": _permute,
    **dict.fromkeys(("transpose", "t", "swapaxes", "numpy_T"), _transpose),
    **dict.fromkeys(("unsqueeze", "stack"), _insert),
    **dict.fromkeys(("unfold", "view_as_real"), _append),
    "view_as_complex": _without_last,
    "as_strided": _restride,
    **dict.fromkeys(
        ("view", "_unsafe_view", "reshape", "_reshape_alias", "view_copy", "_reshape_copy"),
        _regroup,
    ),
}
