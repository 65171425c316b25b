"""Corpora on disk: which recordings there are, their split, and who sounds when.

Two layouts: a folder as the Jamendo singing-voice set has it, and a CSV manifest for any
number of classes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.audio.io import duration_of
from ganexplain.audio.log_mel import frame_times
from ganexplain.corpora.listed_files import file_inside, in_form_on_disk, label_text
from ganexplain.corpora.manifest import ManifestRow, manifest_rows
from ganexplain.errors import BadFile, GanexplainError, UsageError, did_you_mean
from ganexplain.files.bounded import lines_of
from ganexplain.inputs.kinds import FrontEnd

SPLITS = ("train", "valid", "test")
JAMENDO_CLASSES = ("nosing", "sing")
OVERLAP_TOLERANCE = 0.02  # s, of times rounded
LABEL_TOLERANCE = 0.5  # decoders disagree by this much on where an MP3 ends (s)
UNLABELLED = -1


@dataclass(frozen=True)
class Segment:
    """One label: from `start` to `end` seconds the recording is of class number `label`."""

    start: float
    end: float
    label: int


@dataclass(frozen=True)
class Recording:
    """A sound file, its split and its labels."""

    path: Path
    split: str
    segments: tuple[Segment, ...]
    labelled_in: Path  # the file its labels stand in

    def frame_labels(self, frames: int, front_end: FrontEnd) -> np.ndarray:
        """Class number of each frame (T,), int16, by the frame's centre; -1 where unlabelled."""
        times = frame_times(frames, front_end)
        labels = np.full(frames, UNLABELLED, dtype=np.int16)
        for segment in self.segments:
            labels[(times >= segment.start) & (times < segment.end)] = segment.label
        return labels


@dataclass(frozen=True)
class Corpus:
    """Recordings and the names of their classes; for two classes the second is the positive one.

    `name` tells errors where it came from.
    """

    name: str
    classes: tuple[str, ...]
    recordings: tuple[Recording, ...]
    skipped: tuple[str, ...] = ()

    def split(self, name: str) -> list[Recording]:
        """The recordings of one split, in the order of the list."""
        return [recording for recording in self.recordings if recording.split == name]


def read_corpus(path: Path, skip_bad_files: bool = False) -> Corpus:
    """Read a corpus folder (Jamendo layout) or a CSV manifest.

    Raises UsageError where there is none, GanexplainError for a list that does not hold
    together, BadFile for a recording or label file that cannot be used (unless
    `skip_bad_files`, which lists it in `skipped`).
    """
    if path.is_dir():
        return _read_jamendo(path, skip_bad_files)
    if path.is_file():
        return _read_manifest(path, skip_bad_files)
    raise UsageError(
        f"{path}: no such corpus; name a folder with audio/, labels/ and filelists/, "
        "or a CSV manifest"
    )


def read_corpora(paths: Sequence[str], skip_bad_files: bool = False) -> Corpus:
    """Read several corpora of the same classes as one; errors as `read_corpus`."""
    parts = [read_corpus(Path(path), skip_bad_files) for path in paths]
    classes = parts[0].classes
    for part in parts:
        if part.classes != classes:
            raise GanexplainError(
                f"{part.name}: its classes are {', '.join(part.classes)}, those of "
                f"{parts[0].name} {', '.join(classes)}; use the same names"
            )
    recordings = [recording for part in parts for recording in part.recordings]
    skipped = [message for part in parts for message in part.skipped]
    return _finish(" + ".join(part.name for part in parts), classes, recordings, skipped)


def _collect(
    tasks: Sequence[Callable[[], Recording]], skip_bad_files: bool
) -> tuple[list[Recording], list[str]]:
    recordings, skipped = [], []
    for task in tasks:
        try:
            recordings.append(task())
        except BadFile as error:
            if not skip_bad_files:
                error.one_of_many = True
                raise
            skipped.append(str(error))
    return recordings, skipped


def _finish(
    name: Path | str, classes: tuple[str, ...], recordings: list[Recording], skipped: list[str]
) -> Corpus:
    seen: dict[Path, str] = {}
    for recording in recordings:
        earlier = seen.setdefault(recording.path.resolve(), recording.split)
        if earlier != recording.split:
            raise GanexplainError(
                f"{name}: {recording.path.name} is in two splits, {earlier} and "
                f"{recording.split}; leave it in one"
            )
    if len(seen) < len(recordings):
        counts = Counter(recording.path.resolve() for recording in recordings)
        twice = counts.most_common(1)[0][0]
        raise GanexplainError(f"{name}: {twice.name} is listed twice; leave one")
    if not recordings:
        reason = (
            f"none of {len(skipped)} recordings can be used, the first: {skipped[0]}"
            if (skipped)
            else "the corpus is empty; add recordings to its lists"
        )
        raise GanexplainError(f"{name}: {reason}")
    return Corpus(str(name), classes, tuple(recordings), tuple(skipped))


