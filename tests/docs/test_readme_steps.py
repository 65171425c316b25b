"""The README's five commands, from recordings to a report, and its Python, as they are printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from support.commands import Run
from support.paths import ROOT
from support.recordings import JamendoFolder

# Smaller values, so that the chain takes seconds.
SMALLER = {
    "--steps 900": "--steps 3", "--autoencoder-steps 400": "--autoencoder-steps 2",
    "--sample-every 300": "--sample-every 3 --encoder-steps 2",
    "--examples 24": "--examples 2 --jobs 1",
    "--iterations 30": "--iterations 2", "--iterations 100": "--iterations 3",
    "--preset quick --out runs/first/classifier":
        "--preset quick --epochs 1 --updates-per-epoch 3 --workers 0 --out runs/first/classifier",
    "--out runs/first/report": "--griffin-lim-iterations 2 --heard 1 --out runs/first/report",
    "--corpus sample_data": "--hop-frames 50 --top 3 --corpus sample_data",
}  # fmt: skip

SMALLER_IN_PYTHON = {
    "top=10": "top=2, hop_frames=400",
    'search="adaptive", responses=real, examples=10':
        "learning_rate=0.1, prior_weight=0.01, iterations=2, examples=2",
    "select(found, responses=real)": "select(found, responses=real, controls=False)",
    'out="runs/python"': 'griffin_lim_iterations=1, out="runs/python"',
}  # fmt: skip


def printed_steps() -> list[str]:
    text = (ROOT / "README.md").read_text()
    section = text.partition("in five commands\n")[2].partition("\n## ")[0]
    block: str = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0].replace("\\\n", "")
    for printed, smaller in SMALLER.items():
        assert printed in block
        block = block.replace(printed, smaller)
    return block.splitlines()


@pytest.mark.slow
def test_five_commands_lead_to_a_report(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a small corpus in place of sample_data, with fewer updates, iterations and examples."""
    monkeypatch.chdir(tmp_path)
    steps = printed_steps()
    assert len(steps) == 5
    for step in steps:
        step = step.replace("sample_data/pretrained", str(ROOT / "sample_data/pretrained"))
        step = re.sub(r"sample_data(?= )", str(jamendo.root), step)
        done = command(*shlex.split(step)[1:])
        assert done.code == 0, (step, done.err)
    assert Path("runs/first/report/report.html").is_file()


@pytest.mark.slow
def test_the_example_from_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for usual, smaller in SMALLER_IN_PYTHON.items():
        assert usual in block
        block = block.replace(usual, smaller)
    names: dict[str, Any] = {}
    exec(block, names)
    found, real = names["found"], names["real"]
    assert found.inputs.shape == (1, 2, 80, 115) and real.inputs.shape == (2, 80, 115)
    assert (found.response[0] > found.start_response).all()
    assert (tmp_path / "runs" / "python" / "report.html").is_file()
