"""Real inputs with the strongest parts of each filter: `parts.npz`, a picture and a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.responses import strongest
from ganexplain.audio.filterbank import mel_frequencies
from ganexplain.explainers.parts.filters import (
    FilterReadings,
    contributions,
    join_readings,
    read_filters,
)
from ganexplain.explainers.parts.known_events import FilterName, sound_places
from ganexplain.explainers.parts.training import PartsTraining
from ganexplain.explainers.task import Trained
from ganexplain.files.arrays import write_arrays
from ganexplain.files.atomic import write_bytes
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.parts_page import Filter, FilterParts, PartsContent, Patch, parts_page
from ganexplain.report.pictures.parts_sheet import parts_sheet
from ganexplain.report.tables import aligned

BATCH = 32
IN_SHEET = 6  # filters in the picture


class IllustratedTraining(PartsTraining):
    """A training of parts that also writes a gallery of its filters."""

    def finish(self) -> Trained:
        """Return the trained explainer, and write its gallery to the run's folder."""
        return with_gallery(super().finish(), self)


def with_gallery(trained: Trained, training: PartsTraining) -> Trained:
    """Add a table and the document of `parts.json` to a trained explainer.

    Writes `parts.npz`, `parts.png` and, for sound, `parts.html` to the run's folder.
    """
    gallery, figures = _search_inputs(training), trained.figures
    folder, config = training.task.folder, training.config
    readings, order = gallery.readings, gallery.order
    meta = {
        "layer": training.layer, "targets": list(training.targets), "figures": figures,
        "searched": len(readings.strength), "corpus": list(config.corpus),
        "classifier": training.task.names[0],
    }  # fmt: skip
    write_arrays(folder / "parts.npz", "parts", gallery.arrays, meta)
    rows = [_filter_row(training, gallery, int(number)) for number in order]
    shown = [_filter_view(training, gallery, row) for row in rows[: config.shown]]
    sheet = parts_sheet(shown[:IN_SHEET], training.task.networks[0].front_end)
    write_bytes(folder / "parts.png", sheet)
    table = _table(figures, rows[: config.shown])
    if front_end := _front_end(training):
        content = PartsContent(
            layer=training.layer,
            figures=figures,
            searched=len(readings.strength),
            filters=shown,
            classifier=training.task.names[0],
            targets=training.targets,
            corpus=config.corpus,
        )
        write_bytes(folder / "parts.html", parts_page(content, front_end).encode())
        table.append(str(folder / "parts.html"))
    document = {
        "layer": training.layer,
        "targets": list(training.targets),
        "filters": [row.document() for row in rows],
    }
    return replace(trained, table=table, documents={"parts.json": document})


@dataclass(frozen=True)
class _Gallery:
    """Readings of all inputs, arrays of `parts.npz`, and filters in the order of their weight.

    `strongest` (D, K, 2) are the centres of the strongest inputs, `where` (D, F, T) the mean parts,
    `names` what filters detect, where events are listed.
    """

    readings: FilterReadings
    strongest: np.ndarray
    arrays: dict[str, np.ndarray]
    where: np.ndarray
    order: np.ndarray
    names: list[FilterName | None]


def _search_inputs(training: PartsTraining) -> _Gallery:
    """Read all training inputs once, without overlap, and keep the strongest of each filter."""
    split, config = training.task.train, training.config
    front_end = training.task.networks[0].front_end
    length = front_end.length
    centres = split.whole_excerpts(length)
    readings = _readings(training, centres)
    chosen = [
        strongest(response, centres, config.top, length, "max") for response in readings.strength.T
    ]
    rows = np.stack(chosen)  # (D, K)
    flat = centres[rows.ravel()]
    inputs = split.gather(flat)
    filters = np.arange(len(rows))[:, None]
    place = readings.place[rows, filters]
    where = training.geometry.spread(torch.from_numpy(readings.where)).numpy()
    named = {
        k: v.reshape(*rows.shape, *v.shape[1:]) for k, v in split.excerpt_sources(flat).items()
    }
    arrays = {
        "mel": inputs.reshape(*rows.shape, *inputs.shape[1:]),
        "window": training.geometry.windows(place).astype(np.float16),
        "place": training.geometry.cells(place),
        "strength": readings.strength[rows, filters],
        "contribution": readings.contribution.mean(axis=0),
        "weight": np.abs(readings.contribution).mean(axis=0),
        "presence": readings.presence,
        "where": readings.where,
        **named,
    }
    order = np.argsort(-arrays["weight"], kind="stable")
    names = _names(training, centres, readings)
    return _Gallery(readings, centres[rows], arrays, where, order, names)


