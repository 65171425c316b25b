"""Files that lists name or that stand in folders, and lists as text."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from ganexplain.errors import BadFile, GanexplainError
from ganexplain.files.bounded import read_list


def label_text(path: Path) -> str:
    """A list or a file of labels; BadFile where it cannot be read."""
    try:
        return read_list(path)
    except (OSError, ValueError) as error:
        raise BadFile(
            f"{path}: cannot be read as text ({error}); write it again in UTF-8"
        ) from error


def file_inside(folder: Path, name: str, where: str) -> Path:
    """The file that a list names in a folder, whatever Unicode form its name has on the disk.

    GanexplainError for a name that leads out of the folder, BadFile for one that no file can
    have; `where` is the place in the list. Links may lead out of the folder.
    """
    if "\0" in name:  # where C ends a name, and another file would be opened
        raise BadFile(f"{where}: {name!r} is no file name; correct it")
    path = Path(os.path.normpath(folder / name))
    if not path.is_relative_to(os.path.normpath(folder)):
        raise GanexplainError(f"{where}: {name!r} leads out of {folder}; name a file inside it")
    return in_form_on_disk(folder, os.path.relpath(path, folder))


def in_form_on_disk(folder: Path, name: str) -> Path:
    """A file in a folder, its name in the Unicode form in which it is there.

    Macs decompose letters with marks, others do not. As named where it is there in no form.
    """
    forms = (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
    return next((folder / form for form in forms if os.path.lexists(folder / form)), folder / name)


def files_below(folder: Path) -> list[Path]:
    """All files below a folder, by path, behind links too; without what is hidden."""
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
    """Whether programs leave a file or folder of this name for themselves.

    It begins with a dot (`.ipynb_checkpoints`, a Mac's `._NAME`), or is the folder `__MACOSX` of a
    Mac's archives.
    """
    return name.startswith(".") or name == "__MACOSX"
