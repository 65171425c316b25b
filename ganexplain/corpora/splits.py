"""Splits of log-mel excerpts: centre frames, their classes, and the excerpts around them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ganexplain.audio.io import load_excerpt, to_pcm
from ganexplain.corpora.cache import cached_log_mel
from ganexplain.corpora.interfaces import AnyCorpus, LabelledSplit
from ganexplain.corpora.recordings import UNLABELLED, Corpus, Recording
from ganexplain.errors import EmptySplit, GanexplainError, UsageError, skipping_bad_file
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.runs.machine import random_stream
from ganexplain.runs.progress import Progress, note_skipped

PART_FRAMES = 100_000  # frames that are read into memory at once


@dataclass(frozen=True)
class Split:
    """The recordings of one split with their features.

    `mels[i]` (T_i, F) and `labels[i]` (T_i,) belong to `recordings[i]`.
    """

    recordings: tuple[Recording, ...]
    mels: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]
    front_end: FrontEnd

    def labelled_frames(self) -> LabelledFrames:
        """All labelled centre frames: rows (M, 3) of recording, frame, class."""
        return LabelledFrames.from_labels(self.labels)

    def classes_present(self) -> np.ndarray:
        """Numbers of the classes with a labelled frame."""
        return self.labelled_frames().classes()

    def whole_excerpts(self, hop_frames: int = 1) -> np.ndarray:
        """Centre frames (M, 2) of excerpts that lie inside their recording, every `hop_frames`.

        A recording shorter than an excerpt has one excerpt, padded with silence.
        """
        length = self.front_end.excerpt_frames
        before = length // 2
        rows = []
        for i, mel in enumerate(self.mels):
            last = max(len(mel) - length, 0) + before
            frames = np.arange(before, last + 1, hop_frames)
            if len(mel) < length:
                frames = np.array([len(mel) // 2])
            rows.append(np.stack([np.full(frames.size, i), frames], axis=1))
        return np.concatenate(rows)

    def gather(self, centres: np.ndarray) -> np.ndarray:
        """Log-mel excerpts (N, F, T), float32, around `centres` (N, 2+) of recording and frame.

        There is silence, the logarithm of the floor, beyond the ends of a recording.
        """
        length = self.front_end.excerpt_frames
        silence = np.float32(self.front_end.silence)
        shape = (len(centres), self.front_end.mel_bands, length)
        excerpts = np.full(shape, silence, dtype=np.float32)
        for k, (i, frame) in enumerate(centres[:, :2]):
            mel = self.mels[i]
            start = frame - length // 2
            low, high = max(start, 0), min(start + length, len(mel))
            excerpts[k, :, low - start : high - start] = mel[low:high].T
        return excerpts

    def band_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (F,) of each mel band over all frames (ddof = 1), in nat."""
        count = sum(len(mel) for mel in self.mels)
        mean = sum(part.sum(axis=0, dtype=np.float64) for part in self._in_parts()) / count
        squares = sum(((part - mean) ** 2).sum(axis=0) for part in self._in_parts())
        deviation = np.sqrt(squares / max(count - 1, 1))
        if not (deviation > 1e-6).all():
            band = int(np.argmin(deviation))
            raise GanexplainError(
                f"mel band {band} never varies over the training recordings; "
                "they contain too little sound in that range to standardise it"
            )
        return mean.astype(np.float32), deviation.astype(np.float32)

    def whole_files(self) -> list[np.ndarray]:
        """The log-mel (F, T_i) of the recordings."""
        return [mel.T for mel in self.mels]

    def excerpt_sources(self, centres: np.ndarray) -> dict[str, np.ndarray]:
        """The names of recordings, and where in them excerpts begin, in seconds."""
        names = [self.recordings[i].path.name for i in centres[:, 0]]
        first = np.maximum(centres[:, 1] - self.front_end.excerpt_frames // 2, 0)
        start = first * self.front_end.hop_length / self.front_end.sample_rate
        return {"file": np.array(names), "start_s": start}

    def excerpt_audio(self, centres: np.ndarray) -> np.ndarray:
        """The recorded sound (N, samples), int16, of excerpts."""
        samples, rate = self.front_end.excerpt_samples, self.front_end.sample_rate
        starts = self.excerpt_sources(centres)["start_s"]
        paths = [self.recordings[i].path for i in centres[:, 0]]
        sounds = (load_excerpt(p, at, samples, rate) for p, at in zip(paths, starts, strict=True))
        return np.stack([to_pcm(sound) for sound in sounds])

    def _in_parts(self) -> Iterator[np.ndarray]:
        """All features in parts (t, F) that fit into memory."""
        for mel in self.mels:
            for start in range(0, len(mel), PART_FRAMES):
                yield mel[start : start + PART_FRAMES]


def load_log_mel_split(
    corpus: Corpus,
    name: str,
    front_end: FrontEnd,
    cache: Path,
    progress: Progress,
    skip_bad_files: bool = False,
) -> Split:
    """Features and frame labels of all recordings of a split, or of several as in `valid+test`.

    Raises BadFile for a recording that cannot be used (with `skip_bad_files` it is noted and
    skipped), GanexplainError if the split is empty.
    """

    def features(recording: Recording) -> np.ndarray:
        return cached_log_mel(recording.path, front_end, cache)

    recordings, mels = read_recordings(corpus, name, features, progress, skip_bad_files, "features")
    pairs = zip(recordings, mels, strict=True)
    labels = tuple(recording.frame_labels(len(mel), front_end) for recording, mel in pairs)
    return Split(recordings, mels, labels, front_end)


def read_recordings(
    corpus: Corpus,
    name: str,
    read: Callable[[Recording], np.ndarray],
    progress: Progress,
    skip_bad_files: bool,
    what: str,
) -> tuple[tuple[Recording, ...], tuple[np.ndarray, ...]]:
    """The readable recordings of a split, and their arrays from `read`.

    `what` names the arrays in the progress. Errors as `load_log_mel_split`.
    """
    recordings, arrays = [], []
    listed = [recording for part in name.split("+") for recording in corpus.split(part)]
    progress.start(f"{what} of {name}", len(listed))
    for recording in listed:
        with skipping_bad_file(skip_bad_files, lambda reason: note_skipped(progress, [reason])):
            arrays.append(read(recording))
            recordings.append(recording)
        progress.advance()
    if not recordings:
        raise EmptySplit(f"{corpus.name}: the {name} split is empty; list recordings in it")
    return tuple(recordings), tuple(arrays)


def require_labels(corpus: AnyCorpus) -> None:
    """Raise UsageError for a corpus without labels."""
    if not corpus.classes:
        raise UsageError(
            f"{corpus.name}: recordings without labels, from which nothing can be learned; name a "
            "folder with audio/, labels/ and filelists/, or a CSV manifest"
        )


def check_classes(corpus: AnyCorpus) -> None:
    """Raise GanexplainError, which names the class, if a class has no label in a split."""
    anywhere = set().union(*(corpus.labels_in(split) for split in ("train", "valid", "test")))
    for number, label in enumerate(corpus.classes):
        if number not in anywhere:
            raise GanexplainError(
                f"{corpus.name}: no label of class {label!r}; label some of it, or leave the class "
                "out"
            )
    for split in ("train", "valid", "test"):
        if corpus.split(split):
            _check_present(corpus, corpus.labels_in(split), split)


def require_classes(corpus: AnyCorpus, split: LabelledSplit, name: str) -> None:
    """Raise GanexplainError, which names the class, if a class has no frame in a split."""
    _check_present(corpus, split.classes_present(), name)


def _check_present(corpus: AnyCorpus, present: Collection[int] | np.ndarray, name: str) -> None:
    for number, label in enumerate(corpus.classes):
        if number not in present:
            raise GanexplainError(
                f"{corpus.name}: no frame of class {label!r} in the {name} split; "
                "move a recording that has it there"
            )


def batch_rows(
    count: int, batch_size: int, step: int, seed: int, purpose: str = "epoch order"
) -> np.ndarray:
    """Row numbers (batch_size,) of training batch `step`: without replacement in each epoch.

    The stream named `purpose` determines the order. The rows depend on the arguments alone, so a
    resumed run has the same batches as an uninterrupted one.
    """
    first = step * batch_size
    positions = np.arange(first, first + batch_size)
    rows = np.empty(batch_size, dtype=np.int64)
    for epoch in np.unique(positions // count):
        mine = positions // count == epoch
        order = _epoch_order(count, seed, purpose, int(epoch))
        rows[mine] = order[positions[mine] % count]
    return rows


@lru_cache(maxsize=2)
def _epoch_order(count: int, seed: int, purpose: str, epoch: int) -> np.ndarray:
    smallest = np.int32 if count < 2**31 else np.int64  # the draws are the same
    return random_stream(seed, purpose, epoch).permutation(np.arange(count, dtype=smallest))


class LabelledFrames:
    """A sequence of rows (recording, frame, class), indexed by arrays of row numbers.

    `runs` (R, 4) has recording, first frame, class and number of frames of each run.
    """

    def __init__(self, runs: np.ndarray) -> None:
        self.runs = runs
        self.ends = np.cumsum(runs[:, 3])

    @classmethod
    def from_labels(cls, labels: Sequence[np.ndarray]) -> LabelledFrames:
        """The labelled frames of recordings whose frames have `labels` (T_i,)."""
        runs = [np.empty((0, 4), dtype=np.int64)]
        for i, label in enumerate(labels):
            starts = np.flatnonzero(np.diff(label, prepend=label.dtype.type(UNLABELLED - 1)))
            counts = np.diff(starts, append=len(label))
            rows = np.stack([np.full(len(starts), i), starts, label[starts], counts], axis=1)
            runs.append(rows[rows[:, 2] != UNLABELLED])
        return cls(np.concatenate(runs))

    def of_class(self, number: int) -> LabelledFrames:
        """The rows of one class."""
        return LabelledFrames(self.runs[self.runs[:, 2] == number])

    def of_kinds(self, kinds: Sequence[str]) -> list[LabelledFrames]:
        """The rows of each kind that occurs, where recording i is of kind `kinds[i]`."""
        own = np.array(kinds)[self.runs[:, 0]]
        return [LabelledFrames(self.runs[own == kind]) for kind in np.unique(own)]

    def classes(self) -> np.ndarray:
        """The numbers of the classes that occur, ascending."""
        return np.unique(self.runs[:, 2])

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """The rows (N, 3) of these numbers (N,)."""
        run = np.searchsorted(self.ends, rows, side="right")
        recording, first, label, count = self.runs[run].T
        return np.stack([recording, first + rows - (self.ends[run] - count), label], axis=1)
