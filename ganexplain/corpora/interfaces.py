"""What every corpus offers, of recordings or of pictures, and every split of one as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ganexplain.inputs.base import Input
from ganexplain.runs.inputs import Recording


class AnyCorpus(Protocol):
    """A corpus: its files with their labels."""

    @property
    def name(self) -> str:
        """Where it came from."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def skipped(self) -> tuple[str, ...]:
        """What is wrong with the files that were left out."""

    @property
    def has_sound(self) -> bool:
        """Whether its files are recordings, not pictures."""

    def split(self, name: str) -> Sequence[Recording]:
        """The files of one split."""

    def labels_in(self, split: str) -> set[int]:
        """The numbers of the classes of which there are labels in a split."""

    def only(self, recordings: Sequence[Any]) -> AnyCorpus:
        """The same corpus with some of its files."""

    def default_input(self) -> Input:
        """The inputs that are made of it where nothing else is specified."""


def split_files(corpus: AnyCorpus, name: str) -> list[Recording]:
    """The files of a split, or of several as in `valid+test`."""
    return [file for part in name.split("+") for file in corpus.split(part)]


class AnySplit(Protocol):
    """The files of a split, and inputs (N, ...) from them by their centres (N, 2).

    A centre is the number of a file and a place in it, as `front_end` counts time.
    """

    @property
    def recordings(self) -> Sequence[Recording]:
        """The files."""

    @property
    def front_end(self) -> Input:
        """What its inputs are."""

    def whole_excerpts(self, hop_frames: int = 1) -> np.ndarray:
        """Centres (N, 2) of the inputs that lie inside their file, every `hop_frames`."""

    def gather(self, centres: np.ndarray) -> np.ndarray:
        """Inputs (N, ...) float32 at centres (N, 2+)."""

    def band_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each band or channel."""

    def whole_files(self) -> Sequence[np.ndarray]:
        """The values of each file as a whole; axes as those of an input, time of any length."""

    def excerpt_sources(self, centres: np.ndarray) -> Mapping[str, np.ndarray]:
        """Where inputs come from: `file` and `start_s`, (N,) each."""

    def excerpt_audio(self, centres: np.ndarray) -> np.ndarray | None:
        """The recording of inputs, (N, samples) int16; None of kinds that do not keep it."""


@runtime_checkable
class LabelledSplit(AnySplit, Protocol):
    """A split that classifiers learn from."""

    def labelled_frames(self) -> LabelledRows:
        """All labelled centres, with their class: (N, 3)."""

    def classes_present(self) -> np.ndarray:
        """Numbers of the classes of which there is something."""


class LabelledRows(Protocol):
    """Rows (N, 3) of file, place and class."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: np.ndarray) -> np.ndarray: ...
