"""How each operator of torch changes the axes of its inputs, and which have units of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ganexplain.networks.axes.axis_moves import MOVES, keep
from ganexplain.networks.axes.named_axes import (
    NO_UNITS,
    SECOND_UNITS,
    UNITS,
    UNKNOWN,
    Axes,
    Axis,
    Shape,
    names_of,
    without_units,
)

# Operators, without the namespace and the `_` of those that work in place.
PRODUCTS = {"mm", "bmm", "addmm", "baddbmm", "linear", "_addmm_activation", "_trilinear"}
MATRICES = {"mm", "bmm", "addmm", "baddbmm"}  # whose last two tensors are multiplied as they are
ATTENTION = {"_native_multi_head_attention", "_transformer_encoder_layer_fwd"}
EMBEDDINGS = {"embedding", "_embedding_bag"}
CONSTANTS = {"new_zeros", "new_ones", "new_full", "new_empty", "new_empty_strided"}
LAYER_NORMS = ("native_layer_norm", "_fused_rms_norm")
RECURRENT = ("rnn", "lstm", "gru")


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
    def is_norm(self) -> bool:
        """Whether it is a normalisation of any kind."""
        return self.is_norm_of_channels or self.name in LAYER_NORMS

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
        if self.name not in LAYER_NORMS:
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
    Those of an index, which may have the output's shape, are not what it chooses.
    """
    shape = tuple(output.shape)
    inputs = [(s, axes) for s, axes in zip(shapes, call.axes, strict=True) if axes]
    if call.name == "gather" and call.axes[0]:
        inputs = inputs[:1]
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
    found = MOVES.get(call.name, keep)(call.given, before, axes.each, shape)
    if stacked and found:
        at = call.given["dim"] % len(found)
        found = (*found[:at], stacked, *found[at + 1 :])
    if len(found) != len(shape):
        return Axes((UNKNOWN,) * len(shape), axes.age)
    if call.name not in MOVES:
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
    of_two = call.name in PRODUCTS - {"_trilinear"}  # which has its weights between two values
    if of_two and call.axes[-2:-1] == (None,) and call.axes[-1]:
        at = rank - 2  # weights times values, not values times weights
    before: tuple[Axis, ...] = next((each for each in inputs if len(each) == rank), ())
    if not before and call.name in EMBEDDINGS:
        before = (*next(iter(inputs), ()), UNKNOWN)
    before = before if len(before) == rank else (UNKNOWN,) * rank
    made = [without_units(axis) for axis in before]
    made[at] = _counting_units(before[at]) if call.is_norm else UNITS
    return tuple(made)


def _counting_units(axis: Axis) -> Axis:
    """An axis that counts the same, and units."""
    return tuple((length, names | {"units"}) for length, names in axis) or UNITS
