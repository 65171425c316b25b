"""The script for GPUs does every step, and its status tells whether all checks passed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from gpu import bench, check, checks

SCRIPT = Path(__file__).with_name("check.sh")


@pytest.mark.slow
def test_every_step_runs_once_on_a_cpu(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    done = subprocess.run(
        [SCRIPT, "--device", "cpu", "--tiny", "--out", out],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    assert report["left_out"] == {}
    assert len(report["checks"]) == 7 and all(found["passed"] for found in report["checks"])
    units = {rate["unit"] for rate in report["rates"]}
    assert units == {"example-iterations/s", "s", "updates/s", "passes/s"}
    assert all(rate["value"] > 0 for rate in report["rates"])


def test_a_step_that_is_wrong_or_raises_is_the_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(bench: bench.Bench, report: bench.Report) -> None:
        wanted = np.array([0.0, 1.0, 2.0])
        report.check("off by a tenth", checks.relative(wanted + 0.1, wanted), 0.05)

    def out_of_memory(bench: bench.Bench, report: bench.Report) -> None:
        raise torch.cuda.OutOfMemoryError("no memory\nmore words")

    out = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["check.py", "--device", "cpu", "--out", str(out)])
    for step in (wrong, out_of_memory):
        monkeypatch.setattr(check, "STEPS", (step,))
        assert check.main() == 1
    assert json.loads(out.read_text())["left_out"] == {
        "out_of_memory": "OutOfMemoryError: no memory"
    }


def test_differences_between_states_are_found() -> None:
    first = {"a": [torch.zeros(2), 1.0], "b": {"step": 3, "name": "x"}}
    second = {"a": [torch.tensor([0.0, 2.5]), 1.5], "b": {"step": 3, "name": "x"}}
    assert checks.largest_difference(first, first) == 0
    assert checks.largest_difference(first, second) == 2.5
