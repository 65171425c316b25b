"""The axes of a layer's output: where the batch and the units are, and what the others count.

Everything else reads outputs in one form, (B, U, ...): examples, units, places. `OutputAxes`
brings an output of a layer into this form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from torch import Tensor

from ganexplain.networks.axes.named_axes import BLOCKS, EXAMPLES, NO_UNITS, Axes, Axis, names_of
from ganexplain.networks.outputs import real_values

PLACES = "places"  # what an axis counts of which nothing is known


@dataclass(frozen=True)
class OutputAxes:
    """The axes of an output for one input: `sizes`, what they count, and which has the units.

    With `units` None the output is that of one unit, and all axes count places.
    The axis of the examples is before axis `batch` of these. If it is `folded` with that one, the
    output has the product of both as one axis, with all steps of an example after each other or,
    if it is folded `inwards`, all examples of a step.
    """

    sizes: tuple[int, ...]
    names: tuple[str, ...]
    units: int | None = 0
    batch: int = 0
    folded: bool = False
    inwards: bool = False

    def __str__(self) -> str:
        """The axes in the order of the output, as `frames 115 x units 32`."""
        shown = [
            f"{name} {size}"
            for k, (name, size) in enumerate(zip(self.names, self.sizes, strict=True))
            if k not in self.squeezed
        ]
        return " x ".join(["units 1"] * (self.units is None) + shown) or "units 1"

    @property
    def is_plain(self) -> bool:
        """Whether outputs are (B, U, ...) as they are."""
        return self.units == 0 and not (self.batch or self.folded)

    @property
    def squeezed(self) -> tuple[int, ...]:
        """The axes of length one in front of the units, which are no places."""
        return tuple(k for k in range(self.units or 0) if self.sizes[k] == 1)

    @property
    def places(self) -> tuple[str, ...]:
        """What the axes behind the units in (B, U, ...) count."""
        left = (k for k in range(len(self.sizes)) if k not in (self.units, *self.squeezed))
        return tuple(self.names[k] for k in left)

    def with_units(self, where: str) -> OutputAxes:
        """These axes with the units on the `first` or the `last` one, or as they are (`auto`)."""
        if where == "auto" or not self.sizes:
            return self
        units = 0 if where == "first" else len(self.sizes) - 1
        names = [PLACES if k == self.units else name for k, name in enumerate(self.names)]
        names[units] = "units"
        return replace(self, units=units, names=tuple(names)) if units != self.units else self

    def arrange(self, output: Tensor) -> Tensor:
        """An output as (B, U, ...), or as (B,) if it has one number for an example.

        An output that is in this form already is returned as it is.
        """
        batch = self.batch
        if self.folded:
            steps = self.sizes[batch]
            examples = output.shape[batch] // steps
            sizes = (steps, examples) if self.inwards else (examples, steps)
            output = output.unflatten(batch, sizes)
            batch += self.inwards
        output = output.movedim(batch, 0) if batch else output
        if self.units is None:
            return output.unsqueeze(1)
        output = output.movedim(1 + self.units, 1) if self.units else output
        behind = tuple(2 + k for k in self.squeezed)
        return output.squeeze(behind) if behind else output

    def restore(self, arranged: Tensor) -> Tensor:
        """The output as the layer returns it, from (B, U, ...): the inverse of `arrange`."""
        output = arranged
        for k in self.squeezed:
            output = output.unsqueeze(2 + k)
        if self.units is None:
            output = output.squeeze(1)
        else:
            output = output.movedim(1, 1 + self.units) if self.units else output
        batch = self.batch + (self.folded and self.inwards)
        output = output.movedim(0, batch) if batch else output
        return output.flatten(self.batch, self.batch + 1) if self.folded else output


def plain_axes(shape: Sequence[int]) -> OutputAxes:
    """The axes of an output (B, U, ...) of which nothing else is known."""
    names = ("units", *[PLACES] * (len(shape) - 2))[: len(shape) - 1]
    return OutputAxes(tuple(shape[1:]), names)


def find_batch(shape: Sequence[int], larger: Sequence[int], batches: tuple[int, int]) -> int | None:
    """The axis of the examples, from shapes for two batches; None if there is none.

    It is the one whose length grows with the batch.
    """
    few, more = batches
    if len(shape) != len(larger):
        return None
    grown = [
        k
        for k, (one, other) in enumerate(zip(shape, larger, strict=True))
        if one != other and one * more == other * few and one % few == 0
    ]
    return grown[0] if len(grown) == 1 else None


def find_copies(shape: Sequence[int], axes: Axes, copies: int) -> int | None:
    """The axis of the copies of one example in a pass of so many; None if there is none.

    It is the one on which the input had them, alone or merged with others, or the first.
    """
    sized = list(zip(shape, axes.each, strict=False))
    alone = [k for k, (n, axis) in enumerate(sized) if n == copies and names_of(axis) == {EXAMPLES}]
    merged = [
        k
        for k, (n, axis) in enumerate(sized)
        if n == prod(n for n, _ in axis) and any(EXAMPLES in names for _, names in axis)
    ]
    first = [0] if shape and shape[0] == copies else []
    return next(iter(alone + merged + first), None)


def output_axes(output: Tensor, batch: int, examples: int, found: Axes) -> OutputAxes:
    """The axes of an output for `examples`, of which the first and the last are equal."""
    sizes, each = list(output.shape), list(found.each)
    steps = sizes[batch] // examples
    folded = steps > 1
    inwards = folded and _is_folded_inwards(output, batch, steps)
    if folded:
        sizes[batch] = steps
    else:
        del sizes[batch], each[batch]
    names = _names(each)
    units = Axes(tuple(each)).units if each else 0
    if units is None and not _is_one_unit(sizes, names, found):
        units = _usual_units(batch, folded, names, found)
    if units is not None and sizes:
        names[units] = "units"
    return OutputAxes(tuple(sizes), tuple(names), units, batch, folded, inwards)


def _is_one_unit(sizes: Sequence[int], names: Sequence[str], found: Axes) -> bool:
    """Whether an output has one unit without an axis, as a frame-wise one of one class (B, T).

    All its axes then count what axes of the input do, though layers with units have made it.
    """
    return found.age != NO_UNITS and prod(sizes) > 1 and PLACES not in names


def _usual_units(batch: int, folded: bool, names: Sequence[str], found: Axes) -> int:
    """The axis where units usually are, of an output of which it is not known.

    After layers with units it is one that counts nothing of the input, if there is one.
    """
    usual = len(names) - 1 if batch else min(int(folded), len(names) - 1)
    free = [k for k, name in enumerate(names) if name == PLACES]
    if found.age == NO_UNITS or not free or usual in free:
        return usual
    return free[0] if batch else free[-1]


def _is_folded_inwards(output: Tensor, batch: int, steps: int) -> bool:
    """Whether the first and the last of the examples, which are equal, are so inwards alone."""
    values = real_values(output).double()
    examples = output.shape[batch] // steps
    outwards = values.unflatten(batch, (examples, steps))
    inwards = values.unflatten(batch, (steps, examples))
    return _ends_equal(inwards, batch + 1) and not _ends_equal(outwards, batch)


def _ends_equal(values: Tensor, axis: int) -> bool:
    """Whether the first and the last along an axis are equal but for rounding."""
    rounding = 1e-6 + 1e-4 * float(values.abs().max())
    return bool((values.select(axis, 0) - values.select(axis, -1)).abs().max() <= rounding)


def _names(axes: Sequence[Axis]) -> list[str]:
    """What each axis counts; blocks of frames are frames, unless another axis counts those."""
    counted = [names_of(axis) - {"units", EXAMPLES} for axis in axes]
    found = []
    for k, names in enumerate(counted):
        others = frozenset().union(*counted[:k], *counted[k + 1 :])
        whole = {n if n.removeprefix(BLOCKS) in others else n.removeprefix(BLOCKS) for n in names}
        apart = {n for n in whole if n.removeprefix(BLOCKS) == n or n[len(BLOCKS) :] not in whole}
        found.append("/".join(sorted(apart)) or PLACES)
    return found
