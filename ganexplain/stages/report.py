"""`report`: explanations, selection and real responses -> pages to see and to hear."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
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
from ganexplain.report.unit.export import check_export, export_files, export_page
from ganexplain.report.unit.index import UnitLine, render_index, unit_line
from ganexplain.report.unit.page import render
from ganexplain.report.unit.provenance import provenance
from ganexplain.report.unit.story import build_page
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.part_results import NumberedPart, PartedRun, PartWork
from ganexplain.runs.parts import remove_parts
from ganexplain.runs.progress import Progress
from ganexplain.runs.workers import Workers

SHOWN_OF_REAL = ("mel", "response", "file", "start_s", "audio")  # the last of log-mel only

WORTH_PROCESSES = 4  # pages from which several processes are faster
LARGE = 20e6  # bytes of a page from which a note says how to make it smaller


def write_report(
    config: ReportConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
) -> Path:
    """Write a page for each unit, and for several an index; give the path to open.

    That is `report.html`, one file that needs no other; of several units each has one in its
    folder, and `index.html` links them. Raises UsageError for settings that cannot be,
    GanexplainError for files that do not fit together, naming the file and the field. An `executor`
    of any kind makes the pages in place of the workers of the settings; pages that are done are
    kept for `resume`.
    """
    workers = Workers.of(config, executor)
    pages = UnitPages(config, out)
    pages.read_first()  # wrong files are reported before the run begins
    if config.export:
        names = [unit.name for unit in pages.units]
        check_export(Path(config.export), out, names, overwrite or resume)
    with RunDirectory(out, "report", config, overwrite, resume) as run:
        progress = run.keep_notes(progress)
        parts = PagePart.all_of(pages, run)
        path = out / ("index.html" if len(parts) > 1 else "report.html")
        made = [file for part in parts for file in pages.files(part)]
        if run.finished and all(file.is_file() for file in (path, *made)):
            run.keep_record(progress)
            return path
        run.note_inputs()
        work = PartWork(WrittenPage, UnitPages, (config, out), pages, steps=True, files=pages.files)
        parted = PartedRun(out, workers, progress, "pages", len(parts) >= WORTH_PROCESSES)
        written = parted.results(parts, work)
        if lines := [page.line for page in written if page.line]:
            write_text(path, render_index(lines))
        remove_parts(out)
        run.results["bytes"] = sum(page.size for page in written)
        run.results["players"] = sum(page.players for page in written)
    return path


@dataclass(frozen=True)
class PagePart(NumberedPart):
    """A unit by its number in the run: its folder, and the hashes of its files by their names."""

    folder: str
    hashes: Mapping[str, str]

    @classmethod
    def all_of(cls, pages: UnitPages, run: RunDirectory) -> list[PagePart]:
        """The parts of all units, whose files are recorded."""
        found = []
        for number, unit in enumerate(pages.units):
            label = _label(unit)
            files = pages.inputs(unit).items()
            hashes = {name: run.used(label + name, path) for name, path in files}
            found.append(cls(number, 1, unit.name, hashes))
        return found


@dataclass(frozen=True)
class WrittenPage:
    """The size of a page in bytes, its players, and its line in the index, if there is one."""

    size: int
    players: int
    line: UnitLine | None


class UnitPages:
    """Writes the pages of units in any process."""

    def __init__(self, config: ReportConfig, out: Path) -> None:
        self.config, self.out, self.units = config, out, unit_files(config)
        self.tested = read_prediction(Path(config.validation)) if config.validation else None
        self.first: Evidence | None = None

    def read_first(self) -> None:
        """Read what the first page shows; errors as `write_report`."""
        self.first = read_evidence(self.units[0], self.config.examples, self.tested)

    def inputs(self, unit: UnitFiles) -> dict[str, Path]:
        """The files of a unit by their names in a report."""
        if self.tested:
            return unit.inputs | {"validation": prediction_file(Path(self.config.validation))}
        return unit.inputs

    def files(self, part: PagePart, written: WrittenPage | None = None) -> list[Path]:
        """The page of a unit, and the files of its export."""
        page, export = self.out / part.folder / "report.html", self.config.export
        return [page, *(export_files(Path(export) / part.folder, page) if export else [])]

    def __call__(self, part: PagePart, progress: Progress) -> WrittenPage:
        """Write the page of a unit."""
        config, unit = self.config, self.units[part.number]
        first = self.first if part.number == 0 else None
        evidence = first or read_evidence(unit, config.examples, self.tested)
        sounds, heard = _sounds(evidence, config, progress, _label(unit))
        sources = provenance(evidence, config, self.inputs(unit), part.hashes)
        content = build_page(evidence, sounds, heard, sources)
        page, path = render(content).encode(errors="backslashreplace"), self.files(part)[0]
        if config.export:
            folder, digest = Path(config.export) / unit.name, hashlib.sha256(page).hexdigest()
            export_page(folder, content, digest, evidence.selection, progress)
        write_bytes(path, page)
        if len(page) > LARGE:
            progress.note(f"{path}: {len(page) / 1e6:.0f} MB; fewer --heard make it smaller")
        line = unit_line(evidence, f"{unit.name}/report.html") if unit.name else None
        return WrittenPage(len(page), page.count(b"<audio"), line)


def _label(unit: UnitFiles) -> str:
    """What the names of its files in the record begin with."""
    return f"{unit.name} " if unit.name else ""


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
        decided=responses.meta.decided,
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
