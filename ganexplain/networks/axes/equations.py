"""The axes of a sum of products that is written as an equation of letters (einsum)."""

from __future__ import annotations

from collections.abc import Sequence

from ganexplain.networks.axes.named_axes import UNITS, UNKNOWN, Axes, without_units

DIGITS = "0123456789"  # stand for the axes of an ellipsis, the last for its last


def axes_of_equation(
    equation: str, factors: Sequence[tuple[int, Axes | None]], time: int
) -> Axes | None:
    """The axes of a product of values and weights at `time`, such as `bft,of->tbo`.

    Each factor has a number of axes and what is known of them: None for weights. Units of the
    values that are not summed over stay units; otherwise the last letter that only weights have
    is that of the units. None if there are several factors of values, or no units.
    """
    terms, arrow, output = equation.replace(" ", "").partition("->")
    letters = [_written_out(t, n) for t, (n, _) in zip(terms.split(","), factors, strict=True)]
    values = [(t, axes) for t, (_, axes) in zip(letters, factors, strict=True) if axes]
    if not arrow or len(values) != 1:
        return None
    shared = max((len(set(term) & set(DIGITS)) for term in letters), default=0)
    term, axes = values[0]
    output = _written_out(output, len(output) - 3 + shared)
    counted = dict(zip(term, axes.each, strict=True))
    each = [counted.get(letter, UNKNOWN) for letter in output]
    if axes.units is not None and term[axes.units] in output:
        return Axes(tuple(each), axes.age)
    made = [place for place, letter in enumerate(output) if letter not in term]
    if not made:
        return None
    each = [without_units(axis) for axis in each]
    each[made[-1]] = UNITS
    return Axes(tuple(each), time)


def _written_out(term: str, axes: int) -> str:
    """A term with a digit for each axis of its ellipsis, if it has one."""
    return (
        term.replace("...", DIGITS[len(DIGITS) - axes + len(term) - 3 :]) if "." in term else term
    )
