"""Excerpts of a split as waveforms, for networks that take sound as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.corpora.cache import cached_waveform
from ganexplain.corpora.recordings import Corpus, Recording
from ganexplain.corpora.splits import readable
from ganexplain.errors import GanexplainError
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.runs.progress import Progress

FRAME_RATE = 70  # excerpts a second begin, at most: as many as frames of the usual log-mel
CHUNK = 2**20


@dataclass(frozen=True)
class WaveformSplit:
    """The recordings of one split as sound, `waveforms[i]` (samples,) that of `recordings[i]`.

    What it offers is what `data.excerpts.Split` does; a centre is an excerpt's first sample.
    """

    recordings: tuple[Recording, ...]
    waveforms: tuple[np.ndarray, ...]
    front_end: WaveformInput

    def whole_excerpts(self, hop_frames: int = 1) -> np.ndarray:
        """First samples (M, 2) of excerpts inside their recording: recording, sample.

        One every `hop_frames` of 1/70 s. A recording shorter than an excerpt gives one, with
        silence behind it.
        """
        hop = hop_frames * max(self.front_end.sample_rate // FRAME_RATE, 1)
        rows = []
        for i, waveform in enumerate(self.waveforms):
            last = max(len(waveform) - self.front_end.samples, 0)
            first = np.arange(0, last + 1, hop)
            rows.append(np.stack([np.full(first.size, i), first], axis=1))
        return np.concatenate(rows)

    def gather(self, centres: np.ndarray) -> np.ndarray:
        """Waveforms (N, W) float32 from first samples (N, 2+) on."""
        length = self.front_end.samples
        excerpts = np.zeros((len(centres), length), dtype=np.float32)
        for excerpt, (i, first) in zip(excerpts, centres[:, :2], strict=True):
            part = self.waveforms[i][first : first + length]
            excerpt[: len(part)] = part
        return excerpts

    def band_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean, taken for zero, and root mean square (1,) over all samples."""
        squares = sum(
            float(np.square(waveform[start : start + CHUNK], dtype=np.float64).sum())
            for waveform in self.waveforms
            for start in range(0, len(waveform), CHUNK)
        )
        level = np.sqrt(squares / sum(map(len, self.waveforms)))
        if not level > 1e-6:
            raise GanexplainError("the training recordings are silent; list others")
        return np.zeros(1, np.float32), np.full(1, level, np.float32)


def load_waveform_split(
    corpus: Corpus,
    name: str,
    input_spec: WaveformInput,
    cache: Path,
    progress: Progress,
    skip_bad_files: bool = False,
) -> WaveformSplit:
    """The sound of all recordings of a split, or of several; errors as `load_split`."""

    def sound(recording: Recording) -> np.ndarray:
        return cached_waveform(recording.path, input_spec.sample_rate, cache)

    found = readable(corpus, name, sound, progress, skip_bad_files, "waveforms")
    return WaveformSplit(*found, input_spec)
