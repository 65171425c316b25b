"""The table of measures of an `attribute` run: means over its inputs, random maps last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganexplain.attribution.measures import MEASURES

Measures = Mapping[str, float | None]


def mean_measures(rows: Sequence[Measures]) -> dict[str, float | None]:
    """Mean of each measure over the rows that have it; None where none has."""
    means: dict[str, float | None] = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        values = [v for row in rows if (v := row.get(key)) is not None and np.isfinite(v)]
        means[key] = float(np.mean(values)) if values else None
    return means


def measured(document: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Which measures there are, and rows of texts: a name and the mean of each measure."""
    inputs = document["inputs"]
    rows = [
        (", ".join(each.values()), mean_measures([i["results"][k]["measures"] for i in inputs]))
        for k, each in enumerate(document["configurations"])
    ]
    rows.append(("random maps", mean_measures([entry["floor"] for entry in inputs])))
    shown = [key for key in MEASURES if any(row.get(key) is not None for _, row in rows)]
    texts = [[name, *(_text(row.get(key)) for key in shown)] for name, row in rows]
    return shown, texts


def _text(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
