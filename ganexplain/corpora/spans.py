"""Converts probabilities of frames and levels of sounds to spans in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ganexplain.corpora.recordings import Segment

BLOCK_SECONDS = 0.02


@dataclass(frozen=True)
class Prediction:
    """The prediction of a classifier for one recording.

    `curve` (T, K) contains the smoothed class probabilities of frames centred at `times` (T,) in
    seconds; `segments` cover the recording with numbers of `classes`. `threshold` is that of the
    second of two classes.
    """

    times: np.ndarray
    curve: np.ndarray
    segments: tuple[Segment, ...]
    classes: tuple[str, ...]
    threshold: float

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return self.segments[-1].end

    def shares(self) -> dict[str, float]:
        """The share of time (0..1) of each class; the shares add up to 1."""
        spent = dict.fromkeys(self.classes, 0.0)
        for segment in self.segments:
            spent[self.classes[segment.label]] += segment.end - segment.start
        return {name: seconds / self.seconds for name, seconds in spent.items()}


def decide(curve: np.ndarray, threshold: float) -> np.ndarray:
    """Class number of each frame (T,) from probabilities (T, K).

    It is the most probable class; for two classes it is the second one above the threshold.
    """
    if curve.shape[1] == 2:
        return (curve[:, 1] > threshold).astype(np.int64)
    return curve.argmax(axis=1)


def to_segments(decisions: np.ndarray, times: np.ndarray, duration: float) -> tuple[Segment, ...]:
    """Contiguous spans of equal decisions, from 0 to `duration` seconds.

    `decisions` (T,) are those of frames centred at increasing `times` (T,) in seconds, the last
    before `duration`. A span ends half-way between the last frame of one class and the first of
    the next.
    """
    changes = np.flatnonzero(np.diff(decisions)) + 1
    inner = (times[changes - 1] + times[changes]) / 2
    edges = [0.0, *map(float, inner), float(duration)]
    labels = decisions[np.concatenate([[0], changes])]
    return tuple(
        Segment(start, end, int(label))
        for (start, end), label in zip(pairwise(edges), labels, strict=True)
    )


def lab_text(segments: Sequence[Segment], classes: Sequence[str]) -> str:
    """Segments as lines `start end label`, in seconds, the format of the Jamendo corpus."""
    names = [" ".join(name.split()) for name in classes]  # a line break would end the entry
    return "".join(f"{s.start:.3f} {s.end:.3f} {names[s.label]}\n" for s in segments)


def block_levels(sound: np.ndarray, sample_rate: int) -> np.ndarray:
    """RMS over all channels of each 20 ms of a sound (samples,) or (samples, channels).

    It is not the RMS of the channels' mean, in which they may cancel.
    """
    block = round(BLOCK_SECONDS * sample_rate)
    count = -(-len(sound) // block)
    outside = [(0, count * block - len(sound)), *[(0, 0)] * (sound.ndim - 1)]
    blocks = np.pad(sound, outside).reshape(count, -1)
    return np.sqrt(np.mean(np.square(blocks, dtype=np.float64), axis=1))


def active_spans(
    sound: np.ndarray,
    sample_rate: int,
    threshold_db: float,
    join_gaps: float,
    shortest: float,
    least: float = 0.0,
) -> list[tuple[float, float]]:
    """Spans (start s, end s) in which a sound (samples,) or (samples, channels) is active.

    A block of 20 ms is active if its RMS is above `least`, and above `threshold_db` (dB, negative)
    relative to the loudest block. Pauses up to `join_gaps` s are bridged, then spans shorter than
    `shortest` s are removed.
    """
    block = round(BLOCK_SECONDS * sample_rate)
    level = block_levels(sound, sample_rate)
    active = level > max(level.max(initial=0.0) * 10 ** (threshold_db / 20), least)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], active.astype(np.int8), [0]])))
    spans = (edges.reshape(-1, 2) * block / sample_rate).tolist()
    joined: list[list[float]] = []
    for start, end in spans:
        if joined and start - joined[-1][1] <= join_gaps + 1e-9:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [(start, end) for start, end in joined if end - start >= shortest]
