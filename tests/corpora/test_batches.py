"""Training batches: made ahead, altered and blended, and still a function of their step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support.commands import torchrun_sets
from support.recordings import RATE, noise, tone

from ganexplain.audio.log_mel import log_mel
from ganexplain.config import TrainClassifierConfig
from ganexplain.corpora.batches import (
    ExcerptBatches,
    PictureBatches,
    draw_masks,
    labels_of_mixtures,
    mask_spans,
)
from ganexplain.corpora.picture_folders import ImageSplit, Picture
from ganexplain.corpora.recordings import UNLABELLED, Recording, Segment
from ganexplain.corpora.splits import Split
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.runs import prefetch as prefetch_module
from ganexplain.runs.prefetch import Prefetch

FRONT_END = FrontEnd()
PLAIN = TrainClassifierConfig(corpus=(), augment=0, level=0, mix=0, masks=False, batch_size=16)


def split_of(sounds: list[np.ndarray], labels: list[int]) -> tuple[Split, list[np.ndarray]]:
    waveforms = [sound.astype(np.float32) for sound in sounds]
    mels = tuple(log_mel(sound, FRONT_END) for sound in waveforms)
    recordings = tuple(
        Recording(Path(f"{i}.wav"), "train", (Segment(0, 4, label),), Path(f"{i}.lab"))
        for i, label in enumerate(labels)
    )
    numbers = tuple(np.full(len(m), label) for m, label in zip(mels, labels, strict=True))
    return Split(recordings, mels, numbers, FRONT_END), waveforms


VOICE, BAND = tone(700, 4.0) + noise(4.0, level=1e-3, seed=2), noise(4.0, level=0.2, seed=1)
SPLIT, WAVEFORMS = split_of([BAND, VOICE], [0, 1])


def test_a_batch_is_a_function_of_its_step() -> None:
    config = replace(PLAIN, augment=0.7, level=5.0, mix=0.5, masks=True, mixup=0.3)
    first = [ExcerptBatches(config, SPLIT, WAVEFORMS).make(step) for step in (0, 1, 2)]
    again = [ExcerptBatches(config, SPLIT, WAVEFORMS).make(step) for step in (2, 1, 0)][::-1]
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.mel, two.mel)
        np.testing.assert_array_equal(one.share, two.share)
    assert not np.array_equal(first[0].mel, first[1].mel)


def test_unaltered_batches_are_the_split_s_own_excerpts() -> None:
    batches = ExcerptBatches(PLAIN, SPLIT, [])
    batch = batches.make(3)
    assert (batch.share == 1).all() and (batch.label == batch.other).all()
    for excerpt, label in zip(batch.mel, batch.label[:, 0], strict=True):
        excerpts = batches.rows.of_class(label)
        rows = excerpts[np.arange(len(excerpts))]
        distance = min(np.abs(SPLIT.gather(row[None])[0] - excerpt).max() for row in rows)
        assert distance == 0


def test_added_sound_is_of_the_first_class_and_labels_stay() -> None:
    """With a share of one every voice is heard over the band, whose highs it has not itself."""
    config = replace(PLAIN, augment=1.0, batch_size=64)
    high = slice(70, 80)
    alone = ExcerptBatches(replace(config, mix=0.0), SPLIT, WAVEFORMS).make(0)
    mixed = ExcerptBatches(replace(config, mix=1.0), SPLIT, WAVEFORMS).make(0)
    np.testing.assert_array_equal(alone.label, mixed.label)
    voices = alone.label[:, 0] == 1
    assert np.median(alone.mel[voices][:, high]) < np.median(mixed.mel[voices][:, high]) - 1.5
    half = ExcerptBatches(replace(config, mix=0.5), SPLIT, WAVEFORMS).make(0)
    over = np.median(half.mel[voices][:, high], axis=(1, 2)) > -1.5
    assert 0.2 < over.mean() < 0.8


def test_targets_have_the_labels_of_their_own_frames() -> None:
    """A recording of 2 s of band and 2 s of voice; beyond its ends nothing is known."""
    split, waveforms = split_of([np.concatenate([BAND[: 2 * RATE], VOICE[: 2 * RATE]])], [0])
    label = np.arange(len(split.mels[0])) >= 140
    split = replace(split, labels=(label.astype(np.int64),))
    targets = (-60, -30, 0, 30, 60)
    plain = ExcerptBatches(PLAIN, split, [], targets)
    assert plain.make(0).mel.shape == (16, 80, 115 + 120)
    frames = plain.choose(0)[:, 1, None] + np.array(targets)
    inside = (frames >= 0) & (frames < len(label))
    expected = np.where(inside, label[np.clip(frames, 0, len(label) - 1)], UNLABELLED)
    np.testing.assert_array_equal(plain.make(0).label, expected)
    altered = ExcerptBatches(replace(PLAIN, augment=1.0, batch_size=64), split, waveforms, targets)
    batch = altered.make(0)
    known, high = batch.label != UNLABELLED, batch.mel[:, 70:, 57 : 57 + 121 : 30].mean(axis=1)
    loud = high > -3.5  # the band's highs, which the voice has not
    assert (loud == (batch.label == 0))[known].mean() > 0.9
    assert (~known).any() and (batch.label[:, 2] != UNLABELLED).all()


def test_a_mixture_has_the_second_class_where_either_has() -> None:
    own, added = np.array([[0, 1, 0, 1, UNLABELLED]]), np.array([[0, 0, 1, UNLABELLED, 0]])
    split, waveforms = split_of([BAND, np.concatenate([BAND, VOICE])], [0, 0])
    labels = (split.labels[0], np.repeat([0, 1], [len(split.mels[1]) - 280, 280]))
    split = replace(split, labels=labels)
    config, targets = replace(PLAIN, augment=1.0, batch_size=64), tuple(range(-300, 301, 100))
    alone = ExcerptBatches(config, split, waveforms, targets).make(0).label
    mixed = ExcerptBatches(replace(config, mix=1.0), split, waveforms, targets).make(0).label
    assert (mixed[alone == 1] == 1).all()
    assert (mixed[alone == 0] == 1).any() and (mixed[alone == UNLABELLED] != 0).all()
    np.testing.assert_array_equal(labels_of_mixtures(own, added), [[0, 1, 1, 1, UNLABELLED]])


def test_of_three_classes_nothing_is_added() -> None:
    split, waveforms = split_of([BAND, VOICE, VOICE], [0, 1, 2])
    config = replace(PLAIN, augment=1.0, mix=1.0)
    with_mix = ExcerptBatches(config, split, waveforms).make(0)
    without = ExcerptBatches(replace(config, mix=0.0), split, waveforms).make(0)
    np.testing.assert_array_equal(with_mix.mel, without.mel)


def test_mixup_is_a_weighted_sum_of_two_excerpts_and_their_labels() -> None:
    plain = ExcerptBatches(PLAIN, SPLIT, []).make(0)
    mixed = ExcerptBatches(replace(PLAIN, mixup=0.5), SPLIT, []).make(0)
    assert ((mixed.share >= 0) & (mixed.share <= 1)).all() and mixed.share.std() > 0.1
    for k, share in enumerate(mixed.share):
        sums = share * plain.mel[k] + (1 - share) * plain.mel
        partners = np.abs(sums - mixed.mel[k]).max(axis=(1, 2)) < 1e-4
        assert mixed.other[k] in plain.label[partners]


def test_balanced_batches_have_each_class_and_each_kind_in_it_as_often() -> None:
    """Of 4 s of band, 1 s of speech and 1 s of voice, which would be 66, 17 and 17 %."""
    split, _ = split_of([BAND, BAND[:RATE], VOICE[:RATE]], [0, 0, 1])
    kinds = zip(split.recordings, ("band", "speech", "band"), strict=True)
    split = replace(split, recordings=tuple(replace(r, kind=kind) for r, kind in kinds))
    batches = ExcerptBatches(replace(PLAIN, balance=True, batch_size=256), split, [])
    rows = np.concatenate([batches.choose(step) for step in range(4)])
    assert (batches.make(3).label == batches.choose(3)[:, 2:]).all()
    share = np.bincount(rows[:, 0]) / len(rows)
    assert share[2] == 0.5
    assert share[:2] == pytest.approx(0.25, abs=0.06)  # 0.016 is the deviation of the draw
    assert len(np.unique(rows, axis=0)) > 300  # of some 400 frames


def test_balanced_batches_of_pictures_have_each_class_as_often() -> None:
    """Of 9 pictures of one class and 1 of the other; without balance each is drawn in turn."""
    input_spec = ImageInput(height=8, width=8, channels=1)
    paths = tuple(Picture(Path(f"{i}.png"), "train", int(i == 9)) for i in range(10))
    values = np.random.default_rng(0).random((10, *input_spec.shape), dtype=np.float32)
    split = ImageSplit(paths, values, np.array([p.label for p in paths]), input_spec)
    config = replace(PLAIN, balance=True, batch_size=20)
    rows = np.concatenate([PictureBatches(config, split).choose(step) for step in range(5)])
    assert np.bincount(rows[:, 2]).tolist() == [50, 50]
    assert len(np.unique(rows[:, 0])) == 10
    batch = PictureBatches(config, split).make(0)
    assert np.bincount(batch.label[:, 0]).tolist() == [10, 10]
    assert (batch.mel[batch.label[:, 0] == 1] == values[9]).all()
    plain = PictureBatches(replace(config, balance=False), split).make(0)
    assert np.bincount(plain.label[:, 0]).tolist() == [18, 2]


def test_masks_hide_at_most_forty_frames_and_sixteen_bands_behind_the_mean() -> None:
    mean = np.arange(80, dtype=np.float32)
    mel = np.full((200, 80, 115), -50, dtype=np.float32)
    stream = np.random.default_rng(0)
    for excerpt in mel:
        mask_spans(excerpt, mean, *draw_masks(stream, (80, 115)))
    hidden = mel != -50
    assert (mel[hidden] == np.broadcast_to(mean[:, None], mel.shape)[hidden]).all()
    frames, bands = hidden.all(axis=1).sum(axis=1), hidden.all(axis=2).sum(axis=1)
    assert frames.max() <= 40 and bands.max() <= 16
    assert 15 < frames.mean() < 21 and 6 < bands.mean() < 10  # of 2 x U(0..20) and U(0..16)


@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_processes_divide_a_batch_among_them(monkeypatch: pytest.MonkeyPatch, mixup: float) -> None:
    config = replace(PLAIN, augment=0.7, level=5.0, mix=0.5, masks=True, mixup=mixup)
    whole = ExcerptBatches(config, SPLIT, WAVEFORMS).make(4)
    for rank in range(4):
        torchrun_sets(monkeypatch, rank, 4)
        part = ExcerptBatches(config, SPLIT, WAVEFORMS).make(4)
        for name in ("mel", "label", "other", "share"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[rank::4])


# --- made ahead -----------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_batches_come_in_order_and_none_after_the_last(threads: int) -> None:
    made: list[int] = []

    def make(step: int) -> int:
        time.sleep(0.002 * (step % 3))
        made.append(step)
        return 10 * step

    with Prefetch(make, threads) as prefetch:
        assert [prefetch.take(step, 19) for step in range(5, 20)] == list(range(50, 200, 10))
    assert sorted(made) == list(range(5, 20))


def test_waiting_is_what_the_trainer_could_not_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that only making (10 ms) and computing with a batch (30 ms) move on."""
    now = 0.0

    def pass_time(seconds: float) -> None:
        nonlocal now
        now += seconds

    def share(threads: int, make: Callable[[int], None]) -> float:
        with Prefetch(make, threads) as prefetch:
            for step in range(20):
                prefetch.take(step, 19)
                pass_time(0.03)
                for batch in prefetch.pending.values():  # made while the trainer computed
                    batch.result()
            return prefetch.waiting_share()

    monkeypatch.setattr(prefetch_module, "time", SimpleNamespace(monotonic=lambda: now))
    assert share(0, lambda step: pass_time(0.01)) == pytest.approx(0.19 / (0.6 + 0.19))
    assert share(2, lambda step: None) == 0


def test_an_error_in_making_a_batch_reaches_the_trainer() -> None:
    def make(step: int) -> int:
        if step == 2:
            raise ValueError("step two")
        return step

    with Prefetch(make, 2) as prefetch:
        assert prefetch.take(0, 9) == 0
        assert prefetch.take(1, 9) == 1
        with pytest.raises(ValueError, match="step two"):
            prefetch.take(2, 9)


def test_the_corpus_may_be_empty_of_sound_at_the_added_place() -> None:
    silence = np.zeros(4 * RATE)
    silence[: RATE // 10] = 0.1
    split, waveforms = split_of([silence + 1e-9 * noise(4.0), VOICE], [0, 1])
    batch = ExcerptBatches(replace(PLAIN, augment=1.0, mix=1.0), split, waveforms).make(0)
    assert np.isfinite(batch.mel).all()
