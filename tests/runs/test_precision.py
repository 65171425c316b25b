"""In which precision networks compute."""

from __future__ import annotations

import pytest
import torch

from ganexplain.runs import precision
from ganexplain.runs.precision import autocast, is_bfloat16_fast, note_precision
from ganexplain.runs.progress import NullProgress

CPU = torch.device("cpu")


@pytest.mark.parametrize("fast", [True, False])
def test_bfloat16_is_float32_where_it_would_be_slow(
    fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "is_bfloat16_fast", lambda _: fast)
    with autocast("bfloat16", CPU):
        found = torch.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3))
    progress = NullProgress()
    note_precision("bfloat16", CPU, progress)
    assert found.dtype == (torch.bfloat16 if fast else torch.float32)
    assert len(progress.notes) == (0 if fast else 1)
    note_precision("float32", CPU, progress)
    with autocast("float32", CPU):
        assert torch.ones(2, 2).mm(torch.ones(2, 2)).dtype == torch.float32
    assert len(progress.notes) == (0 if fast else 1)


def test_a_processor_without_avx512_has_no_fast_bfloat16() -> None:
    assert is_bfloat16_fast(torch.device("cuda"))
    capability = torch.backends.cpu.get_cpu_capability()
    if capability in ("AVX2", "DEFAULT"):
        assert not is_bfloat16_fast(CPU)
    elif capability == "AVX512":
        assert is_bfloat16_fast(CPU)
