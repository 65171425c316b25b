"""The README's five commands, from recordings to a report, and its Python, as they are printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
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
@pytest.mark.parametrize("page", ["README.md", "docs/reference/python.md"])
def test_the_example_from_python_runs_as_printed(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(block, names)
    found = names["found"]
    assert names["layers"](names["network"])["conv5"] == (64, 21, 33)
    assert found.inputs.shape == (2, 4, 80, 115) and found.sounds(1).shape == (4, 36934)
    assert (found.response[1] > found.start_response).all()
    far = [(r.mean() - names["real"].mean()) ** 2 for r in found.response]  # the spreads are alike
    assert names["rank"](found, names["real"])[0]["setting"] == np.argmin(far)