def _names(
    training: PartsTraining, centres: np.ndarray, readings: FilterReadings
) -> list[FilterName | None]:
    """The names of all filters by the listed events, None for all where there is no list."""
    front_end = _front_end(training)
    if training.known is None or front_end is None:
        return [None] * len(readings.where)
    inputs = training.known.of_excerpts(training.task.train, centres)
    seconds, hertz = sound_places(readings.place, training.geometry, front_end)
    return training.known.name_filters(inputs, readings.strength, seconds, hertz)


@torch.no_grad()
def _readings(training: PartsTraining, centres: np.ndarray) -> FilterReadings:
    explainer, progress = training.explainer.eval(), training.task.progress
    progress.start("parts of real inputs", len(centres))
    batches = []
    for first in range(0, len(centres), BATCH):
        features, targets = training.features(training.inputs(centres[first : first + BATCH]))
        asked = training.decided(targets[-1])

        def logit(changed: Tensor, asked: Tensor = asked) -> Tensor:
            logits = training.logits(explainer.decode(changed)[-1])
            if logits.shape[1] == 2:  # log-odds of the second class, so contributions have a sign
                return logits[:, 1] - logits[:, 0]
            return logits.gather(1, asked[:, None])[:, 0]

        encoding = explainer.encode(features)
        batches.append(read_filters(encoding, contributions(explainer, encoding, logit)))
        progress.advance(len(features))
    return join_readings(batches)


def _front_end(training: PartsTraining) -> FrontEnd | None:
    """The front end if the network takes log-mel, whose bands and frames are Hz and seconds."""
    front_end = training.task.networks[0].front_end
    return front_end if isinstance(front_end, FrontEnd) else None


def _filter_row(training: PartsTraining, gallery: _Gallery, number: int) -> Filter:
    """Return the row of a filter in `parts.json`."""
    spans = gallery.readings.spans()[number]
    rows, columns = (
        [float(training.geometry.cells(spans.T[end])[axis]) for end in (0, 1)] for axis in (0, 1)
    )
    arrays, name = gallery.arrays, gallery.names[number]
    found = Filter(
        filter=number,
        contribution=float(arrays["contribution"][number]),
        weight=float(arrays["weight"][number]),
        share=float(arrays["weight"][number] / max(arrays["weight"].sum(), 1e-30)),
        presence=float(arrays["presence"][number]),
        rows=rows,
        columns=columns,
        kind=None if name is None else name.kind,
        purity=None if name is None else name.purity,
    )
    if front_end := _front_end(training):
        peaks = mel_frequencies(front_end)[1:-1]
        bands = np.arange(len(peaks))
        hz = [round(float(np.interp(row, bands, peaks)), 1) for row in rows]
        seconds = [round(column / front_end.frame_rate, 3) for column in columns]
        return replace(found, hz=hz, seconds=seconds)
    return found


def _filter_view(training: PartsTraining, gallery: _Gallery, row: Filter) -> FilterParts:
    """Return a filter with its strongest inputs, for the page and the picture."""
    number, arrays = row.filter, gallery.arrays
    sounds = training.task.train.excerpt_audio(gallery.strongest[number])
    patches = [
        Patch(
            arrays["mel"][number, k],
            arrays["window"][number, k].astype(np.float32),
            float(arrays["strength"][number, k]),
            str(arrays["file"][number, k]),
            float(arrays["start_s"][number, k]),
            None if sounds is None else sounds[k],
        )
        for k in range(len(gallery.strongest[number]))
    ]
    return FilterParts(row, gallery.where[number], patches)


def _table(figures: Mapping[str, float], rows: list[Filter]) -> list[str]:
    errors = ", ".join(
        f"{name.removeprefix('error_')} {value:.4f}"
        for name, value in figures.items()
        if name.startswith("error_")
    )
    head = (
        f"p {figures['p']:.3f}; held-out relative errors {errors}; "
        f"same decision {100 * figures['agreement']:.1f} %"
    )
    sound = any(row.hz for row in rows)
    titles = ["weight", "contribution", "presence", "Hz" if sound else "rows"]
    lines = []
    for row in rows:
        low, high = row.hz or row.rows
        lines.append([
            f"filter {row.filter}", f"{row.weight:.3f}", f"{row.contribution:+.3f}",
            f"{row.presence:.2f}", f"{low:.0f} to {high:.0f}",
        ])  # fmt: skip
    return [head, *aligned([["", *titles], *lines], left=1).splitlines()]
