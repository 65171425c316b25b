"""The sets of examples of a unit that a prediction test compares, from the files of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.artifacts.controls import read_controls
from ganexplain.artifacts.explanations import Explanations, read_explanation_meta, read_explanations
from ganexplain.artifacts.prediction import GENERATED
from ganexplain.artifacts.responses import BEYOND, read_responses
from ganexplain.artifacts.selection import read_selection
from ganexplain.artifacts.unit_files import UnitFiles
from ganexplain.files.atomic import file_hash
from ganexplain.networks.units import Unit
from ganexplain.selection.encoders import Encoder
from ganexplain.selection.prediction import ExampleSet, TestedUnit


@dataclass(frozen=True)
class Direction:
    """What a run has of a unit in one direction."""

    explanations: Explanations
    chosen: np.ndarray
    real: Mapping[str, np.ndarray]
    reinitialised: np.ndarray | None

    @classmethod
    def read(cls, files: UnitFiles) -> Direction:
        """Read the files; errors as their readers."""
        explanations = read_explanations(files.explanations)
        selection = read_selection(files.selection, explanations)
        wanted, sizes = explanations.meta.measured, explanations.sizes
        real = read_responses(files.responses, explanations.path, wanted, sizes).arrays
        has_controls = files.controls.is_file()
        controls = read_controls(files.controls, explanations) if has_controls else {}
        return cls(
            explanations,
            explanations.arrays["mel"][selection.chosen],
            real,
            controls["reinitialised"]["mel"] if "reinitialised" in controls else None,
        )


def by_unit(files: Sequence[UnitFiles]) -> dict[Unit, dict[str, UnitFiles]]:
    """The files of each unit by direction, in the order of the run."""
    found: dict[Unit, dict[str, UnitFiles]] = {}
    for each in files:
        meta = read_explanation_meta(each.explanations)
        found.setdefault(meta.unit, {})[meta.direction] = each
    return found


def tested_unit(files: Mapping[str, UnitFiles], encoders: Sequence[Encoder]) -> TestedUnit:
    """Read the sets of one unit, whose files are given by direction, and encode them."""
    directions = {name: Direction.read(each) for name, each in files.items()}
    meta = next(iter(directions.values())).explanations.meta
    sets = example_sets(directions)
    return TestedUnit(
        meta.unit,
        meta.class_name,
        {name: file_hash(each.explanations) for name, each in files.items()},
        {e.name: {name: each.encoded(e) for name, each in sets.items()} for e in encoders},
    )


def example_sets(directions: Mapping[str, Direction]) -> dict[str, ExampleSet]:
    """The sets by name. Samples of the GAN stand in for a direction that was not searched."""
    first = next(iter(directions.values()))
    made, real = first.explanations.arrays, first.real
    samples = made["start_mel"]
    found = {
        GENERATED: _ends({name: each.chosen for name, each in directions.items()}, samples),
        "real": ExampleSet(real["mel"], real["bottom_mel"]),
    }
    if f"{BEYOND}mel" in real:
        found["real_beyond"] = ExampleSet(real[f"{BEYOND}mel"], real[f"{BEYOND}bottom_mel"])
    controls = {name: each.reinitialised for name, each in directions.items()}
    known = {name: each for name, each in controls.items() if each is not None}
    if len(known) == len(controls):
        found["reinitialised"] = _ends(known, samples)
    order, half = np.argsort(made["start_response"], kind="stable"), len(samples) // 2
    return found | {"start": ExampleSet(samples[order[half:]], samples[order[:half]])}


def _ends(by_direction: Mapping[str, np.ndarray], samples: np.ndarray) -> ExampleSet:
    return ExampleSet(by_direction.get("max", samples), by_direction.get("min", samples))
