"""Training batches of a classifier of pictures, each a function of its step alone."""

from __future__ import annotations

import numpy as np

from ganexplain.config import TrainClassifierConfig
from ganexplain.corpora.batches import Batch
from ganexplain.corpora.picture_folders import ImageSplit
from ganexplain.corpora.splits import batch_rows
from ganexplain.runs.distributed import own_part
from ganexplain.runs.machine import random_stream

FARTHEST = 1 / 8  # of a side: how far a picture is moved, at most
LARGEST_HOLE = 1 / 4  # of a side


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
        mine = np.arange(len(rows))[own_part()]
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
