"""Reads CSV tables as people and spreadsheets write them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganexplain.corpora.listed_files import label_text
from ganexplain.errors import GanexplainError
from ganexplain.files.bounded import split_lines

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?')  # some programs write it for Excel
DECIMAL_COMMA = re.compile(r"-?\d+,\d+")


@dataclass(frozen=True)
class TableRow:
    """The cells of one row, in the order of the columns asked for; `where` names file and line."""

    where: str
    cells: tuple[str, ...]


def table_rows(
    path: Path, columns: Sequence[str], each: str, optional: Sequence[str] = ()
) -> list[TableRow]:
    """The rows of a CSV table, with columns in any order, without other columns and empty rows.

    Commas, semicolons, tabs or bars separate cells, and names of columns may be in capitals. A
    table may leave out `optional` columns, whose cells are then missing at the end of the rows.
    `each` says in a message what a row is for. Raises BadFile if the file is not text,
    GanexplainError for a missing column, a row with more cells than columns, or if there are no
    rows.
    """
    text = label_text(path)
    separator = _separator(text, columns)
    rows = _cells(path, text, separator)
    if rows and rows[0][1][0].startswith("sep="):
        del rows[0]
    header = [name.lower() for name in rows[0][1]] if rows else []
    for column in columns:
        if header.count(column) != 1:
            found = "no column" if column not in header else "more than one column"
            raise GanexplainError(
                f"{path}, line 1: {found} {column!r} (cells separated by "
                f"{SEPARATORS[separator]}); the first line is {','.join(columns)} and rows follow"
            )
    if len(rows) == 1:
        raise GanexplainError(f"{path}: no rows after the first line; add one for each {each}")
    for column in optional:
        if header.count(column) > 1:
            raise GanexplainError(f"{path}, line 1: more than one column {column!r}; leave one")
    places = [header.index(column) for column in (*columns, *optional) if column in header]
    return [_row(f"{path}, line {number}", cells, places, header) for number, cells in rows[1:]]


def _separator(text: str, columns: Sequence[str]) -> str:
    """The separator of cells: the one that yields most of the columns in the first line."""
    lines = [line for line in split_lines(text) if line.strip()][:2]
    named = SEPARATOR_LINE.fullmatch(lines[0].strip()) if lines else None
    if named and named[1] in SEPARATORS:
        return named[1]
    first = lines[0].lower() if lines else ""

    def count(separator: str) -> int:
        return sum(cell.strip(' "') in columns for cell in first.split(separator))

    return max(SEPARATORS, key=count)


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


def _row(where: str, cells: list[str], places: Sequence[int], header: Sequence[str]) -> TableRow:
    if any(cells[len(header) :]):
        raise GanexplainError(
            f"{where}: {len(cells)} cells, but the first line has {len(header)}; put a cell that "
            "contains a separator into quotes"
        )
    return TableRow(where, tuple(cells[k] if k < len(cells) else "" for k in places))


def with_decimal_point(number: str) -> str:
    """The text of a number, with a point in the place of a decimal comma."""
    return number.replace(",", ".") if DECIMAL_COMMA.fullmatch(number) else number
