"""The format of numbers and texts on pages."""

from __future__ import annotations

import math

from ganexplain.errors import printable

MINUS = "\N{MINUS SIGN}"


def number(value: float, digits: int = 3) -> str:
    """Format a number with `digits` significant digits: 0.541, 33.1, 60.5k, 1.2M, 3.4e12."""
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "0"
    sign, size = (MINUS if value < 0 else ""), abs(value)
    if size < 1e-4:
        return sign + _exponent(size)
    for limit, scale, letter in ((999.5, 1.0, ""), (999.5e3, 1e3, "k"), (999.5e6, 1e6, "M")):
        if size < limit:
            scaled = size if scale == 1 else max(size / scale, 1.0)
            return sign + _plain(scaled, digits) + letter
    return sign + _exponent(size)


def _plain(value: float, digits: int) -> str:
    decimals = max(0, digits - 1 - math.floor(math.log10(value) + 1e-9))
    return f"{value:.{decimals}f}"


def _exponent(value: float) -> str:
    mantissa, power = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(power)}".replace("-", MINUS)


def tick(value: float) -> str:
    """Format a round value of an axis: 0, 0.5, 20, 5k."""
    return exact(value) if abs(value) < 1000 else number(value, 1)


def exact(value: float) -> str:
    """Format a setting without rounding: 0.001, 100, 1e-05."""
    return f"{value:g}".replace("-", MINUS)


def setting(values: tuple[float, float, int]) -> str:
    """Format a setting of the search: learning rate, prior weight and iterations."""
    rate, weight, iterations = values
    steps = f"{iterations} iteration{'' if iterations == 1 else 's'}"
    return f"learning rate {exact(rate)}, prior weight {exact(weight)}, {steps}"


def signed(value: float, decimals: int = 2) -> str:
    """Format a response with its sign and fixed decimals; thousands are shortened."""
    if abs(value) >= 1000:
        text = number(abs(value))
    else:
        text = f"{abs(value):.{decimals if abs(value) < 100 else min(decimals, 1)}f}"
    return (MINUS if value < 0 else "+") + text


def spread(mean: float, deviation: float) -> str:
    """Format mean and standard deviation."""
    if abs(mean) >= 1000 or deviation >= 1000:
        return f"{signed(mean)} ± {number(deviation)}"
    return f"{signed(mean, 1)} ± {deviation:.1f}"


def interval(ends: tuple[float, float]) -> str:
    """Format the ends of an interval."""
    return f"{number(ends[0])} to {number(ends[1])}"


def percent(share: float) -> str:
    """Format a share: 31 %."""
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def clock(seconds: float) -> str:
    """Format a time in a recording: 1:07.25."""
    minutes, rest = divmod(max(0.0, seconds), 60.0)
    if rest >= 59.995:
        minutes, rest = minutes + 1, 0.0
    return f"{int(minutes)}:{rest:05.2f}"


def drawable(text: str) -> str:
    """Return text for Matplotlib, without mathematics and invalid characters."""
    return printable(text).replace("$", r"\$")


def capitalise(text: str) -> str:
    """Return text with a capital first letter."""
    return text[:1].upper() + text[1:]


def ordinal(position: int) -> str:
    """Format a rank: 1st, 2nd, 14th."""
    teen = 10 <= position % 100 <= 20
    return f"{position}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(position % 10, 'th')}"
