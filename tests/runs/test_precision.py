"""In which precision networks compute."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganexplain.config import ExplainConfig, TrainClassifierConfig
from ganexplain.errors import UsageError
from ganexplain.runs import precision
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.precision import (
    autocast,
    in_precision,
    is_bfloat16_fast,
    with_precision_in_effect,
)
from ganexplain.runs.progress import NullProgress

CPU = torch.device("cpu")
BFLOAT16 = TrainClassifierConfig(corpus=("a",), precision="bfloat16", device="cpu")


@pytest.mark.parametrize("fast", [True, False])
def test_bfloat16_is_float32_where_it_would_be_slow(
    fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "is_bfloat16_fast", lambda _: fast)
    with autocast("bfloat16", CPU):
        found = torch.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3))
    progress = NullProgress()
    config = with_precision_in_effect(BFLOAT16, CPU, progress.note)
    assert config.precision == ("bfloat16" if fast else "float32")
    assert found.dtype == (torch.bfloat16 if fast else torch.float32)
    assert len(progress.notes) == (0 if fast else 1)
    with_precision_in_effect(replace(BFLOAT16, precision="float32"), CPU, progress.note)
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


def test_a_run_records_the_precision_in_effect_and_goes_on_in_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "is_bfloat16_fast", lambda _: False)
    with RunDirectory(tmp_path, "train-classifier", BFLOAT16, resume=False) as run:
        pass
    assert json.loads(run.run_file.read_text())["precision"] == "float32"
    RunDirectory(tmp_path, "train-classifier", BFLOAT16, resume=True).close()
    monkeypatch.setattr(precision, "is_bfloat16_fast", lambda _: True)
    with pytest.raises(UsageError, match=r"computed in float32, and this machine .* in bfloat16"):
        RunDirectory(tmp_path, "train-classifier", BFLOAT16, resume=True)


def test_a_share_in_another_precision_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ExplainConfig(classifier="a", gan="b", precision="bfloat16", device="cpu")
    monkeypatch.setattr(precision, "is_bfloat16_fast", lambda _: True)
    with RunDirectory(tmp_path, "explain", config, resume=False, share="0-of-2"):
        pass
    monkeypatch.setattr(precision, "is_bfloat16_fast", lambda _: False)
    with pytest.raises(UsageError, match=r"computed in bfloat16, and this machine .* in float32"):
        RunDirectory(tmp_path, "explain", config, resume=False, share="1-of-2")


def test_the_processes_of_a_search_compute_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "is_bfloat16_fast", lambda _: False)
    with in_precision("bfloat16", CPU):
        assert torch.ones(2, 2).mm(torch.ones(2, 2)).dtype == torch.bfloat16
