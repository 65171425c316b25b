"""Folders of recordings as people have them: no labels, no lists, folders inside folders."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

from ganexplain.audio.formats.file_types import SOUND_FILES
from ganexplain.corpora.listed_files import files_below
from ganexplain.corpora.recordings import (
    Corpus,
    Recording,
    build_corpus,
    collect_recordings,
    usable_duration,
)

SPLIT_OF = ("train", "train", "test", "train", "valid")  # of five files, one after the other


def contains_recordings(folder: Path) -> bool:
    """Whether a folder contains sound files at any depth, and is of no other layout."""
    if not folder.is_dir() or is_jamendo(folder):
        return False
    return any(map(is_sound_file, files_below(folder)))


def is_jamendo(folder: Path) -> bool:
    """Whether a folder is in the Jamendo layout, of which one part may be missing.

    `audio` or `labels` alone is a name that songs are kept under, too.
    """
    audio, labels, lists = ((folder / name).is_dir() for name in ("audio", "labels", "filelists"))
    return lists or (audio and labels)


def is_sound_file(path: Path) -> bool:
    """Whether a file is sound by its name, also of a type that needs ffmpeg."""
    return path.suffix.lower() in SOUND_FILES


def read_plain_folder(folder: Path, skip_bad_files: bool) -> Corpus:
    """The recordings below a folder, without labels; errors as `read_corpus`.

    Of each five in the order of their paths three are of the split train, one of test and one of
    valid, so that three files have something held out.
    """
    paths = [path for path in files_below(folder) if is_sound_file(path)]
    tasks = [
        lambda path=path, split=split: _recording(path, split)
        for path, split in zip(paths, cycle(SPLIT_OF), strict=False)
    ]
    recordings, skipped = collect_recordings(tasks, skip_bad_files)
    return build_corpus(folder, (), recordings, skipped)


def _recording(path: Path, split: str) -> Recording:
    usable_duration(path)
    return Recording(path, split, (), labelled_in=path)
