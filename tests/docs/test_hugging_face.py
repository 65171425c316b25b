"""The tutorial of a Hugging Face model, as it is printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from support.commands import Run
from support.paths import PRETRAINED, ROOT
from support.recordings import JamendoFolder

from ganexplain.files.arrays import read_arrays

PAGE = (ROOT / "docs/tutorials/hugging-face.md").read_text()


@pytest.mark.slow
def test_a_folder_of_transformers_is_explained_as_printed(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a small corpus in place of sample_data."""
    pytest.importorskip("transformers")
    monkeypatch.chdir(tmp_path)
    (steps,) = re.findall(r"^```sh\n(python -c .*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    python, _, steps = steps.removeprefix('python -c "\n').partition('\n"\n')
    exec(python, {})
    (feature,) = re.findall(r"^FEATURE=(.*)$", steps, re.MULTILINE)
    steps = steps.replace("\\\n", "").replace("$FEATURE", feature)
    steps = steps.replace("sample_data/pretrained", str(PRETRAINED))
    steps = steps.replace("--corpus sample_data", f"--corpus {jamendo.root}")
    steps = steps.replace("sample_data/audio", str(ROOT / "sample_data" / "audio"))
    ran = []
    for line in steps.splitlines():
        if line.startswith("ganexplain "):
            words = shlex.split(line)
            done = command(*words[1:])
            assert done.code == 0, done.err
            ran.append(words[1])
    assert ran == ["layers", "explain", "select", "attribute"]
    arrays, meta = read_arrays(Path("runs/ast/explanations.npz"), "explanations", ())
    assert f"{meta['layer']}:{meta['neuron']}" == feature
    assert arrays["response"].shape == (2, 4)
    assert Path("runs/ast-select/selection.json").is_file()
    assert list(Path("runs/ast-attribute").rglob("*.html"))
