"""All labelled frames of many recordings, as runs: some bytes a change of label, not a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganexplain.corpora.recordings import UNLABELLED


class LabelledFrames:
    """A sequence of rows (recording, frame, class), in that order, read by their numbers.

    `runs` (R, 4): recording, first frame, class and number of frames of each run.
    """

    def __init__(self, runs: np.ndarray) -> None:
        self.runs = runs
        self.ends = np.cumsum(runs[:, 3])

    @classmethod
    def of(cls, labels: Sequence[np.ndarray]) -> LabelledFrames:
        """Those of recordings with the labels (T_i,) of their frames."""
        runs = [np.empty((0, 4), dtype=np.int64)]
        for i, label in enumerate(labels):
            starts = np.flatnonzero(np.diff(label, prepend=label.dtype.type(UNLABELLED - 1)))
            counts = np.diff(starts, append=len(label))
            rows = np.stack([np.full(len(starts), i), starts, label[starts], counts], axis=1)
            runs.append(rows[rows[:, 2] != UNLABELLED])
        return cls(np.concatenate(runs))

    def of_class(self, number: int) -> LabelledFrames:
        """Those of one class."""
        return LabelledFrames(self.runs[self.runs[:, 2] == number])

    def classes(self) -> np.ndarray:
        """The numbers of the classes there are, ascending."""
        return np.unique(self.runs[:, 2])

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """The rows (N, 3) of these numbers (N,)."""
        run = np.searchsorted(self.ends, rows, side="right")
        recording, first, label, count = self.runs[run].T
        return np.stack([recording, first + rows - (self.ends[run] - count), label], axis=1)
