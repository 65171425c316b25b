"""Finds files that are named in lists or contained in folders, and reads lists as text."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from ganexplain.errors import BadFile, GanexplainError
from ganexplain.files.bounded import read_list


def label_text(path: Path) -> str:
    """The text of a list or a file of labels; BadFile if it cannot be read."""
    try:
        return read_list(path)
    except (OSError, ValueError) as error:
        raise BadFile(
            f"{path}: cannot be read as text ({error}); write it again in UTF-8"
        ) from error


def file_inside(folder: Path, name: str, where: str) -> Path:
    """The file that a list names in a folder, in any Unicode form of its name.

    Raises GanexplainError for a name that leads out of the folder (links may), BadFile for one
    that no file can have; `where` is the line of the list.
    """
    if "\0" in name:  # C ends a name there and would open another file
        raise BadFile(f"{where}: {name!r} is not a file name; correct it")
    path = Path(os.path.normpath(folder / name))
    if not path.is_relative_to(os.path.normpath(folder)):
        raise GanexplainError(f"{where}: {name!r} leads out of {folder}; name a file inside it")
    return in_form_on_disk(folder, os.path.relpath(path, folder))


def in_form_on_disk(folder: Path, name: str) -> Path:
    """The path of a file in a folder, with its name in the Unicode form that exists there.

    Macs decompose letters with marks, other systems do not. A missing file keeps its name.
    """
    forms = (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
    return next((folder / form for form in forms if os.path.lexists(folder / form)), folder / name)


def files_below(folder: Path) -> list[Path]:
    """All files below a folder, also behind links, sorted by path, without hidden ones."""
    return sorted(_below(folder, frozenset()))


def _below(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:  # a link that leads back
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_hidden(entry.name):
                continue
            if entry.is_dir():
                yield from _below(Path(entry.path), above | {real})
            elif entry.is_file():
                yield Path(entry.path)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is not the user's but a program's.

    Its name begins with a dot (`.ipynb_checkpoints`, a Mac's `._NAME`), or it is the folder
    `__MACOSX` of a Mac's archives.
    """
    return name.startswith(".") or name == "__MACOSX"
