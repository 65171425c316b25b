"""Dataclasses written to a file come back as they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pytest

from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.dataclass_files import read_dataclass, write_dataclass

T = TypeVar("T")


@dataclass(frozen=True)
class Pair(Generic[T]):
    left: T
    right: T


@dataclass(frozen=True)
class Inner:
    values: np.ndarray
    share: float | None


@dataclass(frozen=True)
class Outer:
    name: str
    neuron: int | str
    span: tuple[float, float]
    numbers: tuple[int, ...]
    inner: Sequence[Inner]
    by_name: Mapping[str, Inner]
    missing: Inner | None
    sound: bytes
    details: Mapping[str, object]
    file: Path
    pair: Pair[str]


def outer(**changed: Any) -> Outer:
    inner = Inner(np.array([[1.5, -2.0]], np.float32).T, 1 / 3)
    found: dict[str, Any] = {
        "name": "näme", "neuron": "17@max", "span": (0.1, 1e-300), "numbers": (1, 2),
        "inner": (inner, Inner(np.array("file.ogg"), None)), "by_name": {"one": inner},
        "missing": None, "sound": b"\x00fLaC", "details": {"a": [1, {"b": True}]},
        "file": Path("a/b"), "pair": Pair("l", "r"),
    }  # fmt: skip
    return Outer(**(found | changed))


def same(one: object, two: object) -> bool:
    """Equal in values and types, also of arrays."""
    if isinstance(one, np.ndarray):
        assert isinstance(two, np.ndarray)
        return one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()
    if isinstance(one, Outer | Inner):
        parts = ((getattr(one, f.name), getattr(two, f.name)) for f in fields(one))
        return type(one) is type(two) and all(same(*each) for each in parts)
    if isinstance(one, tuple) and isinstance(two, tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, dict) and isinstance(two, dict):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    return type(one) is type(two) and one == two


@pytest.mark.parametrize("changed", [{}, {"neuron": 3, "missing": Inner(np.zeros(0), 2.0)}])
def test_values_of_all_types_come_back(changed: dict[str, Any], tmp_path: Path) -> None:
    path, written = tmp_path / "a.npz", outer(**changed)
    write_dataclass(path, "thing", written)
    assert same(read_dataclass(path, "thing", Outer), written)


def test_a_file_of_other_fields_is_refused(tmp_path: Path) -> None:
    write_dataclass(tmp_path / "a.npz", "thing", Pair("l", "r"))
    with pytest.raises(GanexplainError, match=r"a\.npz: not a complete thing file .*make it again"):
        read_dataclass(tmp_path / "a.npz", "thing", Outer)
    with pytest.raises(UsageError, match=r"a\.npz: contains 'thing', but 'part' is needed"):
        read_dataclass(tmp_path / "a.npz", "part", Outer)
