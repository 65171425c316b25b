"""Parts whose results are kept in files: their order, their notes, and what a fault says."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ganexplain.config.shared import Divides
from ganexplain.errors import GanexplainError
from ganexplain.runs.part_results import NumberedPart, PartedRun, PartWork
from ganexplain.runs.progress import LOGGER, NullProgress, Progress, forward_warnings
from ganexplain.runs.workers import HERE, Workers

PARTS = [NumberedPart(number, units=2) for number in range(4)]


@dataclass(frozen=True)
class Square:
    value: float


@dataclass(frozen=True)
class NamedPart(NumberedPart):
    name: str


class Counted(NullProgress):
    """The steps that were started, and the units done."""

    def __init__(self) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.units = 0

    def start(self, description: str, total: int, done: int = 0, at_most: bool = False) -> None:
        self.titles.append(description)
        self.units += done

    def advance(self, units: int = 1, **values: float) -> None:
        self.units += units


def squares(base: float) -> Callable[[NumberedPart, Progress], Square]:
    def square(part: NumberedPart, progress: Progress) -> Square:
        progress.start("a square", 1)
        progress.advance()
        progress.note(f"part {part.number}")
        LOGGER.warning("odd" if part.number % 2 else f"even {part.number}")
        return Square(base * part.number**2)

    return square


def work_of(base: float, steps: bool = False) -> PartWork[Square]:
    return PartWork(Square, squares, (base,), squares(base), steps)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A run directory, by whose settings workers know it."""
    (tmp_path / "config.toml").write_text("")
    return tmp_path


def run_of(out: Path, workers: Workers, progress: Progress) -> PartedRun:
    return PartedRun(out, workers, progress, "squares", worth_it=False)


class Backwards(ThreadPoolExecutor):
    """A thread that does the last of the parts first, as threads of a busy machine may."""

    def __init__(self) -> None:
        super().__init__(1)
        self.waiting: list[Callable[[], None]] = []

    def submit(self, do: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append(lambda: future.set_result(do(*args, **kwargs)))
        if len(self.waiting) == len(PARTS):
            for each in reversed(self.waiting):
                super().submit(each)
        return future


@pytest.mark.parametrize("threads", [False, True])
def test_results_notes_and_warnings_come_in_the_order_of_the_parts(
    threads: bool, out: Path
) -> None:
    progress, work = Counted(), work_of(0.1)
    with forward_warnings(lambda message: None) as warnings, Backwards() as pool:
        workers = Workers.of(Divides(), pool) if threads else HERE
        found = run_of(out, workers, progress).results(PARTS, work)
    assert [each.value for each in found] == [0.1 * n**2 for n in range(4)]
    assert progress.notes == [f"part {n}" for n in range(4)]
    assert warnings == ["even 0", "odd", "even 2"]
    assert progress.titles == ["squares"] and progress.units == 8


def test_a_warning_that_another_thread_had_before_is_new_to_this_one() -> None:
    def warned() -> tuple[list[str], list[str]]:
        with forward_warnings(lambda message: None) as found:
            before = list(found)
            LOGGER.warning("odd")
            return before, found

    with forward_warnings(lambda message: None) as outer, ThreadPoolExecutor(1) as pool:
        LOGGER.warning("odd")
        assert pool.submit(warned).result() == ([], ["odd"])
    assert outer == ["odd"]


def test_kept_results_are_not_made_again(out: Path) -> None:
    run_of(out, HERE, NullProgress()).results(PARTS[:3], work_of(1.0))
    progress = Counted()
    found = run_of(out, HERE, progress).results(PARTS, work_of(10.0))
    assert [each.value for each in found] == [0, 1, 4, 90]
    assert progress.notes[0] == "3 of 4 parts were done before" and progress.units == 8


def test_a_kept_result_of_another_part_of_the_same_number_is_not_used(out: Path) -> None:
    parts = [NamedPart(number, 1, name) for number, name in enumerate("ac")]
    run_of(out, HERE, NullProgress()).results(parts, work_of(1.0))
    parts = [NamedPart(number, 1, name) for number, name in enumerate("abc")]
    found = run_of(out, HERE, progress := NullProgress()).results(parts, work_of(10.0))
    assert [each.value for each in found] == [0, 10, 40]
    assert progress.notes[0] == "1 of 3 parts were done before"


@pytest.mark.parametrize("threads", [0, 3])
def test_a_part_whose_files_are_gone_is_done_again(threads: int, out: Path) -> None:
    def files(part: NumberedPart, found: Square) -> list[Path]:
        assert found.value == part.number**2
        return [out / f"{part.number}.txt"]

    run_of(out, HERE, NullProgress()).results(PARTS, work_of(1.0))
    for number in (0, 1, 3):
        (out / f"{number}.txt").touch()
    work = replace(work_of(10.0), files=files)
    with ThreadPoolExecutor(3) as pool:
        workers = Workers.of(Divides(), pool) if threads else HERE
        found = run_of(out, workers, progress := NullProgress()).results(PARTS, work)
    assert [each.value for each in found] == [0, 1, 40, 9]
    assert "3 of 4 parts were done before" in progress.notes


def test_a_single_part_with_steps_shows_them_and_keeps_no_file(out: Path) -> None:
    progress, work = Counted(), work_of(1.0, steps=True)
    assert run_of(out, HERE, progress).results(PARTS[1:2], work) == [Square(1.0)]
    assert progress.titles == ["a square"] and progress.units == 1
    assert not (out / "parts").exists()


def test_steps_of_several_parts_are_no_units(out: Path) -> None:
    progress, work = Counted(), work_of(1.0, steps=True)
    run_of(out, HERE, progress).results(PARTS, work)
    assert progress.titles == ["squares"] and progress.units == 8


def test_a_damaged_part_is_named(out: Path) -> None:
    work = work_of(1.0)
    run_of(out, HERE, NullProgress()).results(PARTS, work)
    PARTS[2].path(out).write_bytes(b"PK")
    with pytest.raises(GanexplainError, match=r"parts/000002-\w+\.npz: not a complete part file"):
        run_of(out, HERE, NullProgress()).results(PARTS, work)


def test_where_there_is_nothing_to_do_no_step_is_shown(tmp_path: Path) -> None:
    progress = Counted()
    run = PartedRun(tmp_path, HERE, progress, "squares", False)
    assert run.results([], work_of(1.0)) == [] and not progress.titles
