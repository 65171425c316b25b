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
        if " spent, " in capsys.readouterr().err:
            shown.append(now)
    assert shown[-1] == seconds and len(shown) <= most
    gaps = [(after - before, after) for before, after in pairwise(shown)]
    assert all(gap <= max(15, after / 5 + 1) for gap, after in gaps)  # and none is silent for long


@pytest.mark.parametrize(
    ("total", "at_most", "line"),
    [
        (100, False, "work 20/100  0:00:20 spent, 0:01:20 left"),
        (1600, False, "work 1 %  0:00:20 spent, 0:26:20 left"),
        (1600, True, "work 1 %  0:00:20 spent, at most 0:26:20 left"),
    ],
)
def test_many_units_are_a_percentage_and_an_end_by_a_rule_may_come_sooner(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    total: int,
    at_most: bool,
    line: str,
) -> None:
    now = iter([0.0, 20.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    progress = LineProgress()
    progress.start("work", total, at_most=at_most)
    progress.advance(20)
    assert capsys.readouterr().err.splitlines() == ["work ...", line]
