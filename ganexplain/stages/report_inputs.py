"""What `report` reads: explanations, real responses, selection and controls, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.artifacts.axes import axes_for, check_arrays
from ganexplain.artifacts.explanations import Explanations, read_explanations
from ganexplain.artifacts.merging import explanation_files
from ganexplain.artifacts.responses import REAL_AXES, given_path, read_responses
from ganexplain.artifacts.selection import read_selection
from ganexplain.config import ReportConfig
from ganexplain.errors import UsageError
from ganexplain.files.arrays import read_arrays, read_meta
from ganexplain.report.unit.evidence import Evidence

DRIVEN = ("fresh", "input_ascent", "reinitialised")  # controls whose excerpts stand in controls.npz
SHOWN_OF_REAL = ("mel", "response", "file", "start_s", "audio")  # the last of log-mel only


@dataclass(frozen=True)
class UnitFiles:
    """Where the inputs of one unit's page are; `name` is its folder, empty for a single unit."""

    name: str
    explanations: Path
    selection: Path
    responses: Path

    @property
    def controls(self) -> Path:
        """Written by `select` beside its ranking, where controls were asked for."""
        return self.selection.with_name("controls.npz")

    @property
    def inputs(self) -> dict[str, Path]:
        """The files there are, by name."""
        files = {name: getattr(self, name) for name in ("explanations", "selection", "responses")}
        return files | ({"controls": self.controls} if self.controls.is_file() else {})


def unit_files(config: ReportConfig) -> list[UnitFiles]:
    """The inputs of each unit that the options name.

    Explanations are a file, or the run directory of `explain`; the selection is a file, or the
    directory of `select`, in which each of several units has a folder. Real responses are those
    beside the selection unless named. Raises UsageError where files do not go together or are
    missing.
    """
    paths = explanation_files(Path(config.explanations))
    given, several = Path(config.selection), len(paths) > 1
    if several and not given.is_dir():
        raise UsageError(
            f"--selection {given}: {config.explanations} holds {len(paths)} units; name the "
            "directory that select wrote for them"
        )
    units = []
    for path in paths:
        selection = given / path.parent.name / "selection.json"
        if not several and not selection.is_file():
            selection = given / "selection.json" if given.is_dir() else given
        responses = selection.with_name("responses.npz")
        if config.responses:
            responses = given_path(Path(config.responses), read_meta(path, "explanations"))
        for needed in (selection, responses):
            if not needed.is_file():
                raise UsageError(f"{needed}: no such file; run select on {config.explanations}")
        units.append(UnitFiles(path.parent.name if several else "", path, selection, responses))
    return units


def read_evidence(files: UnitFiles, examples: int) -> Evidence:
    """The inputs of one page, checked against each other; errors as `write_report`."""
    explanations = read_explanations(files.explanations, exploded=True)
    meta, sizes, prefix = explanations.meta, explanations.sizes, explanations.prefix
    real, _ = read_responses(files.responses, explanations.path, meta, sizes)
    real_axes = axes_for(explanations.front_end, REAL_AXES)
    held = {name: f"held_out_{prefix}{name}" for name in SHOWN_OF_REAL if name in real_axes}
    held_out = {}
    if held["mel"] in real:
        axes = {key: real_axes[name].replace("R", "H") for name, key in held.items()}
        check_arrays(files.responses, real, axes, sizes)
        held_out = {name: real[key] for name, key in held.items()}
    return Evidence(
        made=explanations.arrays,
        meta=meta,
        real=_strongest_first({name: real[prefix + name] for name in real_axes}, prefix == ""),
        held_out=_strongest_first(held_out, prefix == "") if held_out else {},
        driven=_driven(files.controls, explanations) if files.controls.is_file() else {},
        selection=read_selection(files.selection, explanations),
        front_end=explanations.front_end,
        seeds=examples,
    )


def _driven(path: Path, explanations: Explanations) -> dict[str, dict[str, np.ndarray]]:
    """Inputs (n, ...) and responses (n,) of the controls that have some."""
    arrays, _ = read_arrays(path, "controls", ())
    found = {}
    for name in DRIVEN:
        if f"{name}_mel" in arrays:
            axes = {f"{name}_mel": "MFT", f"{name}_response": "M"}
            drawn_axes = axes_for(explanations.front_end, axes)
            check_arrays(path, arrays, drawn_axes, explanations.sizes)
            found[name] = {"mel": arrays[f"{name}_mel"], "response": arrays[f"{name}_response"]}
    return found


def _strongest_first(real: Mapping[str, np.ndarray], descending: bool) -> dict[str, np.ndarray]:
    response = real["response"].astype(np.float64)
    order = np.argsort(-response if descending else response, kind="stable")
    return {name: array[order] for name, array in real.items()}
