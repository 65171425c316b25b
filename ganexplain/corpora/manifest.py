"""Reads CSV manifests as people and spreadsheets write them."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganexplain.corpora.listed_files import file_inside, label_text
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
from ganexplain.errors import GanexplainError, did_you_mean
from ganexplain.files.bounded import split_lines

MANIFEST_COLUMNS = ("path", "start", "end", "label", "split")
KIND = "kind"  # a column that may be left out
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?')  # some programs write it for Excel
DECIMAL_COMMA = re.compile(r"-?\d+,\d+")


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
    """The rows of a manifest, with columns in any order, without other columns and empty rows.

    The column `kind`, what music a recording is, may be left out.

    Commas, semicolons, tabs or bars separate cells; names of columns may be in capitals, and
    seconds may have a decimal comma. Raises BadFile if the file is not text, GanexplainError for a
    missing column or cell, or if there are no rows.
    """
    text = label_text(path)
    rows = _cells(path, text, _separator(text))
    if rows and rows[0][1][0].startswith("sep="):
        del rows[0]
    header = [name.lower() for name in rows[0][1]] if rows else []
    for column in MANIFEST_COLUMNS:
        if header.count(column) != 1:
            found = "no column" if column not in header else "more than one column"
            raise GanexplainError(
                f"{path}, line 1: {found} {column!r} (cells separated by "
                f"{SEPARATORS[_separator(text)]}); the first line is {','.join(MANIFEST_COLUMNS)} "
                "and rows follow"
            )
    if len(rows) == 1:
        raise GanexplainError(f"{path}: no rows after the first line; add one for each label")
    if header.count(KIND) > 1:
        raise GanexplainError(f"{path}, line 1: more than one column {KIND!r}; leave one")
    places = [header.index(column) for column in (*MANIFEST_COLUMNS, KIND) if column in header]
    return [_row(f"{path}, line {number}", cells, places) for number, cells in rows[1:]]


def _separator(text: str) -> str:
    """The separator of cells: the one that yields most of the columns in the first line."""
    lines = [line for line in split_lines(text) if line.strip()][:2]
    named = SEPARATOR_LINE.fullmatch(lines[0].strip()) if lines else None
    if named and named[1] in SEPARATORS:
        return named[1]
    first = lines[0].lower() if lines else ""

    def columns(separator: str) -> int:
        return sum(cell.strip(' "') in MANIFEST_COLUMNS for cell in first.split(separator))

    return max(SEPARATORS, key=columns)


def _cells(path: Path, text: str, separator: str) -> list[tuple[int, list[str]]]:
    """Line numbers and cells of the rows that are not empty."""
    stream = io.StringIO(text, newline="")
    reader = csv.reader(stream, delimiter=separator, skipinitialspace=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        where = f"{path}, line {reader.line_num}"
        raise GanexplainError(f"{where}: not CSV ({error}); look for an open quote") from error
    return [(number, row) for number, row in rows if any(row)]


def _row(where: str, cells: list[str], places: Sequence[int]) -> ManifestRow:
    values = [cells[place] if place < len(cells) else "" for place in places]
    path, start, end, label, split, *kind = values
    for column, value in (("path", path), ("label", label), ("split", split)):
        if not value:
            raise GanexplainError(f"{where}: {column} is empty")
    return ManifestRow(where, path, _point(start), _point(end), label, split, *kind)


def _point(seconds: str) -> str:
    """Seconds with a decimal point."""
    return seconds.replace(",", ".") if DECIMAL_COMMA.fullmatch(seconds) else seconds


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
