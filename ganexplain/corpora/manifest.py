"""Reads CSV manifests of recordings and their labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganexplain.corpora.listed_files import file_inside
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
from ganexplain.corpora.tables import table_rows, with_decimal_point
from ganexplain.errors import GanexplainError, did_you_mean

MANIFEST_COLUMNS = ("path", "start", "end", "label", "split")
KIND = "kind"  # a column that may be left out


@dataclass(frozen=True)
class ManifestRow:
    """One label as texts; `where` names the manifest and the line."""

    where: str
    path: str
    start: str
    end: str
    label: str
    split: str
    kind: str = ""


def manifest_rows(path: Path) -> list[ManifestRow]:
    """The rows of a manifest, with times that have a decimal point.

    The column `kind`, what music a recording is, may be left out. Errors as `table_rows`, and
    GanexplainError for a missing cell.
    """
    rows = table_rows(path, MANIFEST_COLUMNS, "label", (KIND,))
    return [_manifest_row(row.where, *row.cells) for row in rows]


def _manifest_row(
    where: str, path: str, start: str, end: str, label: str, split: str, kind: str = ""
) -> ManifestRow:
    for column, value in (("path", path), ("label", label), ("split", split)):
        if not value:
            raise GanexplainError(f"{where}: {column} is empty")
    start, end = with_decimal_point(start), with_decimal_point(end)
    return ManifestRow(where, path, start, end, label, split, kind)


def read_manifest(path: Path, skip_bad_files: bool) -> Corpus:
    """Read a corpus from a CSV manifest; errors as `read_corpus`."""
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
    recordings, skipped = collect_recordings(tasks, skip_bad_files)
    return build_corpus(path, classes, recordings, skipped)


def _manifest_recording(
    manifest: Path, rows: Sequence[ManifestRow], classes: tuple[str, ...]
) -> Recording:
    audio = file_inside(manifest.parent, rows[0].path, rows[0].where)
    duration = usable_duration(audio)
    segments = {}
    for row in rows:
        start, end = label_span(row.where, row.start, row.end, duration)
        line = row.where.removeprefix(f"{manifest}, ")
        segments[line] = Segment(start, end, classes.index(row.label))
    check_contradictions(manifest, segments, classes)
    first = rows[0]
    faults = [
        f"{row.where}: kind {row.kind!r}, but {first.kind!r} in an earlier row of {row.path}; "
        "a recording has one kind: correct one, or leave --balance out"
        for row in rows
        if row.kind != first.kind
    ]
    labels = Segments(segments.values())
    return Recording(audio, first.split, labels, manifest, first.kind, "".join(faults[:1]))
