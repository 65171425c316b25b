"""Figures and settings as the pages write them."""

from __future__ import annotations

from ganexplain.report.html.notation import setting


def test_one_iteration_is_no_plural() -> None:
    assert setting((0.1, 0.01, 1)).endswith(", 1 iteration")
    assert setting((0.1, 0.01, 2)).endswith(", 2 iterations")
