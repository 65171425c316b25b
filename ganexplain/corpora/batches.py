"""Training batches of a classifier, each of which depends on its step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    """Inputs (B, ...) with N targets each: a `share` (B,) is of the classes `label` (B, N).

    The rest is of the classes `other` (B, N). Targets without a label are UNLABELLED.
    """

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
        if not config.mixup:
            inputs, label = self.inputs(rows, mine, step)
            return Batch(inputs, label, label, np.ones(len(mine), dtype=np.float32))
        stream = random_stream(config.seed, "mixup", step)
        share = stream.beta(config.mixup, config.mixup, len(rows)).astype(np.float32)[mine]
        partner = stream.permutation(len(rows))[mine]
        inputs, labels = self.inputs(rows, np.concatenate([mine, partner]), step)
        own, other = np.split(inputs, 2)
        weight = share.reshape(-1, *[1] * (own.ndim - 1))
        label, of_other = np.split(labels, 2)
        return Batch(weight * own + (1 - weight) * other, label, of_other, share)

    def inputs(
        self, rows: np.ndarray, chosen: np.ndarray, step: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (C, ...) at the `chosen` (C,) of rows (B, 3), altered, and their labels (C, N)."""
        raise NotImplementedError


class ExcerptBatches(Batches):
    """Batches of excerpts (B, F, T) in nat, which are altered as `config` says.

    `waveforms[i]` (samples,) belong to `split.recordings[i]`; they are needed if `alters_sound`.
    If the corpus has a class "absent" (the first of two), an excerpt of that class is mixed into a
    share `config.mix` of the excerpts and labels stay: a voice becomes a voice with instruments,
    and instruments become more instruments. With `target_frames` (N,), frames from the centre, the
    excerpts are longer, so that each target is the centre of a whole one, and have N labels.
    """

    rows: LabelledFrames

    def __init__(
        self,
        config: TrainClassifierConfig,
        split: Split,
        waveforms: Sequence[np.ndarray],
        target_frames: Sequence[int] = (0,),
    ) -> None:
        super().__init__(config, split)
        self.waveforms, self.targets = waveforms, np.array(target_frames)
        length = split.front_end.excerpt_frames + int(np.ptp(self.targets))
        self.split = replace(split, front_end=replace(split.front_end, excerpt_frames=length))
        two_classes = self.rows.classes().max() == 1
        self.absent = self.rows.of_class(0 if config.mix and two_classes else UNLABELLED)
        kinds = [recording.kind for recording in split.recordings]
        by_class = [self.rows.of_class(number) for number in self.rows.classes()]
        self.kinds = [rows.of_kinds(kinds) for rows in by_class]

    def inputs(
        self, rows: np.ndarray, chosen: np.ndarray, step: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log-mel excerpts (C, F, T) and the labels of their targets (C, N)."""
        if self.waveforms:
            mel, labels = self._altered(rows, chosen, step)
        else:
            mel = self.split.gather(rows[chosen])
            labels = self._labels(rows[chosen], np.ones(len(chosen)), UNLABELLED)
        if self.config.masks:
            stream = random_stream(self.config.seed, "masks", step)
            hidden = [draw_masks(stream, mel.shape[1:]) for _ in rows]
            for excerpt, k in zip(mel, chosen, strict=True):
                mask_spans(excerpt, self.mean, *hidden[k])
        return mel, labels

    def _altered(
        self, rows: np.ndarray, chosen: np.ndarray, step: int
    ) -> tuple[np.ndarray, np.ndarray]:
        config, stream = self.config, random_stream(self.config.seed, "augmentation", step)
        alterations = [draw_alteration(stream, config.augment, config.level) for _ in rows]
        added = np.full((len(rows), 2), -1)
        if len(self.absent):
            is_mixed = stream.random(len(rows)) < config.mix
            added[is_mixed] = self._draw_absent(stream, len(rows))[is_mixed, :2]
        own, added = [alterations[k] for k in chosen], added[chosen]
        mel = alter_excerpts(self.waveforms, rows[chosen], own, added, self.split.front_end)
        scales = np.array([alteration.time_scale for alteration in own])
        labels = self._labels(rows[chosen], scales, UNLABELLED)
        mixed = added[:, 0] >= 0
        with_added = self._labels(added[mixed], scales[mixed], 0)
        labels[mixed] = labels_of_mixtures(labels[mixed], with_added)
        return mel, labels

    def _labels(self, centres: np.ndarray, time_scales: np.ndarray, beyond: int) -> np.ndarray:
        """Labels (C, N) of the targets around centres (C, 2+), `beyond` the ends of recordings."""
        labels = np.full((len(centres), len(self.targets)), beyond)
        for row, (i, frame), scale in zip(labels, centres[:, :2], time_scales, strict=True):
            of_file = self.split.labels[i]
            frames = frame + np.rint(self.targets / scale).astype(int)
            inside = (frames >= 0) & (frames < len(of_file))
            row[inside] = of_file[frames[inside]]
        return labels

    def _draw_absent(self, stream: np.random.Generator, count: int) -> np.ndarray:
        """Rows (N, 3) of the class "absent"; with `config.balance` each kind as often."""
        if self.config.balance:
            return np.concatenate([_draw(self.kinds[0], stream) for _ in range(count)])
        return self.absent[stream.integers(len(self.absent), size=count)]


def labels_of_mixtures(own: np.ndarray, added: np.ndarray) -> np.ndarray:
    """Labels of mixtures of two sounds: the second class if either has it, the first if both."""
    unknown = (own == UNLABELLED) | (added == UNLABELLED)
    return np.where((own == 1) | (added == 1), 1, np.where(unknown, UNLABELLED, 0))


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

    def inputs(
        self, rows: np.ndarray, chosen: np.ndarray, step: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pictures (N, C, H, W) and their class (N, 1)."""
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
        return pictures[chosen], rows[chosen, 2:]


@singledispatch
def batches_for(split: Any, config: TrainClassifierConfig, target_frames: Sequence[int]) -> Batches:
    """The batches of a training on a split: one function for each kind of split."""
    raise UsageError(f"classifiers are not trained on {split.front_end.plural}")


@batches_for.register
def _of_excerpts(
    split: Split, config: TrainClassifierConfig, target_frames: Sequence[int]
) -> Batches:
    folder, rate = cache_directory(config.cache), split.front_end.sample_rate
    altered = split.recordings if alters_sound(config) else ()
    waveforms = [cached_waveform(recording.path, rate, folder) for recording in altered]
    return ExcerptBatches(config, split, waveforms, target_frames)


@batches_for.register
def _of_pictures(
    split: ImageSplit, config: TrainClassifierConfig, target_frames: Sequence[int]
) -> Batches:
    return PictureBatches(config, split)


def shift_picture(picture: np.ndarray, down: int, right: int) -> np.ndarray:
    """A picture (C, H, W) shifted by whole pixels; the edge is repeated."""
    height, width = picture.shape[1:]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return picture[:, rows][:, :, columns]
