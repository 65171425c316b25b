"""Training batches of a classifier, each a function of its step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.config import TrainClassifierConfig
from ganexplain.data.augment import altered_excerpts, draw_alteration
from ganexplain.data.excerpts import Split, batch_rows
from ganexplain.runtime import random_stream

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
        self.silence = float(np.log(split.front_end.floor))
        self.mean = split.band_statistics()[0]
        self.absent = np.empty((0, 3), dtype=np.int64)
        if config.mix and self.rows[:, 2].max() == 1:
            self.absent = self.rows[self.rows[:, 2] == 0]

    def make(self, step: int) -> Batch:
        """The batch of one update."""
        config = self.config
        rows = self.rows[batch_rows(len(self.rows), config.batch_size, step, config.seed)]
        mel = self._excerpts(rows, step)
        if config.masks:
            mask(mel, self.mean, random_stream(config.seed, "masks", step))
        label = rows[:, 2]
        other, share = label, np.ones(len(rows), dtype=np.float32)
        if config.mixup:
            stream = random_stream(config.seed, "mixup", step)
            share = stream.beta(config.mixup, config.mixup, len(rows)).astype(np.float32)
            partner = stream.permutation(len(rows))
            mel = share[:, None, None] * mel + (1 - share[:, None, None]) * mel[partner]
            other = label[partner]
        return Batch(mel, label, other, share)

    def _excerpts(self, rows: np.ndarray, step: int) -> np.ndarray:
        if not self.waveforms:
            return self.split.gather(rows)
        config, stream = self.config, random_stream(self.config.seed, "augmentation", step)
        alterations = [draw_alteration(stream, config.augment, config.level) for _ in rows]
        added = np.full((len(rows), 2), -1)
        if len(self.absent):
            chosen = stream.random(len(rows)) < config.mix
            added[chosen] = self.absent[stream.integers(len(self.absent), size=chosen.sum()), :2]
        return altered_excerpts(self.waveforms, rows, alterations, added, self.split.front_end)


def mask(mel: np.ndarray, mean: np.ndarray, stream: np.random.Generator) -> None:
    """Set spans of frames and of bands of excerpts (B, F, T) to the bands' mean (F,), in place.

    SpecAugment (Park et al. 2019) without its time warp, which stretching is already.
    """
    bands, frames = mel.shape[1:]
    for excerpt in mel:
        for _ in range(TIME_MASKS):
            width = stream.integers(TIME_MASK_FRAMES + 1)
            start = stream.integers(frames - width + 1)
            excerpt[:, start : start + width] = mean[:, None]
        for _ in range(BAND_MASKS):
            width = stream.integers(BAND_MASK_BANDS + 1)
            start = stream.integers(bands - width + 1)
            excerpt[start : start + width] = mean[start : start + width, None]
