"""`controls.npz`: the examples of the controls that a selection searched for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ganexplain.artifacts.axes import axes_for, check_arrays
from ganexplain.artifacts.explanations import Explanations
from ganexplain.files.arrays import read_arrays, write_arrays
from ganexplain.metrics.scores import Examples

KIND = "controls"
SEARCHED = ("fresh", "input_ascent", "reinitialised")  # controls with examples of their own
AXES = {"mel": "MFT", "response": "M"}


def write_controls(path: Path, controls: Mapping[str, Examples], seed: int) -> None:
    """Write inputs and responses of the controls by name; `seed` is that of the selection."""
    arrays = {
        f"{name}_{key}": getattr(examples, key)
        for name, examples in controls.items()
        for key in AXES
    }
    write_arrays(path, KIND, arrays, {"seed": seed})


def read_controls(path: Path, explanations: Explanations) -> dict[str, dict[str, np.ndarray]]:
    """Inputs (n, ...) and responses (n,) of the controls that the file has.

    Errors as `read_arrays`, or GanexplainError where they do not fit the explanations.
    """
    arrays, _ = read_arrays(path, KIND, ())
    found = {}
    for name in SEARCHED:
        if f"{name}_mel" in arrays:
            axes = {f"{name}_{key}": letters for key, letters in AXES.items()}
            own_axes = axes_for(explanations.front_end, axes)
            check_arrays(path, arrays, own_axes, explanations.sizes)
            found[name] = {key: arrays[f"{name}_{key}"] for key in AXES}
    return found
