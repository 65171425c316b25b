"""The inputs of a run by their hashes, compared with those of the run to resume."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ganexplain.errors import GanexplainError
from ganexplain.files.atomic import file_hash, read_json

LOGGER = logging.getLogger("ganexplain")


class Recording(Protocol):
    """The recorded properties of a recording: its file and its labels."""

    @property
    def path(self) -> Path:
        """The sound file."""

    @property
    def segments(self) -> Sequence[object]:
        """The labels."""


class RunInputs:
    """The hashes of a run's inputs: `files` by path, `named` by their names in the stage.

    `records` are the `run.json` files of the run to resume, empty for a new run.
    """

    def __init__(self, run: Path, records: Iterable[Path] = ()) -> None:
        self.run = run
        self.files: dict[str, str] = {}
        self.named: dict[str, str] = {}
        for record in records:
            document = read_json(record)
            self.files |= _texts(document.get("files"))
            self.named |= _texts(document.get("inputs"))
        self.began, self.recorded = dict(self.files), frozenset(self.named)
        self.contents: dict[str, tuple[str, Recording]] = {}  # the first recording of each hash
        self.unchecked: list[str] = []  # inputs that are not in the records

    def check_files(self) -> None:
        """Raise GanexplainError if a file is not the one with which the run began."""
        for name, digest in self.files.items():
            path = Path(name)
            if not path.is_file() or file_hash(path) != digest:
                what = "has changed since" if path.is_file() else "is gone, with which"
                raise self._other(f"{name} {what} the run in {self.run} began")

    def note(self, name: str, digest: str) -> str:
        """Record the hash of an input; GanexplainError if it differs from the records."""
        if name not in self.recorded:
            self.unchecked.append(name)
        elif self.named[name] != digest:
            raise self._other(f"{name}: not what the run in {self.run} began with")
        self.named[name] = digest
        return digest

    def hash(self, path: Path) -> str:
        """SHA-256 of a file, computed once per run."""
        if str(path) not in self.files:
            self.files[str(path)] = file_hash(path)
        return self.files[str(path)]

    def note_recordings(self, split: str, recordings: Iterable[Recording]) -> None:
        """Record one SHA-256 over the names and contents of a split's recordings and labels.

        Raises GanexplainError if it differs from the records.
        """
        digest = hashlib.sha256()
        new = ""
        for recording in recordings:
            if str(recording.path) not in self.began:
                new = new or f" ({recording.path} is new)"
            digest.update(recording.path.name.encode(errors="surrogateescape"))
            digest.update(self.hash(recording.path).encode())
            self._note_copy(split, recording)
            labels = getattr(recording, "labelled_in", None)  # pictures have none
            if labels is not None:
                self.hash(labels)
            digest.update(repr(recording.segments).encode())
        name = f"{split} recordings"
        if self.named.get(name, digest.hexdigest()) != digest.hexdigest():
            raise self._other(
                f"the {split} recordings are not those of the run to resume in {self.run}{new}"
            )
        self.note(name, digest.hexdigest())

    def _note_copy(self, split: str, recording: Recording) -> None:
        """Warn if a recording is a copy of one in another split or of one with other labels."""
        content = self.hash(recording.path)
        place, first = self.contents.setdefault(content, (split, recording))
        if first.path != recording.path and (
            place != split or first.segments != recording.segments
        ):
            where = f"in {place}" if place != split else "with other labels"
            LOGGER.warning(
                "%s (%s) is a copy of %s %s; leave one", recording.path, split, first.path, where
            )

    def _other(self, problem: str) -> GanexplainError:
        self.files = dict(self.began)  # the others do not belong to the run
        return GanexplainError(
            f"--resume: {problem}; give what it began with, or --overwrite to start again"
        )


def _texts(found: object) -> dict[str, str]:
    """The entries of a JSON object that are texts."""
    entries = found.items() if isinstance(found, Mapping) else ()
    return {str(name): value for name, value in entries if isinstance(value, str)}
