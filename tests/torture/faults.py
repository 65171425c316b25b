"""Faults: every stage is hit at random moments and has to end as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator

from .table import Room, Round


def faults(room: Room) -> Iterator[Round]:
    """Rounds of faults, one of each kind in turn."""
    yield from ()
