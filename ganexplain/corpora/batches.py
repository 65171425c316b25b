"""Training batches of a classifier, each of which depends on its step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np

from ganexplain.audio.augment import alter_excerpts, draw_alteration
from ganexplain.config import TrainClassifierConfig
from ganexplain.corpora.cache import cache_directory, cached_waveform
from ganexplain.corpora.picture_folders import ImageSplit
from ganexplain.corpora.recordings import UNLABELLED
from ganexplain.corpora.splits import LabelledFrames, Split, batch_rows
from ganexplain.errors import UsageError
from ganexplain.runs.distributed import rank_slice
from ganexplain.runs.machine import random_stream

FARTHEST = 1 / 8  # of a side: largest shift of a picture
LARGEST_HOLE = 1 / 4  # of a side: largest masked rectangle
TIME_MASKS, TIME_MASK_FRAMES = 2, 20
BAND_MASKS, BAND_MASK_BANDS = 1, 16


@dataclass(frozen=True)
class Batch:
    """Inputs (B, ...): a `share` (B,) is of class `label` (B,), the rest of class `other` (B,)."""

    mel: np.ndarray
    label: np.ndarray
    other: np.ndarray
    share: np.ndarray


def alters_sound(config: TrainClassifierConfig) -> bool:
    """Whether batches are computed from waveforms, not from the features of the recordings."""
    return bool(config.augment or config.level or config.mix)


class Batches:
    """Chooses the rows of each batch, and blends pairs of inputs (`config.mixup`).

    `kinds` has the rows of each class, in parts of a kind each.
    """

    rows: LabelledFrames | np.ndarray
    kinds: Sequence[Sequence[LabelledFrames | np.ndarray]]

    def __init__(self, config: TrainClassifierConfig, split: Split | ImageSplit) -> None:
        self.config = config
        self.rows = split.labelled_frames()
        self.mean = split.band_statistics()[0]

    def choose(self, step: int) -> np.ndarray:
        """The rows (B, 3) of the batch of one update.

        With `config.balance` each class is as frequent, and in a class each kind.
        """
        config = self.config
        if not config.balance:
            return self.rows[batch_rows(len(self.rows), config.batch_size, step, config.seed)]
        stream = random_stream(config.seed, "balanced order", step)
        classes = np.resize(stream.permutation(len(self.kinds)), config.batch_size)
        return np.concatenate([_draw(self.kinds[int(number)], stream) for number in classes])

    def make(self, step: int) -> Batch:
        """The batch of one update; with several processes the part of this one."""
        config = self.config
        rows = self.choose(step)
        mine = np.arange(len(rows))[rank_slice()]
        label, share = rows[:, 2], np.ones(len(rows), dtype=np.float32)
        if not config.mixup:
            return Batch(self.inputs(rows, mine, step), label[mine], label[mine], share[mine])
        stream = random_stream(config.seed, "mixup", step)
        share = stream.beta(config.mixup, config.mixup, len(rows)).astype(np.float32)[mine]
        partner = stream.permutation(len(rows))[mine]
        own, other = np.split(self.inputs(rows, np.concatenate([mine, partner]), step), 2)
        weight = share.reshape(-1, *[1] * (own.ndim - 1))
        return Batch(weight * own + (1 - weight) * other, label[mine], label[partner], share)

    def inputs(self, rows: np.ndarray, chosen: np.ndarray, step: int) -> np.ndarray:
        """Inputs (C, ...) at the `chosen` (C,) of rows (B, 3), with the alterations of each row."""
        raise NotImplementedError


class ExcerptBatches(Batches):
    """Batches of excerpts (B, F, T) in nat, which are altered as `config` says.

    `waveforms[i]` (samples,) belong to `split.recordings[i]`; they are needed if `alters_sound`.
    If the corpus has a class "absent" (the first of two), an excerpt of that class is mixed into a
    share `config.mix` of the excerpts and labels stay: a voice becomes a voice with instruments,
    and instruments become more instruments.
    """

    rows: LabelledFrames

    def __init__(
        self, config: TrainClassifierConfig, split: Split, waveforms: Sequence[np.ndarray]
    ) -> None:
        super().__init__(config, split)
        self.split, self.waveforms = split, waveforms
        two_classes = self.rows.classes().max() == 1
        self.absent = self.rows.of_class(0 if config.mix and two_classes else UNLABELLED)
        kinds = [recording.kind for recording in split.recordings]
        by_class = [self.rows.of_class(number) for number in self.rows.classes()]
        self.kinds = [rows.of_kinds(kinds) for rows in by_class]

    def inputs(self, rows: np.ndarray, chosen: np.ndarray, step: int) -> np.ndarray:
        """Log-mel excerpts (C, F, T)."""
        mel = (
            self._altered(rows, chosen, step) if self.waveforms else self.split.gather(rows[chosen])
        )
        if self.config.masks:
            stream = random_stream(self.config.seed, "masks", step)
            hidden = [draw_masks(stream, mel.shape[1:]) for _ in rows]
            for excerpt, k in zip(mel, chosen, strict=True):
                mask_spans(excerpt, self.mean, *hidden[k])
        return mel

    def _altered(self, rows: np.ndarray, chosen: np.ndarray, step: int) -> np.ndarray:
        config, stream = self.config, random_stream(self.config.seed, "augmentation", step)
        alterations = [draw_alteration(stream, config.augment, config.level) for _ in rows]
        added = np.full((len(rows), 2), -1)
        if len(self.absent):
            is_mixed = stream.random(len(rows)) < config.mix
            added[is_mixed] = self._draw_absent(stream, len(rows))[is_mixed, :2]
        own = [alterations[k] for k in chosen]
        front_end = self.split.front_end
        return alter_excerpts(self.waveforms, rows[chosen], own, added[chosen], front_end)

    def _draw_absent(self, stream: np.random.Generator, count: int) -> np.ndarray:
        """Rows (N, 3) of the class "absent"; with `config.balance` each kind as often."""
        if self.config.balance:
            return np.concatenate([_draw(self.kinds[0], stream) for _ in range(count)])
        return self.absent[stream.integers(len(self.absent), size=count)]


def _draw(kinds: Sequence[LabelledFrames | np.ndarray], stream: np.random.Generator) -> np.ndarray:
    """One row (1, 3), of any kind with equal chance."""
    rows = kinds[int(stream.integers(len(kinds)))]
    return rows[stream.integers(len(rows), size=1)]


def draw_masks(
    stream: np.random.Generator, shape: tuple[int, ...]
) -> tuple[list[slice], list[slice]]:
    """Spans of bands and of frames to mask in an excerpt of shape (F, T)."""

    def span(size: int, widest: int) -> slice:
        width = int(stream.integers(widest + 1))
        start = int(stream.integers(size - width + 1))
        return slice(start, start + width)

    bands = [span(shape[0], BAND_MASK_BANDS) for _ in range(BAND_MASKS)]
    return bands, [span(shape[1], TIME_MASK_FRAMES) for _ in range(TIME_MASKS)]


def mask_spans(mel: np.ndarray, mean: np.ndarray, bands: list[slice], frames: list[slice]) -> None:
    """Set spans of bands and frames of an excerpt (F, T) to the bands' mean (F,), in place.

    SpecAugment (Park et al. 2019) without its time warp, in place of which there is time stretch.
    """
    for span in frames:
        mel[:, span] = mean[:, None]
    for span in bands:
        mel[span] = mean[span, None]


class PictureBatches(Batches):
    """Batches of pictures (B, C, H, W), altered as `config` says.

    A share `config.augment` is shifted by up to an eighth of the sides, and the edge is repeated.
    With `config.masks` a rectangle of up to a quarter of each side is set to the channels' mean.
    """

    def __init__(self, config: TrainClassifierConfig, split: ImageSplit) -> None:
        super().__init__(config, split)
        self.split = split
        rows = split.labelled_frames()
        self.kinds = [[rows[rows[:, 2] == number]] for number in split.classes_present()]

    def inputs(self, rows: np.ndarray, chosen: np.ndarray, step: int) -> np.ndarray:
        """Pictures (N, C, H, W)."""
        pictures, stream = self.split.gather(rows), random_stream(self.config.seed, "moves", step)
        sides = np.array(pictures.shape[2:])
        farthest = (sides * FARTHEST).astype(int)
        for picture in pictures:
            moved = stream.random() < self.config.augment
            far = stream.integers(-farthest, farthest + 1)
            width = stream.integers((sides * LARGEST_HOLE).astype(int) + 1)
            top, left = stream.integers(sides - width + 1)
            if moved:
                picture[:] = shift_picture(picture, *far)
            if self.config.masks:
                hole = picture[:, top : top + width[0], left : left + width[1]]
                hole[:] = self.mean[:, None, None]
        return pictures[chosen]


@singledispatch
def batches_for(split: Any, config: TrainClassifierConfig) -> Batches:
    """The batches of a training on a split: one function for each kind of split."""
    raise UsageError(f"classifiers are not trained on {split.front_end.plural}")


@batches_for.register
def _of_excerpts(split: Split, config: TrainClassifierConfig) -> Batches:
    folder, rate = cache_directory(config.cache), split.front_end.sample_rate
    altered = split.recordings if alters_sound(config) else ()
    waveforms = [cached_waveform(recording.path, rate, folder) for recording in altered]
    return ExcerptBatches(config, split, waveforms)


@batches_for.register
def _of_pictures(split: ImageSplit, config: TrainClassifierConfig) -> Batches:
    return PictureBatches(config, split)


def shift_picture(picture: np.ndarray, down: int, right: int) -> np.ndarray:
    """A picture (C, H, W) shifted by whole pixels; the edge is repeated."""
    height, width = picture.shape[1:]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return picture[:, rows][:, :, columns]
