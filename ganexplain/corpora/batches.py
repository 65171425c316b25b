"""Training batches of a classifier, each a function of its step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.audio.augment import alter_excerpts, draw_alteration
from ganexplain.config import TrainClassifierConfig
from ganexplain.corpora.picture_folders import ImageSplit
from ganexplain.corpora.recordings import UNLABELLED
from ganexplain.corpora.splits import Split, batch_rows
from ganexplain.runs.distributed import rank_slice
from ganexplain.runs.machine import random_stream

FARTHEST = 1 / 8  # of a side: how far a picture is moved, at most
LARGEST_HOLE = 1 / 4  # of a side

TIME_MASKS, TIME_MASK_FRAMES = 2, 20
BAND_MASKS, BAND_MASK_BANDS = 1, 16


@dataclass(frozen=True)
class Batch:
    """Excerpts (B, F, T) in nat, of class `label` (B,) to `share` (B,), of `other` to the rest."""

    mel: np.ndarray
    label: np.ndarray
    other: np.ndarray
    share: np.ndarray


def alters_sound(config: TrainClassifierConfig) -> bool:
    """Whether batches are made from waveforms, not from the features of recordings as they are."""
    return bool(config.augment or config.level or config.mix)


class TrainingBatches:
    """The batches of one training: which excerpts, and how they are altered.

    `waveforms[i]` (samples,) belong to `split.recordings[i]`; there are none where `alters_sound`
    says no. Where the corpus has a class "absent" (the first of two), a share `config.mix` of the
    excerpts is heard through an excerpt of that class, which leaves the label as it was: voices
    alone become voices over instruments, and instruments more instruments.
    """

    def __init__(
        self, config: TrainClassifierConfig, split: Split, waveforms: Sequence[np.ndarray]
    ) -> None:
        self.config, self.split, self.waveforms = config, split, waveforms
        self.rows = split.labelled_frames()
        self.silence = split.front_end.silence
        self.mean = split.band_statistics()[0]
        two_classes = self.rows.classes().max() == 1
        self.absent = self.rows.of_class(0 if config.mix and two_classes else UNLABELLED)

    def make(self, step: int) -> Batch:
        """The batch of one update, of several processes this one's part of it."""
        config = self.config
        rows = self.rows[batch_rows(len(self.rows), config.batch_size, step, config.seed)]
        mine = np.arange(len(rows))[rank_slice()]
        label, share = rows[:, 2], np.ones(len(rows), dtype=np.float32)
        mel = self._excerpts(rows, mine, step)
        if not config.mixup:
            return Batch(mel, label[mine], label[mine], share[mine])
        stream = random_stream(config.seed, "mixup", step)
        share = stream.beta(config.mixup, config.mixup, len(rows)).astype(np.float32)
        partner = stream.permutation(len(rows))[mine]
        weight = share[mine, None, None]
        mel = weight * mel + (1 - weight) * self._excerpts(rows, partner, step)
        return Batch(mel, label[mine], label[partner], share[mine])

    def _excerpts(self, rows: np.ndarray, chosen: np.ndarray, step: int) -> np.ndarray:
        """Those `chosen` (C,) of the excerpts at `rows` (B, 3), each with its own alterations."""
        mel = (
            self._altered(rows, chosen, step) if self.waveforms else self.split.gather(rows[chosen])
        )
        if self.config.masks:
            stream = random_stream(self.config.seed, "masks", step)
            hidden = [draw_masks(stream, mel.shape[1:]) for _ in rows]
            for excerpt, k in zip(mel, chosen, strict=True):
                hide(excerpt, self.mean, *hidden[k])
        return mel

    def _altered(self, rows: np.ndarray, chosen: np.ndarray, step: int) -> np.ndarray:
        config, stream = self.config, random_stream(self.config.seed, "augmentation", step)
        alterations = [draw_alteration(stream, config.augment, config.level) for _ in rows]
        added = np.full((len(rows), 2), -1)
        if len(self.absent):
            with_added = stream.random(len(rows)) < config.mix
            places = stream.integers(len(self.absent), size=len(rows))
            added[with_added] = self.absent[places[with_added]][:, :2]
        own = [alterations[k] for k in chosen]
        front_end = self.split.front_end
        return alter_excerpts(self.waveforms, rows[chosen], own, added[chosen], front_end)


def draw_masks(
    stream: np.random.Generator, shape: tuple[int, ...]
) -> tuple[list[slice], list[slice]]:
    """Spans of bands and of frames to hide in an excerpt of shape (F, T)."""

    def span(size: int, widest: int) -> slice:
        width = int(stream.integers(widest + 1))
        start = int(stream.integers(size - width + 1))
        return slice(start, start + width)

    bands = [span(shape[0], BAND_MASK_BANDS) for _ in range(BAND_MASKS)]
    return bands, [span(shape[1], TIME_MASK_FRAMES) for _ in range(TIME_MASKS)]


def hide(mel: np.ndarray, mean: np.ndarray, bands: list[slice], frames: list[slice]) -> None:
    """Set spans of bands and frames of an excerpt (F, T) to the bands' mean (F,), in place.

    SpecAugment (Park et al. 2019) without its time warp, which stretching is already.
    """
    for span in frames:
        mel[:, span] = mean[:, None]
    for span in bands:
        mel[span] = mean[span, None]


class PictureBatches:
    """Pictures, a share `config.augment` of them moved by up to an eighth of their sides.

    What comes in at an edge repeats it. With `config.masks` a rectangle of up to a quarter of
    each side is set to the channels' mean; `config.mixup` blends pairs as in excerpts.
    """

    def __init__(self, config: TrainClassifierConfig, split: ImageSplit) -> None:
        self.config, self.split = config, split
        self.rows = split.labelled_frames()
        self.mean = split.band_statistics()[0]

    def make(self, step: int) -> Batch:
        """The batch of one update, of several processes this one's part of it."""
        config = self.config
        rows = self.rows[batch_rows(len(self.rows), config.batch_size, step, config.seed)]
        mine = np.arange(len(rows))[rank_slice()]
        label, share = rows[:, 2], np.ones(len(rows), dtype=np.float32)
        pictures = self._altered(rows, step)
        if not config.mixup:
            return Batch(pictures[mine], label[mine], label[mine], share[mine])
        stream = random_stream(config.seed, "mixup", step)
        share = stream.beta(config.mixup, config.mixup, len(rows)).astype(np.float32)
        partner = stream.permutation(len(rows))
        weight = share[:, None, None, None]
        mixed = weight * pictures + (1 - weight) * pictures[partner]
        return Batch(mixed[mine], label[mine], label[partner][mine], share[mine])

    def _altered(self, rows: np.ndarray, step: int) -> np.ndarray:
        pictures, stream = self.split.gather(rows), random_stream(self.config.seed, "moves", step)
        sides = np.array(pictures.shape[2:])
        farthest = (sides * FARTHEST).astype(int)
        for picture in pictures:
            moved = stream.random() < self.config.augment
            far = stream.integers(-farthest, farthest + 1)
            width = stream.integers((sides * LARGEST_HOLE).astype(int) + 1)
            top, left = stream.integers(sides - width + 1)
            if moved:
                picture[:] = moved_by(picture, *far)
            if self.config.masks:
                hole = picture[:, top : top + width[0], left : left + width[1]]
                hole[:] = self.mean[:, None, None]
        return pictures


def moved_by(picture: np.ndarray, down: int, right: int) -> np.ndarray:
    """A picture (C, H, W) moved by whole pixels; what comes in at an edge repeats it."""
    height, width = picture.shape[1:]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return picture[:, rows][:, :, columns]
