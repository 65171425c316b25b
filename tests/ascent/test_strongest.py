"""The strongest excerpts of recordings that come one after the other: those of all at once."""

from __future__ import annotations

import numpy as np
import pytest

from ganexplain.ascent.responses import Strongest, strongest


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize("apart", [0, 7, 40])
@pytest.mark.parametrize("count", [1, 3, 25, 5000])
def test_recordings_one_by_one_have_the_same_as_all_at_once(
    direction: str, apart: int, count: int
) -> None:
    random = np.random.default_rng(count + apart)
    for values in (3, 50, 10**6):  # nearly all tied, many, none
        lengths = random.integers(0, 60, size=20)
        recording = np.repeat(np.arange(20), lengths)
        frames = np.concatenate([10 + 5 * np.arange(length) for length in lengths])
        centres = np.stack([recording, frames], axis=1)
        response = random.integers(0, values, size=len(centres)).astype(np.float32)
        response[recording == 4] = 1  # a constant
        wanted = centres[strongest(response, centres, count, apart, direction)]
        for parts in ([20], [1, 1, 1, 5, 0, 12]):
            found, first = Strongest(count, apart, direction), 0
            for size in parts:
                own = (recording >= first) & (recording < first + size)
                found.add(response[own], centres[own])
                first += size
            np.testing.assert_array_equal(found.centres, wanted)


def test_what_is_no_number_comes_last() -> None:
    found = Strongest(2, 0, "max")
    for recording, values in enumerate(([np.nan, np.nan], [1.0, np.nan], [2.0, 0.0])):
        centres = np.array([[recording, 0], [recording, 9]])
        found.add(np.array(values, dtype=np.float32), centres)
    assert found.centres.tolist() == [[2, 0], [1, 0]]
