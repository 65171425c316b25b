"""Corpora of pictures: a folder for each class, with or without folders of splits above them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganexplain.corpora.listed_files import files_below, is_hidden
from ganexplain.corpora.picture_files import is_picture, load_picture, picture_spec
from ganexplain.corpora.recordings import SPLITS
from ganexplain.errors import EmptySplit, GanexplainError, UsageError, skipping_bad_file
from ganexplain.inputs.picture import ImageInput
from ganexplain.runs.progress import Progress

SHARES = {"train": 0.7, "valid": 0.15, "test": 0.15}  # of pictures without a split


@dataclass(frozen=True)
class Picture:
    """A picture, its split and the number of its class."""

    path: Path
    split: str
    label: int

    @property
    def segments(self) -> tuple[int, ...]:
        """Its label, under the name that labels of recordings have."""
        return (self.label,)


@dataclass(frozen=True)
class ImageCorpus:
    """Pictures and the names of their classes; `skipped` has the errors of pictures left out."""

    name: str
    classes: tuple[str, ...]
    recordings: tuple[Picture, ...]
    skipped: tuple[str, ...] = ()

    has_sound = False

    def split(self, name: str) -> list[Picture]:
        """The pictures of one split, by path."""
        return [picture for picture in self.recordings if picture.split == name]

    def labels_in(self, split: str) -> set[int]:
        """The numbers of the classes of the pictures of a split."""
        return {picture.label for picture in self.split(split)}

    def only(self, recordings: Sequence[Picture]) -> ImageCorpus:
        """The same corpus with some of its pictures."""
        return replace(self, recordings=tuple(recordings))

    def default_input(self) -> ImageInput:
        """As the first picture is."""
        return picture_spec(self.recordings[0].path)


@dataclass(frozen=True)
class ImageSplit:
    """The pictures of one split (N, C, H, W), 0 to 1, with their classes (N,).

    It has the interface `LabelledSplit`; an excerpt is a picture.
    """

    recordings: tuple[Picture, ...]
    pictures: np.ndarray
    classes: np.ndarray
    front_end: ImageInput

    def labelled_frames(self) -> np.ndarray:
        """All pictures (N, 3): number, 0, class."""
        return np.concatenate([self.whole_excerpts(), self.classes[:, None]], axis=1)

    def classes_present(self) -> np.ndarray:
        """Numbers of the classes of these pictures."""
        return np.unique(self.classes)

    def whole_excerpts(self, hop_frames: int = 1) -> np.ndarray:
        """All pictures (N, 2): number, 0."""
        numbers = np.arange(len(self.pictures))
        return np.stack([numbers, np.zeros_like(numbers)], axis=1)

    def gather(self, centres: np.ndarray) -> np.ndarray:
        """Pictures (M, C, H, W), float32, with the numbers in column 0 of `centres` (M, 2+)."""
        return self.pictures[centres[:, 0]]

    def band_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (C,) of each channel over all pixels."""
        mean = self.pictures.mean(axis=(0, 2, 3), dtype=np.float64)
        deviation = self.pictures.std(axis=(0, 2, 3), dtype=np.float64)
        if not (deviation > 1e-6).all():
            raise GanexplainError(
                "the training pictures have a channel that never varies; leave it out"
            )
        return mean.astype(np.float32), deviation.astype(np.float32)

    def whole_files(self) -> list[np.ndarray]:
        """The pictures (C, H, W)."""
        return list(self.pictures)

    def excerpt_sources(self, centres: np.ndarray) -> dict[str, np.ndarray]:
        """The names of pictures with those of their class's folder."""
        paths = [self.recordings[i].path for i in centres[:, 0]]
        names = [f"{path.parent.name}/{path.name}" for path in paths]
        return {"file": np.array(names), "start_s": np.zeros(len(paths))}

    def excerpt_audio(self, centres: np.ndarray) -> None:
        """There is none."""


def contains_pictures(path: Path) -> bool:
    """Whether a folder contains pictures one or two levels down, in folders of classes."""
    if not path.is_dir() or (path / "filelists").is_dir():
        return False
    levels = (path.glob("*/*"), path.glob("*/*/*"))
    return any(
        is_picture(file) and not any(map(is_hidden, file.relative_to(path).parts))
        for level in levels
        for file in level
    )


def read_image_corpora(paths: Sequence[str], skip_bad_files: bool = False) -> ImageCorpus:
    """Read pictures `SPLIT/CLASS/NAME.png`, or `CLASS/NAME.png`, which are split by their names.

    A hash of the name assigns 70 % of the latter to train, 15 % to valid and 15 % to test. Raises
    UsageError for a folder without pictures, GanexplainError for fewer than two classes.
    """
    listed = [entry for path in paths for entry in _listed(Path(path))]
    classes = tuple(sorted({label for _, _, label in listed}))
    name = " + ".join(paths)
    if len(classes) < 2:
        raise GanexplainError(f"{name}: pictures of one class, {classes}; two or more are needed")
    good: list[Picture] = []
    skipped: list[str] = []
    for path, split, label in listed:
        with skipping_bad_file(skip_bad_files, skipped.append):
            picture_spec(path)
            good.append(Picture(path, split, classes.index(label)))
    if not good:
        raise GanexplainError(f"{name}: no picture can be used, the first: {skipped[0]}")
    return ImageCorpus(name, classes, tuple(good), tuple(skipped))


def _listed(root: Path) -> list[tuple[Path, str, str]]:
    """Path, split and class of each picture below a folder, sorted by path, without hidden ones."""
    if not contains_pictures(root):
        raise UsageError(f"{root}: no pictures; arrange them as CLASS/NAME.png below it")
    found = [path for path in files_below(root) if is_picture(path)]
    split = any((root / name).is_dir() for name in SPLITS)
    entries = []
    for path in found:
        parts = path.relative_to(root).parts
        if split and (len(parts) < 3 or parts[0] not in SPLITS):
            raise GanexplainError(
                f"{path}: is in no split; arrange pictures as train/CLASS/NAME.png, or all as "
                "CLASS/NAME.png"
            )
        if len(parts) < 2:
            raise GanexplainError(f"{path}: is in no class folder; move it into one")
        entries.append((path, parts[0] if split else _split_of(parts), parts[-2]))
    return entries


def _split_of(parts: tuple[str, ...]) -> str:
    """The split of a picture by its name, so that it does not depend on other pictures."""
    digest = hashlib.sha256("/".join(parts).encode(errors="surrogateescape")).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    for name, share in SHARES.items():
        if place < share:
            return name
        place -= share
    return "test"


def load_image_split(
    corpus: ImageCorpus, name: str, input_spec: ImageInput, progress: Progress
) -> ImageSplit:
    """The pictures of a split, with the size and channels of `input_spec`.

    Several splits are named as in `valid+test`. Raises BadFile for a picture that cannot be
    read, GanexplainError if the split is empty.
    """
    listed = [picture for part in name.split("+") for picture in corpus.split(part)]
    if not listed:
        raise EmptySplit(f"{corpus.name}: the {name} split is empty; put pictures into it")
    progress.start(f"pictures of {name}", len(listed))
    pictures = np.empty((len(listed), *input_spec.shape), dtype=np.float32)
    for row, picture in enumerate(listed):
        pictures[row] = load_picture(picture.path, input_spec)
        progress.advance()
    labels = np.array([picture.label for picture in listed], dtype=np.int64)
    return ImageSplit(tuple(listed), pictures, labels, input_spec)
