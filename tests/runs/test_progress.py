"""The lines of a progress that no terminal shows."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from ganexplain.runs.progress import LineProgress


@pytest.mark.parametrize(("seconds", "most"), [(10, 2), (300, 13), (7200, 30)])
def test_lines_are_fewer_the_longer_a_step_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: int, most: int
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    progress = LineProgress()
    progress.start("work", seconds)
    shown = [0.0]
    for _ in range(seconds):
        now += 1
        progress.advance(loss=0.5)
        if f"work {int(now)}/{seconds}" in capsys.readouterr().err:
            shown.append(now)
    assert shown[-1] == seconds and len(shown) <= most
    gaps = [(after - before, after) for before, after in pairwise(shown)]
    assert all(gap <= max(15, after / 5 + 1) for gap, after in gaps)  # and none is silent for long
