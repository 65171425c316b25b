"""Entries of other packages: found by name, loaded when asked for, checked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganexplain.errors import GanexplainError
from ganexplain.registry import Registry, installed

GROUP = "ganexplain.tested"


@pytest.fixture
def numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[int]]:
    metadata = tmp_path / "more_numbers-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: more-numbers\nVersion: 1.0\n")
    points = {name: f"more_numbers:{name.upper()}" for name in ("two", "four", "one", "absent")}
    points["gone"] = "more_numbers.gone:GONE"
    lines = [f"{name} = {value}" for name, value in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))
    (tmp_path / "more_numbers.py").write_text("ONE, TWO, FOUR = 10, 2, 'four'")
    monkeypatch.syspath_prepend(tmp_path)
    installed.cache_clear()
    yield Registry(int, GROUP, {"one": 1})
    installed.cache_clear()
    sys.modules.pop("more_numbers", None)


def test_names_are_listed_without_an_import(numbers: Registry[int]) -> None:
    assert list(numbers) == ["one", "absent", "four", "gone", "two"]
    assert len(numbers) == 5 and "two" in numbers and "three" not in numbers
    assert "more_numbers" not in sys.modules


def test_an_entry_of_another_package_is_loaded_when_asked_for(numbers: Registry[int]) -> None:
    assert numbers["two"] == 2


def test_a_name_of_the_product_cannot_be_replaced(numbers: Registry[int]) -> None:
    assert numbers["one"] == 1


@pytest.mark.parametrize("name, reason", [
    ("four", "more_numbers:FOUR is no builtins.int"),
    ("absent", "AttributeError: module 'more_numbers' has no attribute 'ABSENT'"),
    ("gone", "ModuleNotFoundError: No module named 'more_numbers.gone'"),
])  # fmt: skip
def test_a_broken_entry_names_its_package(numbers: Registry[int], name: str, reason: str) -> None:
    with pytest.raises(GanexplainError, match=r"^package more-numbers: ") as caught:
        numbers[name]
    assert f"{name!r} of its entry points {GROUP} cannot be used ({reason}" in str(caught.value)
