"""Splits of waveform excerpts, for networks with waveform input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.corpora.cache import cached_waveform
from ganexplain.corpora.recordings import Corpus, Recording
from ganexplain.corpora.splits import read_recordings
from ganexplain.errors import GanexplainError
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.runs.progress import Progress

FRAME_RATE = 70  # largest number of excerpts per second, the frame rate of the default log-mel
CHUNK = 2**20  # samples that are read into memory at once


@dataclass(frozen=True)
class WaveformSplit:
    """The recordings of one split, with `waveforms[i]` (samples,) of `recordings[i]`.

    It has the interface `AnySplit`; a centre is the first sample of an excerpt.
    """

    recordings: tuple[Recording, ...]
    waveforms: tuple[np.ndarray, ...]
    front_end: WaveformInput

    def whole_excerpts(self, hop_frames: int = 1) -> np.ndarray:
        """First samples (M, 2) of excerpts inside their recording: recording, sample.

        There is one every `hop_frames` of 1/70 s. A recording shorter than an excerpt has one,
        followed by silence.
        """
        hop = hop_frames * max(self.front_end.sample_rate // FRAME_RATE, 1)
        rows = []
        for i, waveform in enumerate(self.waveforms):
            last = max(len(waveform) - self.front_end.samples, 0)
            first = np.arange(0, last + 1, hop)
            rows.append(np.stack([np.full(first.size, i), first], axis=1))
        return np.concatenate(rows)

    def gather(self, centres: np.ndarray) -> np.ndarray:
        """Waveforms (N, W), float32, from first samples `centres` (N, 2+) on."""
        length = self.front_end.samples
        excerpts = np.zeros((len(centres), length), dtype=np.float32)
        for excerpt, (i, first) in zip(excerpts, centres[:, :2], strict=True):
            part = self.waveforms[i][first : first + length]
            excerpt[: len(part)] = part
        return excerpts

    def band_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Zero as the mean (1,), and the root mean square (1,) over all samples."""
        squares = sum(
            float(np.square(waveform[start : start + CHUNK], dtype=np.float64).sum())
            for waveform in self.waveforms
            for start in range(0, len(waveform), CHUNK)
        )
        level = np.sqrt(squares / sum(map(len, self.waveforms)))
        if not level > 1e-6:
            raise GanexplainError("the training recordings are silent; list others")
        return np.zeros(1, np.float32), np.full(1, level, np.float32)

    def whole_files(self) -> tuple[np.ndarray, ...]:
        """The recordings (samples,)."""
        return self.waveforms

    def excerpt_sources(self, centres: np.ndarray) -> dict[str, np.ndarray]:
        """The names of recordings, and where in them excerpts begin, in seconds."""
        names = [self.recordings[i].path.name for i in centres[:, 0]]
        return {"file": np.array(names), "start_s": centres[:, 1] / self.front_end.sample_rate}

    def excerpt_audio(self, centres: np.ndarray) -> None:
        """Excerpts are their own sound."""


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

    found = read_recordings(corpus, name, sound, progress, skip_bad_files, "waveforms")
    return WaveformSplit(*found, input_spec)
