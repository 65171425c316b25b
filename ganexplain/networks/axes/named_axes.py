"""What the axes of tensors count: units, or what the axes of a network's input do."""

from __future__ import annotations

from dataclasses import dataclass

Names = frozenset[str]  # what an axis counts: units, or axes of the input
Axis = tuple[tuple[int, Names], ...]  # the lengths of the axes merged in one, and what each counts
Shape = tuple[int, ...]
UNITS: Axis = ((0, frozenset({"units"})),)  # the length of one that is not merged is not needed
SECOND_UNITS: Axis = ((0, frozenset({"units", "places"})),)  # count where there are no others
UNKNOWN: Axis = ()
EXAMPLES = "examples"
BLOCKS = "blocks of "  # before what an axis counts that was divided, for the outer part
NO_UNITS = 1 << 62  # the age of axes without units


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
