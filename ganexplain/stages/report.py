"""`report`: explanations, selection and real responses -> pages to see and to hear."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ganexplain.audio.sonify import sonify, unclipped
from ganexplain.config import ReportConfig
from ganexplain.files.atomic import write_bytes, write_text
from ganexplain.inputs.kinds import ImageInput, WaveformInput
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.index import UnitLine, render_index, unit_line
from ganexplain.report.unit.page import render
from ganexplain.report.unit.provenance import provenance
from ganexplain.report.unit.story import tell
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.progress import Progress
from ganexplain.stages.report_inputs import UnitFiles, read_evidence, unit_files

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
    first = read_evidence(units[0], config.examples)  # what is wrong is said before the run begins
    with RunDirectory(out, "report", config, overwrite) as run:
        progress = run.keep_notes(progress)
        lines: list[UnitLine] = []
        sizes: list[int] = []
        players = 0
        for unit in units:
            evidence = first if unit is units[0] else read_evidence(unit, config.examples)
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
    hashes = {name: run.used(label + name, path) for name, path in unit.inputs.items()}
    sounds, heard = _sounds(evidence, config, progress, label)
    told = provenance(evidence, config, unit.inputs, hashes)
    return render(tell(evidence, sounds, heard, told)).encode(errors="backslashreplace")


def _sounds(
    evidence: Evidence, config: ReportConfig, progress: Progress, label: str
) -> tuple[dict[str, np.ndarray], dict[int, np.ndarray]]:
    """Waveforms (n, samples) of each row shown, and of the first examples of settings.

    Of pictures there are none; a waveform is its own sound.
    """
    if isinstance(evidence.front_end, ImageInput):
        return {}, {}
    shown, drawn = evidence.shown, evidence.front_end
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
            if isinstance(drawn, WaveformInput):
                made.append(unclipped(one)[None])
            else:
                made.append(sonify(one[None], drawn, config.griffin_lim_iterations, config.seed))
            progress.advance()
        return np.concatenate(made)

    rows = {name: listen(mel) for name, mel in shown.items()}
    settings = {index: rows[name][:heard] for index, name in landmarks.items()}
    return rows, settings | {index: listen(mel) for index, mel in grid.items()}