def _check_contradictions(
    labels: Path, segments: Mapping[str, Segment], classes: tuple[str, ...]
) -> None:
    """BadFile where two labels, by their lines, give one moment two classes."""
    ordered = sorted(segments.items(), key=lambda item: item[1].start)
    reach = ordered[:1]  # of each class the label that reaches furthest so far
    for line, segment in ordered[1:]:
        for earlier_line, earlier in reach:
            overlap = min(earlier.end, segment.end) - segment.start
            if earlier.label != segment.label and overlap > OVERLAP_TOLERANCE:
                raise BadFile(
                    f"{labels}, {earlier_line} and {line}: from {segment.start:g} s on they say "
                    f"{classes[earlier.label]} and {classes[segment.label]}; correct one"
                )
        same = [entry for entry in reach if entry[1].label == segment.label]
        if not same or segment.end > same[0][1].end:
            reach = [entry for entry in reach if entry not in same] + [(line, segment)]


# --- Jamendo layout -----------------------------------------------------------------------


def _read_jamendo(root: Path, skip_bad_files: bool) -> Corpus:
    for folder in ("audio", "labels", "filelists"):
        if not (root / folder).is_dir():
            raise UsageError(
                f"{root}: no folder {folder}/; the layout is audio/, labels/ and filelists/"
            )
    tasks = []
    for split in SPLITS:
        listing = root / "filelists" / split
        if not listing.is_file():
            if split == "test":
                continue
            raise UsageError(f"{listing}: no such list; write one file name a line")
        for number, line in enumerate(lines_of(label_text(listing)), 1):
            if name := line.strip(" \t"):
                tasks.append(lambda n=name, s=split, k=number: _jamendo_recording(root, n, s, k))
    recordings, skipped = _collect(tasks, skip_bad_files)
    return _finish(root, JAMENDO_CLASSES, recordings, skipped)


def _jamendo_recording(root: Path, name: str, split: str, number: int) -> Recording:
    audio = file_inside(root / "audio", name, f"{root / 'filelists' / split}, line {number}")
    duration = _sounding_duration(audio)
    labels = in_form_on_disk(root / "labels", str(Path(name).with_suffix(".lab")))
    if not labels.is_file():
        raise BadFile(f"{labels}: no such file; every recording in a list needs its labels")
    numbered = [(k, line) for k, line in enumerate(lines_of(label_text(labels)), 1) if line.strip()]
    if not numbered:
        raise BadFile(f"{labels}: holds no labels; write lines `start end sing|nosing`")
    segments = {f"line {k}": _jamendo_segment(labels, k, line, duration) for k, line in numbered}
    _check_contradictions(labels, segments, JAMENDO_CLASSES)
    return Recording(audio, split, tuple(segments.values()), labels)


def _sounding_duration(audio: Path) -> float:
    duration = duration_of(audio)
    if not duration > 0:
        raise BadFile(f"{audio}: holds no samples; replace it or leave it out")
    return duration


def _jamendo_segment(labels: Path, number: int, line: str, duration: float) -> Segment:
    fields = line.split()
    where = f"{labels}, line {number}"
    if len(fields) != 3:
        raise BadFile(f"{where}: {line.strip()!r} is not `start end sing|nosing`")
    start, end = _times(where, fields[0], fields[1], duration)
    if fields[2] not in JAMENDO_CLASSES:
        hint = did_you_mean(fields[2], JAMENDO_CLASSES)
        raise BadFile(f"{where}: label {fields[2]!r} is neither sing nor nosing{hint}")
    return Segment(start, end, JAMENDO_CLASSES.index(fields[2]))


def _times(where: str, start_text: str, end_text: str, duration: float) -> tuple[float, float]:
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


# --- CSV manifest -------------------------------------------------------------------------


def _read_manifest(path: Path, skip_bad_files: bool) -> Corpus:
    rows = manifest_rows(path)
    classes = tuple(sorted({row.label for row in rows}))
    if len(classes) < 2:
        raise GanexplainError(f"{path}: all rows have one label, {classes}; two or more are needed")
    by_file: dict[tuple[str, str], list[ManifestRow]] = defaultdict(list)
    for row in rows:
        if row.split not in SPLITS:
            raise GanexplainError(
                f"{row.where}: split {row.split!r} is not train, valid or test"
                f"{did_you_mean(row.split, SPLITS)}"
            )
        by_file[row.path, row.split].append(row)
    tasks = [
        lambda rows=rows: _manifest_recording(path, rows, classes) for rows in by_file.values()
    ]
    recordings, skipped = _collect(tasks, skip_bad_files)
    return _finish(path, classes, recordings, skipped)


def _manifest_recording(
    manifest: Path, rows: Sequence[ManifestRow], classes: tuple[str, ...]
) -> Recording:
    audio = file_inside(manifest.parent, rows[0].path, rows[0].where)
    duration = _sounding_duration(audio)
    segments = {}
    for row in rows:
        start, end = _times(row.where, row.start, row.end, duration)
        line = row.where.removeprefix(f"{manifest}, ")
        segments[line] = Segment(start, end, classes.index(row.label))
    _check_contradictions(manifest, segments, classes)
    return Recording(audio, rows[0].split, tuple(segments.values()), manifest)
