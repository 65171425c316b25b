"""Fields of a JSON object are read by type, and a wrong one is named with its place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ganexplain.errors import GanexplainError
from ganexplain.files.fields import Fields

VALUES: dict[str, object] = {
    "text": "a", "texts": ["a", "b"], "flag": True, "number": 1.5, "whole": 3, "share": 0.5,
    "wholes": [1, 2], "numbers": [1, 2.5], "ends": [1, 2], "object": {"inner": 1}, "null": None,
    "objects": [{"inner": 1}, {"inner": "x"}], "huge": 10**400,
}  # fmt: skip
FIELDS = Fields("a.json: ", VALUES, "run it again")
READERS: dict[str, tuple[Callable[[str], object], tuple[str, ...]]] = {
    "a text": (FIELDS.text, ("text",)),
    "a list of texts": (FIELDS.texts, ("texts", "null")),
    "true or false": (FIELDS.flag, ("flag", "null")),
    "a number": (FIELDS.number, ("number", "whole", "share")),
    "a whole number": (FIELDS.integer, ("whole",)),
    "a list of whole numbers": (FIELDS.integers, ("wholes", "ends")),
    "a list of numbers": (FIELDS.numbers, ("wholes", "ends", "numbers")),
    "two numbers": (FIELDS.interval, ("ends", "wholes", "numbers")),
    "an object": (FIELDS.child, ("object", "null")),
    "a list": (FIELDS.children, ("objects",)),
}


@pytest.mark.parametrize("wanted", READERS)
def test_a_value_of_another_kind_is_refused_by_name(wanted: str) -> None:
    read, fitting = READERS[wanted]
    for name in VALUES:
        if name in fitting:
            read(name)
        elif (wanted, name) not in {("a list", "texts"), ("a list", "wholes")}:
            with pytest.raises(GanexplainError, match=rf"^a\.json: {name}(\[0\])? is .*; run it"):
                read(name)


def test_a_share_is_from_0_to_1_and_an_interval_in_order() -> None:
    assert FIELDS.share("share") == 0.5
    with pytest.raises(GanexplainError, match=r"whole is 3.*, not a share from 0 to 1"):
        FIELDS.share("whole")
    with pytest.raises(GanexplainError, match="not a lower and an upper end"):
        Fields("", {"ends": [2, 1]}).interval("ends")


def test_null_counts_as_missing() -> None:
    assert "null" not in FIELDS and "none" not in FIELDS and "null" not in list(FIELDS)
    assert FIELDS.optional(FIELDS.number, "null") is None
    assert FIELDS.optional(FIELDS.number, "number") == 1.5
    assert FIELDS.text("null", "usual") == "usual"
    with pytest.raises(GanexplainError, match="null is None, not a text"):
        FIELDS.text("null")


def test_inner_fields_are_named_with_their_place() -> None:
    first, second = FIELDS.children("objects")
    assert first.integer("inner") == 1
    with pytest.raises(GanexplainError, match=r"^a\.json: objects\[1\]\.inner is 'x', not a whole"):
        second.integer("inner")
    with pytest.raises(GanexplainError, match=r"^a\.json: object\.inner is 1, not a text"):
        FIELDS.child("object").text("inner")
