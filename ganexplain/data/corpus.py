"""Corpora on disk: which recordings there are, their split, and who sounds when.

Two layouts: a folder as the Jamendo singing-voice set has it, and a CSV manifest for any
number of classes.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.config import FrontEnd
from ganexplain.data.audio import duration_of
from ganexplain.data.frontend import frame_times
from ganexplain.errors import BadFile, GanexplainError, UsageError, did_you_mean
from ganexplain.texts import read_text

SPLITS = ("train", "valid", "test")
JAMENDO_CLASSES = ("nosing", "sing")
MANIFEST_COLUMNS = ("path", "start", "end", "label", "split")
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
        for number, line in enumerate(label_text(listing).splitlines(), 1):
            if name := line.strip():
                tasks.append(lambda n=name, s=split, k=number: _jamendo_recording(root, n, s, k))
    recordings, skipped = _collect(tasks, skip_bad_files)
    return _finish(root, JAMENDO_CLASSES, recordings, skipped)


def label_text(path: Path) -> str:
    """A list or a file of labels; BadFile where it cannot be read."""
    try:
        return read_text(path)
    except (OSError, ValueError) as error:
        raise BadFile(
            f"{path}: cannot be read as text ({error}); write it again in UTF-8"
        ) from error


def _jamendo_recording(root: Path, name: str, split: str, number: int) -> Recording:
    audio = _inside(root / "audio", name, f"{root / 'filelists' / split}, line {number}")
    duration = _sounding_duration(audio)
    labels = (root / "labels" / name).with_suffix(".lab")
    if not labels.is_file():
        raise BadFile(f"{labels}: no such file; every recording in a list needs its labels")
    segments = []
    for number, line in enumerate(label_text(labels).splitlines(), 1):
        if line.strip():
            segments.append(_jamendo_segment(labels, number, line, duration))
    if not segments:
        raise BadFile(f"{labels}: holds no labels; write lines `start end sing|nosing`")
    return Recording(audio, split, tuple(segments), labels)


def _sounding_duration(audio: Path) -> float:
    duration = duration_of(audio)
    if not duration > 0:
        raise BadFile(f"{audio}: holds no samples; replace it or leave it out")
    return duration


def _inside(folder: Path, name: str, where: str) -> Path:
    if "\0" in name:  # where C ends a name, and another file would be opened
        raise BadFile(f"{where}: {name!r} is no file name; correct it")
    path = Path(os.path.normpath(folder / name))  # links may lead out, names may not
    if not path.is_relative_to(os.path.normpath(folder)):
        raise GanexplainError(f"{where}: {name!r} leads out of {folder}; name a file inside it")
    return path


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
    reader = csv.DictReader(io.StringIO(label_text(path), newline=""))
    try:
        numbered = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        where = f"{path}, line {reader.line_num}"
        raise GanexplainError(f"{where}: not CSV ({error}); look for an open quote") from error
    rows = [row for _, row in numbered]
    columns = list(rows[0]) if rows else []
    for column in MANIFEST_COLUMNS:
        if column not in columns:
            raise GanexplainError(
                f"{path}, line 1: no column {column!r}; the first line is "
                f"{','.join(MANIFEST_COLUMNS)} and rows follow"
            )
    classes = tuple(sorted({_cell(path, number, row, "label") for number, row in numbered}))
    if len(classes) < 2:
        raise GanexplainError(f"{path}: all rows have one label, {classes}; two or more are needed")
    by_file: dict[tuple[str, str], list[tuple[int, dict[str, str]]]] = defaultdict(list)
    for number, row in numbered:
        split = _cell(path, number, row, "split")
        if split not in SPLITS:
            raise GanexplainError(
                f"{path}, line {number}: split {split!r} is not train, valid or test"
                f"{did_you_mean(split, SPLITS)}"
            )
        by_file[_cell(path, number, row, "path"), split].append((number, row))
    tasks = [
        lambda key=key, rows=rows: _manifest_recording(path, key, rows, classes)
        for key, rows in by_file.items()
    ]
    recordings, skipped = _collect(tasks, skip_bad_files)
    return _finish(path, classes, recordings, skipped)


def _cell(path: Path, number: int, row: dict[str, str], column: str) -> str:
    value = (row[column] or "").strip()
    if not value:
        raise GanexplainError(f"{path}, line {number}: {column} is empty")
    return value


def _manifest_recording(
    manifest: Path,
    key: tuple[str, str],
    rows: list[tuple[int, dict[str, str]]],
    classes: tuple[str, ...],
) -> Recording:
    name, split = key
    audio = _inside(manifest.parent, name, f"{manifest}, line {rows[0][0]}")
    duration = _sounding_duration(audio)
    segments = []
    for number, row in rows:
        where = f"{manifest}, line {number}"
        start, end = _times(
            where, (row["start"] or "").strip(), (row["end"] or "").strip(), duration
        )
        segments.append(Segment(start, end, classes.index(_cell(manifest, number, row, "label"))))
    return Recording(audio, split, tuple(segments), manifest)
