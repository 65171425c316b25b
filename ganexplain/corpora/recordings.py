"""Corpora of recordings with their splits and labels.

There are two layouts: a folder like that of the Jamendo singing-voice set (`jamendo`), and a CSV
manifest for any number of classes (`manifest`).
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np

from ganexplain.audio.io import read_duration
from ganexplain.audio.log_mel import frame_times
from ganexplain.errors import BadFile, GanexplainError, skipping_bad_file
from ganexplain.inputs.log_mel import FrontEnd

SPLITS = ("train", "valid", "test")
OVERLAP_TOLERANCE = 0.02  # s, as times in labels are rounded
LABEL_TOLERANCE = 0.5  # s by which decoders disagree about the end of an MP3
UNLABELLED = -1
PACKED = struct.Struct("<ddi")  # start, end and label of a segment


@dataclass(frozen=True, slots=True)
class Segment:
    """One label: from `start` to `end` seconds the recording is of class number `label`."""

    start: float
    end: float
    label: int


class Segments(Sequence[Segment]):
    """The labels of a recording like a tuple of them, in a sixth of its memory."""

    __slots__ = ("_packed",)

    def __init__(self, segments: Iterable[Segment]) -> None:
        self._packed = b"".join(PACKED.pack(s.start, s.end, s.label) for s in segments)

    def __len__(self) -> int:
        return len(self._packed) // PACKED.size

    def __iter__(self) -> Iterator[Segment]:
        return (Segment(*values) for values in PACKED.iter_unpack(self._packed))

    @overload
    def __getitem__(self, index: int) -> Segment: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Segment, ...]: ...

    def __getitem__(self, index: int | slice) -> Segment | tuple[Segment, ...]:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Segments | tuple) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound file, its split and its labels; `kind` is what music it is, empty where not said.

    Where its labels say several kinds, `kind_fault` is the error of what uses kinds.
    """

    path: Path
    split: str
    segments: Sequence[Segment]
    labelled_in: Path  # the file with its labels
    kind: str = ""
    kind_fault: str = ""

    def frame_labels(self, frames: int, front_end: FrontEnd) -> np.ndarray:
        """Class number of each frame (T,), int16, at the frame's centre; -1 if unlabelled."""
        times = frame_times(frames, front_end)
        labels = np.full(frames, UNLABELLED, dtype=np.int16)
        for segment in self.segments:
            labels[(times >= segment.start) & (times < segment.end)] = segment.label
        return labels


@dataclass(frozen=True)
class Corpus:
    """Recordings and the names of their classes; of two classes the second is the positive one.

    `name` is for messages, `skipped` has the errors of recordings left out.
    """

    name: str
    classes: tuple[str, ...]
    recordings: tuple[Recording, ...]
    skipped: tuple[str, ...] = ()

    has_sound = True

    def only(self, recordings: Sequence[Recording]) -> Corpus:
        """The same corpus with some of its recordings."""
        return replace(self, recordings=tuple(recordings))

    def default_input(self) -> FrontEnd:
        """The usual log-mel."""
        return FrontEnd()

    def split(self, name: str) -> list[Recording]:
        """The recordings of one split, in the order of the list."""
        return [recording for recording in self.recordings if recording.split == name]

    def labels_in(self, split: str) -> set[int]:
        """The numbers of the classes of which there are labels in a split."""
        return {label.label for each in self.split(split) for label in each.segments}


def check_kinds(recordings: Iterable[object]) -> None:
    """Raise BadFile for a recording whose labels say several kinds; pictures have none."""
    for recording in recordings:
        if isinstance(recording, Recording) and recording.kind_fault:
            raise BadFile(recording.kind_fault)


def collect_recordings(
    tasks: Sequence[Callable[[], Recording]], skip_bad_files: bool
) -> tuple[list[Recording], list[str]]:
    """The recordings that tasks return, and the errors of those that `skip_bad_files` skips."""
    recordings: list[Recording] = []
    skipped: list[str] = []
    for task in tasks:
        with skipping_bad_file(skip_bad_files, skipped.append):
            recordings.append(task())
    return recordings, skipped


def build_corpus(
    name: Path | str, classes: tuple[str, ...], recordings: list[Recording], skipped: list[str]
) -> Corpus:
    """A corpus; GanexplainError if it is empty or contains a recording twice."""
    seen: dict[str, str] = {}
    for recording in recordings:
        earlier = seen.setdefault(os.path.realpath(recording.path), recording.split)
        if earlier != recording.split:
            raise GanexplainError(
                f"{name}: {recording.path.name} is in two splits, {earlier} and "
                f"{recording.split}; leave it in one"
            )
    if len(seen) < len(recordings):
        counts = Counter(os.path.realpath(recording.path) for recording in recordings)
        twice = counts.most_common(1)[0][0]
        raise GanexplainError(f"{name}: {Path(twice).name} is listed twice; leave one")
    if not recordings:
        reason = "the corpus is empty; add recordings to its lists"
        if skipped:
            reason = f"none of {len(skipped)} recordings can be used, the first: {skipped[0]}"
        raise GanexplainError(f"{name}: {reason}")
    return Corpus(str(name), classes, tuple(recordings), tuple(skipped))


def check_contradictions(
    labels: Path, segments: Mapping[str, Segment], classes: tuple[str, ...]
) -> None:
    """Raise BadFile if two labels (by their lines) overlap and have different classes."""
    ordered = sorted(segments.items(), key=lambda item: item[1].start)
    reach = ordered[:1]  # for each class the label with the latest end so far
    for line, segment in ordered[1:]:
        for earlier_line, earlier in reach:
            overlap = min(earlier.end, segment.end) - segment.start
            if earlier.label != segment.label and overlap > OVERLAP_TOLERANCE:
                raise BadFile(
                    f"{labels}, {earlier_line} and {line}: from {segment.start:g} s on the labels "
                    f"are {classes[earlier.label]} and {classes[segment.label]}; correct one"
                )
        same = [entry for entry in reach if entry[1].label == segment.label]
        if not same or segment.end > same[0][1].end:
            reach = [entry for entry in reach if entry not in same] + [(line, segment)]


def usable_duration(audio: Path) -> float:
    """Length of a recording in seconds; BadFile if it has no samples."""
    duration = read_duration(audio)
    if not duration > 0:
        raise BadFile(f"{audio}: contains no samples; replace it or leave it out")
    return duration


def label_span(where: str, start_text: str, end_text: str, duration: float) -> tuple[float, float]:
    """Start and end (s) of a label, which are those of the recording for empty texts.

    Raises BadFile if they are not two times of the recording.
    """
    try:
        start = float(start_text) if start_text else 0.0
        end = float(end_text) if end_text else duration
    except ValueError:
        raise BadFile(
            f"{where}: {start_text!r}, {end_text!r} are not two times in seconds"
        ) from None
    if not 0 <= start < end:
        raise BadFile(f"{where}: {start:g} to {end:g} s is not a span; start must come before end")
    if end > duration + LABEL_TOLERANCE:
        raise BadFile(
            f"{where}: the label ends at {end:g} s, the recording at {duration:.3f} s; correct one"
        )
    return start, end
