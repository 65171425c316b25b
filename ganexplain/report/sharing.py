"""A table of what the units of a run share with the outputs and with each other, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np

from ganexplain.metrics.sharing import ALIKE, Sharing
from ganexplain.networks.units import Unit


def sharing_table(found: Mapping[Unit, Sharing]) -> str:
    """Return a line for each unit, in their order: share of the outputs, and units alike."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["layer", "unit", "excerpts", "numbers", "explained_by_outputs", "alike"])
    for unit, one in found.items():
        alike = " ".join(f"{number}({value:+.3f})" for number, value in one.alike.items())
        share = f"{one.explained:.4f}"
        lines.writerow([unit.layer, unit.neuron, one.excerpts, one.numbers, share, alike])
    return text.getvalue()


def sharing_summary(found: Sequence[Sharing]) -> str:
    """Return the range of the shares, and how many units have others that say the same."""
    shares = 100 * np.array([one.explained for one in found])
    alike = sum(bool(one.alike) for one in found)
    return (
        f"the outputs explain {shares.min():.1f} to {shares.max():.1f} % of the variance of "
        f"{len(found)} units (median {np.median(shares):.1f} %); {alike} of them have others in "
        f"their layer with a correlation of at least {ALIKE:g} in size"
    )
