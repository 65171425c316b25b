"""What in the sound of an excerpt causes a decision: bands and spans, removed in the sound itself.

The short-time spectrum is attenuated, and every sound that is reported was written to a file, read
and resampled (`audio/round_trip.py`). No gradient is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ganexplain.attribution.segments import grid
from ganexplain.attribution.smallest_removal import smallest_removal
from ganexplain.audio.display import display_front_end
from ganexplain.audio.filterbank import mel_frequencies
from ganexplain.audio.log_mel import frame_times
from ganexplain.audio.round_trip import as_heard
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.bridges.gains import Gains
from ganexplain.runs.machine import random_stream

REMOVED_DB = 80.0  # attenuation of what is removed
STEP_DB = 0.5  # of the weakest attenuation that is found
BATCH = 16
ELSEWHERE = 16  # random places, at most, where an area of the same shape is removed

Ranges = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Segmentation:
    """The bands and spans of excerpts: labels (F,) of bands and (T,) of frames of `view`."""

    view: FrontEnd
    band_of: np.ndarray
    span_of: np.ndarray

    @classmethod
    def of(cls, sound: WaveformInput, spans: int, bands: int) -> Segmentation:
        """So many spans and bands of about equal size; UsageError for more than there are."""
        view = replace(display_front_end(sound), highest_hz=sound.sample_rate / 2)
        labels = grid(view.mel_bands, view.excerpt_frames, bands, spans)
        return cls(view, labels[:, 0], labels[0] // bands)

    @property
    def bands(self) -> int:
        """How many bands there are."""
        return int(self.band_of[-1]) + 1

    @property
    def spans(self) -> int:
        """How many spans there are."""
        return int(self.span_of[-1]) + 1

    def cells(self, bands: np.ndarray, spans: np.ndarray) -> np.ndarray:
        """Whether each cell (..., F, T) is in one of the bands (..., B) and spans (..., S)."""
        return bands[..., self.band_of, None] & spans[..., None, self.span_of]

    def hertz(self, bands: np.ndarray) -> Ranges:
        """The ranges of bands (B,) in whole Hz; the outermost reach to 0 and to half the rate."""
        peaks = mel_frequencies(self.view)[1:-1]
        half = self.view.sample_rate / 2
        return _ranges(bands, _edges(peaks, self.band_of, half), 0)

    def seconds(self, spans: np.ndarray, length: float) -> Ranges:
        """The ranges of spans (S,) in seconds from the start of an excerpt of that length."""
        times = frame_times(self.view.excerpt_frames, self.view)
        return _ranges(spans, _edges(times, self.span_of, length), 2)


def _edges(centres: np.ndarray, labels: np.ndarray, end: float) -> np.ndarray:
    """Edges (n + 1,) of n labelled ranges of centres, half-way between them, from 0 to `end`."""
    last = np.flatnonzero(np.diff(labels))
    return np.concatenate([[0.0], (centres[last] + centres[last + 1]) / 2, [end]])


def _ranges(chosen: np.ndarray, edges: np.ndarray, decimals: int) -> Ranges:
    """The ranges of the chosen (n,) between n + 1 edges; neighbours are one range."""
    padded = np.concatenate([[False], chosen, [False]])
    changes = np.flatnonzero(np.diff(padded.astype(np.int8)))
    return tuple(
        (round(float(edges[a]), decimals), round(float(edges[b]), decimals))
        for a, b in pairwise(changes)
        if padded[a + 1]
    )


@dataclass(frozen=True)
class Cause:
    """The bands (B,) and spans (S,) whose removal changes a decision; none if nothing does.

    `weights` (B,) are those of all bands. `attenuation_db` is the smallest attenuation of the cause
    that changes the decision, None if none does. `elsewhere` is the share of other places where the
    removal of an area of the same shape changes the decision, too; None if there are none.
    """

    bands: np.ndarray
    spans: np.ndarray
    weights: np.ndarray
    attenuation_db: float | None
    elsewhere: float | None


@dataclass(frozen=True)
class CauseSounds:
    """Waveforms (W,) of an excerpt, without its cause, of the cause alone and softer, as heard."""

    whole: np.ndarray
    removed: np.ndarray
    alone: np.ndarray
    softer: np.ndarray


@dataclass(frozen=True)
class CauseFinder:
    """Finds causes by the margins (N,) of waveforms (N, W), which are above zero for a decision."""

    margins: Callable[[np.ndarray], np.ndarray]
    sound: WaveformInput
    segments: Segmentation
    seed: int = 0

    def find(self, waveform: np.ndarray) -> Cause:
        """The cause in a waveform (W,): first the bands, then the spans in which they matter."""
        gains, own = Gains(waveform, self.segments.view), self.segments
        always = np.ones(own.spans, dtype=bool)
        in_bands = smallest_removal(
            lambda removed: self._without(gains, own.cells(removed, always)), own.bands
        )
        bands = in_bands.removed
        in_spans = smallest_removal(
            lambda removed: self._without(gains, own.cells(bands, removed)), own.spans
        )
        cells = own.cells(bands, in_spans.removed)
        found = cells.any()
        return Cause(
            bands, in_spans.removed, in_bands.weights,
            self._weakest(gains, cells) if found else None,
            self._elsewhere(gains, cells) if found else None,
        )  # fmt: skip

    def sounds(
        self, waveform: np.ndarray, bands: np.ndarray, spans: np.ndarray, by: float | None
    ) -> CauseSounds:
        """The sounds of a cause in a waveform (W,), which is softer by so many dB in the last."""
        gains, cells = Gains(waveform, self.segments.view), self.segments.cells(bands, spans)
        attenuations = (0.0 * cells, REMOVED_DB * cells, REMOVED_DB * ~cells, (by or 0.0) * cells)
        return CauseSounds(*(self._heard(gains, each) for each in attenuations))

    def _elsewhere(self, gains: Gains, cells: np.ndarray) -> float | None:
        """The share of places beside cells (F, T) without which the decision changes."""
        shifts = disjoint_shifts(cells)
        if not len(shifts):
            return None
        stream = random_stream(self.seed, "removal elsewhere")
        chosen = stream.choice(shifts, min(ELSEWHERE, len(shifts)), replace=False)
        moved = np.stack([np.roll(cells, shift, (0, 1)) for shift in chosen])
        return float((self._without(gains, moved) <= 0).mean())

    def _weakest(self, gains: Gains, cells: np.ndarray) -> float | None:
        """The smallest attenuation in dB of cells (F, T) with which it is heard otherwise."""

        def changes(steps: int) -> bool:
            heard = self._heard(gains, STEP_DB * steps * cells)
            return bool(self.margins(heard[None])[0] <= 0)

        low, high = 0, round(REMOVED_DB / STEP_DB)
        if not changes(high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if changes(middle) else (middle, high)
        return STEP_DB * high

    def _without(self, gains: Gains, cells: np.ndarray) -> np.ndarray:
        """Margins (N,) without cells (N, F, T)."""
        parts = (cells[k : k + BATCH] for k in range(0, len(cells), BATCH))
        return np.concatenate([self.margins(_softer(gains, REMOVED_DB * part)) for part in parts])

    def _heard(self, gains: Gains, by: np.ndarray) -> np.ndarray:
        """The waveform (W,) softer by (F, T) dB, as heard."""
        return as_heard(_softer(gains, by[None])[0], self.sound.sample_rate)


def disjoint_shifts(cells: np.ndarray) -> np.ndarray:
    """The cyclic shifts (N, 2) of cells (F, T), bool, after which none of them is where one was."""
    spectrum = np.fft.rfft2(cells)
    common = np.fft.irfft2(np.abs(spectrum) ** 2, s=cells.shape)  # cells, for each shift
    return np.argwhere(common < 0.5)


@torch.no_grad()
def _softer(gains: Gains, by: np.ndarray) -> np.ndarray:
    """Waveforms (N, W) softer by (N, F, T) dB."""
    changed: Tensor = gains(torch.from_numpy(-by).float())
    found: np.ndarray = changed.numpy()
    return found
