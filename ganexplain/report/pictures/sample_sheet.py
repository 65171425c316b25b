"""What a generator draws while it learns: a sheet of spectrograms, and a strip of sounds."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from ganexplain.audio.display import display_inputs, display_spec
from ganexplain.audio.filterbank import mel_frequencies
from ganexplain.audio.io import encode_flac
from ganexplain.audio.sonify import make_sounds
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.report.pictures.default_style import default_style
from ganexplain.report.pictures.panels import Grid, axis_beside
from ganexplain.report.pictures.png import figure_png, png_bytes

SHEET = Grid(left=0.55, right=0.85, bottom=0.4, top=0.3, across=0.08, down=0.28)
SIDE = 96  # about the pixels of a picture on screen, along each side
GAP = 4

TICKS_HZ = (100, 500, 1000, 2000, 4000)
PAUSE_SECONDS = 0.4
GRIFFIN_LIM_ITERATIONS = 30  # few, so that several sounds take about a second


@default_style()
def sample_sheet(rows: dict[str, np.ndarray], front_end: FrontEnd) -> bytes:
    """Draw log-mel excerpts (N, F, T), a row for each title, on one colour scale, as a PNG.

    The scale goes from the 1st to the 99.9th percentile of the first row.
    """
    from matplotlib.figure import Figure

    first = next(iter(rows.values()))
    low, high = np.percentile(first, [1, 99.9])
    columns = max(len(panels) for panels in rows.values())
    size = (1.6 * columns + 1.2, 1.7 * len(rows) + 0.5)
    figure = Figure(figsize=size)
    axes = SHEET.axes(figure, len(rows), columns)
    centres = mel_frequencies(front_end)[1:-1]
    positions = np.interp(TICKS_HZ, centres, np.arange(len(centres)))
    seconds = first.shape[2] / front_end.frame_rate
    image = None
    for row, (title, panels) in zip(axes, rows.items(), strict=True):
        for axis, panel in zip(row, panels, strict=False):
            image = axis.imshow(
                panel, origin="lower", aspect="auto", cmap="magma", vmin=low, vmax=high,
                extent=(0, seconds, -0.5, len(centres) - 0.5),
            )  # fmt: skip
        for axis in row[len(panels) :]:
            axis.set_axis_off()
        row[0].set_title(title, loc="left", fontsize=9)
        row[0].set_yticks(positions, [f"{hz:g}" for hz in TICKS_HZ], fontsize=7)
        row[0].set_ylabel("Hz", fontsize=7)
    for axis in axes[-1]:
        axis.set_xlabel("s", fontsize=7)
        axis.tick_params(labelsize=7)
    if image is not None:
        beside = axis_beside(figure, size[0] - SHEET.right + 0.12, SHEET)
        figure.colorbar(image, cax=beside, label=front_end.unit)
    return figure_png(figure)


@singledispatch
def sample_sounds(input_spec: Input, inputs: np.ndarray) -> np.ndarray:
    """Return waveforms (N, samples) of inputs (N, ...), by few iterations of Griffin-Lim."""
    return make_sounds(input_spec, inputs, GRIFFIN_LIM_ITERATIONS)


@sample_sounds.register
def _of_waveforms(input_spec: WaveformInput, inputs: np.ndarray) -> np.ndarray:
    return inputs  # unchanged, so that clipping is audible


def strip(waveforms: np.ndarray, sample_rate: int) -> bytes:
    """Return waveforms (N, samples) as one FLAC, with pauses between them."""
    pause = np.zeros(round(PAUSE_SECONDS * sample_rate), dtype=np.float32)
    joined = np.concatenate([part for waveform in waveforms for part in (waveform, pause)])
    return encode_flac(joined[: -pause.size], sample_rate)


def input_sheet(rows: dict[str, np.ndarray], input_spec: Input) -> bytes:
    """Draw inputs (N, ...) of one type, a row for each entry, as a PNG."""
    displayed = display_spec(input_spec)
    rows = {title: display_inputs(input_spec, inputs) for title, inputs in rows.items()}
    return sample_sheet(rows, displayed) if isinstance(displayed, FrontEnd) else picture_sheet(rows)


def picture_sheet(rows: dict[str, np.ndarray]) -> bytes:
    """Draw pictures (N, C, H, W) in 0..1, a row for each entry from the top, as a PNG."""
    stripes = [_row(pictures) for pictures in rows.values()]
    width = max(row.shape[1] for row in stripes)
    padded = [np.pad(row, ((0, GAP), (0, width - row.shape[1]), (0, 0))) for row in stripes]
    return png_bytes(np.concatenate(padded)[:-GAP])


def screen_pixels(picture: np.ndarray) -> np.ndarray:
    """Return a picture (C, H, W) in 0..1 as (H', W', 3), uint8, magnified by an integer factor."""
    channels = np.repeat(picture, 3, axis=0) if len(picture) == 1 else picture
    values = np.round(np.clip(np.nan_to_num(channels), 0, 1) * 255).astype(np.uint8)
    times = max(SIDE // max(values.shape[1:]), 1)
    return values.transpose(1, 2, 0).repeat(times, axis=0).repeat(times, axis=1)


def _row(pictures: np.ndarray) -> np.ndarray:
    gap = ((0, 0), (0, GAP), (0, 0))
    return np.concatenate([np.pad(screen_pixels(p), gap) for p in pictures], axis=1)[:, :-GAP]
