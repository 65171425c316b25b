"""The short form of `make torture`: a round of every kind of fault, on a few stages."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from support.commands import FORKED
from torture.checks import broken_files
from torture.faults import FAULTS, one_of_each
from torture.parts import rounds_until_deadline
from torture.table import Room, Round, table

KINDS = ("SIGKILL", "SIGINT", "full disk", "read-only", "memory")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "kinds"),
    [
        ("explain", (*KINDS, "two at once")),
        ("train-classifier", ("SIGTERM", "again")),
        ("predict", ("SIGKILL", "file limit")),
    ],
)
def test_what_a_fault_leaves_is_taken_up_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, kinds: tuple[str, ...]
) -> None:
    assert set(kinds) <= set(FAULTS)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # It forks, so it has to be a process without the threads that tests before have started.
    with ProcessPoolExecutor(1, FORKED) as pool:
        rounds = pool.submit(one_of_each, tmp_path, stage, kinds).result()
    assert rounds and not [one.violation for one in rounds if one.violation]


def test_the_torture_sees_what_is_broken(tmp_path: Path) -> None:
    """A check that cannot fail would find nothing: files cut off, and a part that breaks down."""
    whole = {"a.json": "{}", "b.csv": "x,y\n1,2\n", "c.html": "<p></html>", "d.jsonl": "{}\n"}
    for name, text in whole.items():
        (tmp_path / name).write_text(text)
    assert broken_files(tmp_path) == []
    for name, text in whole.items():
        (tmp_path / name).write_text(text[:-2])
    (tmp_path / "e.npz").write_bytes(b"PK\x03\x04")
    assert len(broken_files(tmp_path)) == 5

    def part(room: Room):  # type: ignore[no-untyped-def]
        yield Round("kind", "well", 2)
        raise KeyError("gone")

    rounds = rounds_until_deadline(part, Room(tmp_path, 0, time.time() + 9), "part")
    assert [one.outcome for one in rounds] == ["well", "broke down"] and rounds[1].violation
    assert "| all | | 3 |" in table(rounds)
