"""The Jamendo layout of a corpus: folders of audio, labels and lists of files."""

from __future__ import annotations

from pathlib import Path

from ganexplain.corpora.listed_files import file_inside, in_form_on_disk, label_text
from ganexplain.corpora.recordings import (
    SPLITS,
    Corpus,
    Recording,
    Segment,
    Segments,
    build_corpus,
    check_contradictions,
    collect_recordings,
    label_span,
    usable_duration,
)
from ganexplain.errors import BadFile, UsageError, did_you_mean
from ganexplain.files.bounded import split_lines

JAMENDO_CLASSES = ("nosing", "sing")


def read_jamendo(root: Path, skip_bad_files: bool) -> Corpus:
    """Read a corpus in the Jamendo layout; errors as `read_corpus`."""
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
            raise UsageError(f"{listing}: no such list; write one file name per line")
        for number, line in enumerate(split_lines(label_text(listing)), 1):
            if name := line.strip(" \t"):
                tasks.append(lambda n=name, s=split, k=number: _jamendo_recording(root, n, s, k))
    recordings, skipped = collect_recordings(tasks, skip_bad_files)
    return build_corpus(root, JAMENDO_CLASSES, recordings, skipped)


def _jamendo_recording(root: Path, name: str, split: str, number: int) -> Recording:
    audio = file_inside(root / "audio", name, f"{root / 'filelists' / split}, line {number}")
    duration = usable_duration(audio)
    labels = in_form_on_disk(root / "labels", str(Path(name).with_suffix(".lab")))
    if not labels.is_file():
        raise BadFile(f"{labels}: no such file; every recording in a list needs its labels")
    numbered = [
        (k, line) for k, line in enumerate(split_lines(label_text(labels)), 1) if line.strip()
    ]
    if not numbered:
        raise BadFile(f"{labels}: contains no labels; write lines `start end sing|nosing`")
    segments = {f"line {k}": _jamendo_segment(labels, k, line, duration) for k, line in numbered}
    check_contradictions(labels, segments, JAMENDO_CLASSES)
    return Recording(audio, split, Segments(segments.values()), labels)


def _jamendo_segment(labels: Path, number: int, line: str, duration: float) -> Segment:
    fields = line.split()
    where = f"{labels}, line {number}"
    if len(fields) != 3:
        raise BadFile(f"{where}: {line.strip()!r} is not `start end sing|nosing`")
    start, end = label_span(where, fields[0], fields[1], duration)
    if fields[2] not in JAMENDO_CLASSES:
        hint = did_you_mean(fields[2], JAMENDO_CLASSES)
        raise BadFile(f"{where}: label {fields[2]!r} is neither sing nor nosing{hint}")
    return Segment(start, end, JAMENDO_CLASSES.index(fields[2]))
