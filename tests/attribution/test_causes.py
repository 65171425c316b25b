"""The smallest removal that changes a decision, and where in a sound it is."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
import soundfile as sf
import soxr
import torch
from support.recordings import noise, tone

from ganexplain.attribution.alarms import class_margins
from ganexplain.attribution.causes import CauseFinder, Segmentation, disjoint_shifts
from ganexplain.attribution.smallest_removal import smallest_removal
from ganexplain.audio.round_trip import as_heard
from ganexplain.classifiers.prediction import decision_margin
from ganexplain.errors import UsageError
from ganexplain.inputs.waveform import WaveformInput

SOUND = WaveformInput(sample_rate=8000, samples=8000)


def test_a_part_that_is_needed_is_removed_and_no_other() -> None:
    found = smallest_removal(lambda removed: 1.0 - 2.0 * removed[:, 3], 5)
    assert found.removed.tolist() == [False, False, False, True, False]
    assert found.weights.tolist() == [0, 0, 0, 2, 0]


def test_of_two_parts_that_are_needed_together_one_is_removed() -> None:
    found = smallest_removal(lambda removed: 0.5 - (removed[:, 0] | removed[:, 2]), 4)
    assert found.removed.sum() == 1 and found.removed[[0, 2]].any()


def test_of_two_parts_of_which_each_suffices_both_are_removed() -> None:
    found = smallest_removal(lambda removed: 0.5 - (removed[:, 1] & removed[:, 2]), 4)
    assert found.removed.tolist() == [False, True, True, False]


def test_where_nothing_helps_nothing_is_removed() -> None:
    assert not smallest_removal(lambda removed: np.ones(len(removed)), 4).removed.any()


def band_level(waveforms: np.ndarray, hertz: float) -> np.ndarray:
    """The level in nat of 100 Hz around a frequency in the loudest eighth of waveforms (N, W)."""
    pieces = waveforms.reshape(len(waveforms), 8, -1) * np.hanning(1000)
    power = np.abs(np.fft.rfft(pieces)) ** 2
    inside = np.abs(np.fft.rfftfreq(1000, 1 / 8000) - hertz) < 50
    level: np.ndarray = np.log(power[:, :, inside].sum(2).max(1) + 1e-9)
    return level


def test_a_tone_is_found_where_it_is_and_softened_no_more_than_needed() -> None:
    sound = noise(1.0, 8000).astype(np.float32)
    sound[2400:4400] += tone(1000, 0.25, 8000).astype(np.float32)

    def margins(waveforms: np.ndarray) -> np.ndarray:
        return band_level(waveforms, 1000) - np.log(2000)

    segments = Segmentation.of(SOUND, 8, 16)
    finder = CauseFinder(margins, SOUND, segments)
    cause = finder.find(sound)
    sounds = finder.sounds(sound, cause.bands, cause.spans, cause.attenuation_db)
    ((low, high),) = segments.hertz(cause.bands)
    ((start, end),) = segments.seconds(cause.spans, 1.0)
    assert low < 1000 < high < 2 * low and 0.2 < start < end < 0.65
    assert margins(sounds.whole[None]) > 0 >= margins(sounds.removed[None])
    assert cause.attenuation_db is not None
    assert 0 < cause.attenuation_db == round(2 * cause.attenuation_db) / 2 < 20
    assert -0.2 < margins(sounds.softer[None]) <= 0
    louder = band_level(sounds.alone[None], 1000) - band_level(sounds.alone[None], 2000)
    assert louder > 10  # what is left of all else is 80 dB softer


def test_elsewhere_is_beside_the_cause_or_nowhere() -> None:
    cells = np.zeros((6, 5), dtype=bool)
    cells[1:3, 1:4], cells[4, 0] = True, True
    apart = {
        (down, along)
        for down in range(6)
        for along in range(5)
        if not (np.roll(np.roll(cells, down, 0), along, 1) & cells).any()
    }
    assert {(int(a), int(b)) for a, b in disjoint_shifts(cells)} == apart and apart
    assert not len(disjoint_shifts(np.ones((6, 5), dtype=bool)))
    segments = Segmentation.of(SOUND, 1, 1)
    loud = CauseFinder(lambda waves: waves.std(1) - 0.01, SOUND, segments)
    cause = loud.find(noise(1.0, 8000).astype(np.float32))
    assert cause.bands.all() and cause.elsewhere is None


def test_the_bands_and_the_spans_cover_the_sound_without_gaps() -> None:
    segments = Segmentation.of(SOUND, 8, 16)
    each = [segments.hertz(row)[0] for row in np.eye(16, dtype=bool)]
    assert each[0][0] == 0 and each[-1][1] == 4000
    assert all(one[1] == other[0] for one, other in pairwise(each))
    assert segments.seconds(np.ones(8, dtype=bool), 1.0) == ((0.0, 1.0),)
    assert len(segments.seconds(np.array([1, 0, 1, 1, 0, 0, 0, 1], dtype=bool), 1.0)) == 3
    with pytest.raises(UsageError, match="--segments 900x16: the input has"):
        Segmentation.of(SOUND, 900, 16)


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_what_is_heard_is_what_a_reader_gets_of_the_file(rate: int) -> None:
    sound = (4 * noise(0.5, rate)).astype(np.float32)
    file = io.BytesIO()
    written = soxr.resample(sound, rate, 48_000, "HQ") if rate != 48_000 else sound
    sf.write(file, written, 48_000, format="WAV", subtype="PCM_16")
    file.seek(0)
    read = soxr.resample(sf.read(file, dtype="float32")[0], 48_000, rate, "HQ")[: sound.size]
    np.testing.assert_allclose(as_heard(sound, rate), read, atol=1e-4)
    assert np.abs(as_heard(10 * sound, rate)).max() <= 1.1


@pytest.mark.parametrize("count", [2, 3, 7])
def test_the_margins_of_all_classes_are_those_of_each(count: int) -> None:
    logits = torch.randn(5, count, generator=torch.Generator().manual_seed(0))
    each = [decision_margin(logits, k, 0.7) for k in range(count)]
    torch.testing.assert_close(class_margins(logits, 0.7), torch.stack(each, dim=1))
