"""Texts for the values of log-mel excerpts: their meaning, unit and rounding."""

from __future__ import annotations

import math

from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.html.notation import signed

LOGARITHMS = {"ln": "natural logarithm", "log10": "logarithm to base 10", "db": "decibels"}


def round_step(front_end: FrontEnd) -> float:
    """Return the power of ten nearest to a nat (8.7 dB): 1, for dB 10; 0 without a logarithm."""
    nat = front_end.values_per_nat
    return 10.0 ** round(math.log10(nat)) if nat else 0.0


def level_text(value: float, front_end: FrontEnd) -> str:
    """Format a value with its sign and unit on one line: "+12 nat", "-30 dB"."""
    step = round_step(front_end)
    decimals = max(0, -round(math.log10(step))) if step else 2
    return f"{signed(value, decimals)}\N{NO-BREAK SPACE}{front_end.unit}".rstrip()


def meaning(front_end: FrontEnd) -> str:
    """Describe the values: "natural logarithm of mel magnitude, 1 nat = 8.7 dB"."""
    quantity = "mel magnitude" if front_end.power == 1 else "mel power"
    if not front_end.decibels_per_unit:
        return quantity
    text = f"{LOGARITHMS[front_end.logarithm]} of {quantity}"
    if front_end.relative:
        text += " relative to the excerpt's loudest value"
    if front_end.unit == "dB":
        return text
    if front_end.scale != 1 or front_end.shift != 0:
        text += ", scaled as the network takes it"
    return f"{text}, 1 {front_end.unit or 'unit'} = {front_end.decibels_per_unit:.1f} dB"
