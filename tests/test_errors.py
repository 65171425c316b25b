"""What errors of libraries become in the one line that a user sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from ganexplain.errors import GanexplainError, reason_of
from ganexplain.files.checkpoints import load_data


class Unsafe:
    def __reduce__(self) -> tuple[Callable[[], Path], tuple[()]]:
        return Path.cwd, ()


@torch.jit.script
def of_three_axes(x: torch.Tensor) -> torch.Tensor:
    assert x.ndim == 3, "three axes"
    return x


def told(action: Callable[[], object]) -> str:
    with pytest.raises(Exception) as raised:
        action()
    return reason_of(raised.value)


def test_what_torch_puts_around_an_error_is_left_out(tmp_path: Path) -> None:
    wrong = {"weight": torch.ones(2, 2), "bias": torch.ones(4)}
    assert told(lambda: nn.Linear(3, 4).load_state_dict(wrong)).startswith("size mismatch for")
    assert told(lambda: of_three_axes(torch.ones(2))).endswith("AssertionError: three axes")
    torch.save({"a": Unsafe()}, tmp_path / "unsafe.pt")
    said = told(lambda: load_data(tmp_path / "unsafe.pt"))
    assert "GLOBAL getattr was not an allowed global" in said
    assert "weights_only" not in said  # how to load it all the same is no advice to give
    assert told(lambda: torch.empty(2**60)).startswith("DefaultCPUAllocator: ")


def test_frames_of_the_library_do_not_come_along() -> None:
    raised = RuntimeError(
        "[enforce fail at inline_container.cc:319] . the archive ends early\n"
        "frame #0: c10::ThrowEnforceNotMet(char const*, int)\n"
    )
    assert reason_of(raised) == "the archive ends early"
    one_line = RuntimeError("no such device. Exception raised from check at x.cpp:7 (most recent")
    assert reason_of(one_line) == "no such device"


def test_a_reason_is_one_short_line() -> None:
    assert reason_of(KeyError("layer")) == "KeyError: 'layer'"
    assert reason_of(ValueError()) == "ValueError"
    assert reason_of(GanexplainError("of ours.")) == "of ours"
    long = reason_of(RuntimeError("The first is short. " + 40 * "and the second is not "))
    assert long == "The first is short"
    assert len(reason_of(TypeError(1000 * "words "))) < 200
