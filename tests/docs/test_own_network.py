"""The tutorial "A network of your own", as it is printed."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from support.commands import Run
from support.paths import PRETRAINED, ROOT
from support.recordings import JamendoFolder


def blocks(kind: str) -> list[str]:
    """The page's blocks of code of a kind."""
    page = (ROOT / "docs/tutorials/own-network.md").read_text()
    return re.findall(rf"^```{kind}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_steps_work_as_printed(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a small corpus in place of sample_data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("detector.py").write_text(blocks("python")[0])
    Path("input.toml").write_text(blocks("toml")[0])
    __import__("detector")  # writes detector.pt
    sys.modules.pop("detector")
    assert Path("detector.pt").is_file()
    steps = blocks("sh")[0].replace("\\\n", "")
    steps = steps.replace("$GAN", str(PRETRAINED / "gan.pt"))
    steps = steps.replace("--corpus sample_data", f"--corpus {jamendo.root}")
    ran = []
    for line in steps.splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0] == "ganexplain":
            done = command(*words[1:])
            assert done.code == 0, done.err
            ran.append(words[1])
    assert ran == ["layers", "explain", "select"]
    assert steps.splitlines()[0] == "python detector.py"
    assert Path("runs/mine-select/selection.json").is_file()
