"""`report`: explanations, selection and real responses -> pages to see and to hear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ganexplain.artifacts.axes import axes_for, check_arrays
from ganexplain.artifacts.controls import read_controls
from ganexplain.artifacts.explanations import read_explanations
from ganexplain.artifacts.prediction import Prediction, prediction_file, read_prediction
from ganexplain.artifacts.responses import BEYOND, REAL_AXES, check_group, read_responses
from ganexplain.artifacts.selection import read_selection
from ganexplain.artifacts.unit_files import UnitFiles, unit_files
from ganexplain.audio.sonify import make_sounds
from ganexplain.config import ReportConfig
from ganexplain.files.atomic import file_hash, write_bytes, write_text
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.index import UnitLine, render_index, unit_line
from ganexplain.report.unit.page import render
from ganexplain.report.unit.provenance import provenance
from ganexplain.report.unit.story import build_page
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.progress import Progress

SHOWN_OF_REAL = ("mel", "response", "file", "start_s", "audio")  # the last of log-mel only

LARGE = 20e6  # bytes of a page from which a note says how to make it smaller


def write_report(
    config: ReportConfig, out: Path, progress: Progress, overwrite: bool = False
) -> Path:
    """Write a page for each unit, and for several an index; give the path to open.

    That is `report.html`, one file that needs no other; of several units each has one in its
    folder, and `index.html` links them. Raises UsageError for settings that cannot be,
    GanexplainError for files that do not fit together, naming the file and the field.
    """
    units = unit_files(config)
    tested = read_prediction(Path(config.validation)) if config.validation else None
    first = read_evidence(
        units[0], config.examples, tested
    )  # what is wrong is said before the run begins
    with RunDirectory(out, "report", config, overwrite) as run:
        progress = run.keep_notes(progress)
        lines: list[UnitLine] = []
        sizes: list[int] = []
        players = 0
        for unit in units:
            evidence = first if unit is units[0] else read_evidence(unit, config.examples, tested)
            page = _page(evidence, unit, run, config, progress)
            path = out / unit.name / "report.html"
            write_bytes(path, page)
            if len(page) > LARGE:
                progress.note(f"{path}: {len(page) / 1e6:.0f} MB; fewer --heard make it smaller")
            sizes.append(len(page))
            players += page.count(b"<audio")
            if unit.name:
                lines.append(unit_line(evidence, f"{unit.name}/report.html"))
        if lines:
            path = out / "index.html"
            write_text(path, render_index(lines))
        run.results.update(bytes=sum(sizes), players=players)
    return path


def _page(
    evidence: Evidence, unit: UnitFiles, run: RunDirectory, config: ReportConfig, progress: Progress
) -> bytes:
    label = f"{unit.name} " if unit.name else ""
    inputs = unit.inputs
    if evidence.prediction:
        inputs |= {"validation": prediction_file(Path(config.validation))}
    hashes = {name: run.used(label + name, path) for name, path in inputs.items()}
    sounds, heard = _sounds(evidence, config, progress, label)
    sources = provenance(evidence, config, inputs, hashes)
    return render(build_page(evidence, sounds, heard, sources)).encode(errors="backslashreplace")


def _sounds(
    evidence: Evidence, config: ReportConfig, progress: Progress, label: str
) -> tuple[dict[str, np.ndarray], dict[int, np.ndarray]]:
    """Waveforms (n, samples) of each row shown, and of the first examples of settings.

    Of pictures there are none; a waveform is its own sound.
    """
    if not evidence.playable:
        return {}, {}
    shown, input_spec = evidence.shown, evidence.front_end
    landmarks = {index: name for name, index in evidence.landmarks.items()}
    heard = min(config.heard, config.examples)
    grid = {
        index: evidence.made["mel"][index][:heard]
        for index in evidence.explored
        if index not in landmarks and heard
    }
    total = sum(len(mel) for mel in (*shown.values(), *grid.values()))
    progress.start(f"sounds {label}".rstrip(), total)

    def listen(excerpts: np.ndarray) -> np.ndarray:
        made = []
        for one in excerpts:
            made.append(
                make_sounds(input_spec, one[None], config.griffin_lim_iterations, config.seed)
            )
            progress.advance()
        return np.concatenate(made)

    rows = {name: listen(mel) for name, mel in shown.items()}
    settings = {index: rows[name][:heard] for index, name in landmarks.items()}
    return rows, settings | {index: listen(mel) for index, mel in grid.items()}


def read_evidence(files: UnitFiles, examples: int, tested: Prediction | None = None) -> Evidence:
    """The inputs of one page, checked against each other; errors as `write_report`."""
    explanations = read_explanations(files.explanations, exploded=True)
    meta, sizes, prefix = explanations.meta, explanations.sizes, explanations.prefix
    responses = read_responses(files.responses, explanations.path, meta.measured, sizes)
    real, upwards = responses.arrays, meta.direction == "max"
    check_group(files.responses, real, prefix)
    real_axes = axes_for(explanations.front_end, REAL_AXES)
    names = {name: f"held_out_{prefix}{name}" for name in SHOWN_OF_REAL if name in real_axes}
    held_out = {}
    if names["mel"] in real:
        axes = {key: real_axes[name].replace("R", "H") for name, key in names.items()}
        check_arrays(files.responses, real, axes, sizes)
        held_out = {name: real[key] for name, key in names.items()}
    return Evidence(
        made=explanations.arrays,
        meta=meta,
        real=_real_rows(real, prefix, real_axes, upwards),
        held_out=_strongest_first(held_out, upwards) if held_out else {},
        beyond={} if meta.beyond else _real_rows(real, BEYOND + prefix, real_axes, upwards),
        sharing=responses.meta.sharing,
        driven=read_controls(files.controls, explanations) if files.controls.is_file() else {},
        selection=read_selection(files.selection, explanations),
        front_end=explanations.front_end,
        seeds=examples,
        prediction=tested.of(meta.target, file_hash(files.explanations)) if tested else None,
        validation=tested,
    )


def _real_rows(
    real: Mapping[str, np.ndarray], prefix: str, names: Iterable[str], descending: bool
) -> dict[str, np.ndarray]:
    """Arrays of the real excerpts of a prefix, strongest first; empty if there are none."""
    if f"{prefix}response" not in real:
        return {}
    arrays = {name: real[prefix + name] for name in names}
    return arrays if prefix.startswith(BEYOND) else _strongest_first(arrays, descending)


def _strongest_first(real: Mapping[str, np.ndarray], descending: bool) -> dict[str, np.ndarray]:
    response = real["response"].astype(np.float64)
    order = np.argsort(-response if descending else response, kind="stable")
    return {name: array[order] for name, array in real.items()}
