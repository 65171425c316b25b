"""A sound filtered by a map of its excerpt: nothing is lost, and the map is heard."""

from __future__ import annotations

import numpy as np
from support.recordings import noise, tone

from ganexplain.audio.filterbank import mel_frequencies
from ganexplain.audio.filtering import filter_by_share
from ganexplain.audio.log_mel import log_mel
from ganexplain.inputs.log_mel import FrontEnd

FRONT_END = FrontEnd()
SECONDS = FRONT_END.excerpt_samples / FRONT_END.sample_rate
SOUND = (noise(SECONDS) + tone(440.0, SECONDS) + tone(3000.0, SECONDS)).astype(np.float32)


def levels(sound: np.ndarray) -> np.ndarray:
    return log_mel(sound.astype(np.float32), FRONT_END).T


def test_a_full_map_changes_nothing() -> None:
    again = filter_by_share(SOUND, np.ones((80, 115)), FRONT_END)
    np.testing.assert_allclose(again, SOUND, atol=1e-6)


def test_kept_and_removed_add_up() -> None:
    share = np.random.default_rng(0).random((80, 115))
    kept, removed = (
        filter_by_share(SOUND, share, FRONT_END),
        filter_by_share(SOUND, 1 - share, FRONT_END),
    )
    np.testing.assert_allclose(kept + removed, SOUND, atol=1e-6)


def test_bands_that_are_kept_are_heard_and_others_are_not() -> None:
    peaks = mel_frequencies(FRONT_END)[1:-1]
    share = np.broadcast_to((peaks < 1500.0)[:, None], (80, 115)).astype(float)
    kept, whole = levels(filter_by_share(SOUND, share, FRONT_END)), levels(SOUND)
    low, high = peaks < 1200.0, (peaks > 2000.0) & (peaks < 7000.0)
    np.testing.assert_allclose(kept[low], whole[low], atol=0.3)
    assert (kept[high] < whole[high] - 4).all()


def test_spans_that_are_kept_are_heard_and_others_are_not() -> None:
    share = np.zeros((80, 115))
    share[:, 40:80] = 1
    kept, whole = levels(filter_by_share(SOUND, share, FRONT_END)), levels(SOUND)
    np.testing.assert_allclose(kept[:, 45:75], whole[:, 45:75], atol=0.3)
    assert (kept[:, :34] < whole[:, :34] - 4).all()
    assert (kept[:, 86:] < whole[:, 86:] - 4).all()
