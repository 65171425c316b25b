"""What is refused before torch is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT

from ganexplain.cli.early import refuse_early
from ganexplain.config import ExplainConfig, SelectConfig
from ganexplain.errors import UsageError
from ganexplain.files.checkpoint_kind import kind_of
from ganexplain.files.checkpoints import read_checkpoint, write_checkpoint

NETWORKS = ROOT / "sample_data/pretrained"
WITHOUT_TORCH = """
import sys
from ganexplain.cli.early import refuse_early
from ganexplain.config import ExplainConfig
from ganexplain.errors import UsageError

for option, path in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        refuse_early("explain", ExplainConfig(**{option: path}))
    except UsageError as error:
        print(error)
assert "torch" not in sys.modules
"""


def test_a_wrong_kind_of_file_is_found_without_torch(tmp_path: Path) -> None:
    text, sound, code = tmp_path / "a.txt", tmp_path / "b.wav", tmp_path / "c.py"
    text.write_text("a network")
    sound.write_bytes(b"RIFF\0\0\0\0WAVE")
    code.write_text("def network(): ...")
    gan, ours = NETWORKS / "gan.pt", NETWORKS / "classifier.pt"
    refused = [
        ("classifier", text, f"--classifier {text}: not a ganexplain checkpoint, but 'classifier'"),
        ("classifier", gan, f"--classifier {gan}: contains 'gan', but 'classifier' is needed"),
        ("classifier", tmp_path, f"{tmp_path}: a folder, where a file is needed"),
        ("classifier", tmp_path / "no.pt", f"{tmp_path}/no.pt: no such file"),
        ("gan", sound, f"--gan {sound}: not a ganexplain checkpoint, but 'gan' is needed"),
        ("gan", ours, f"--gan {ours}: contains 'classifier', but 'gan' is needed"),
        ("model", sound, f"--model {sound}: neither module:factory"),
        ("model", code, f"--model {code}: a file of Python code; add its class or function"),
        ("model", tmp_path / "no.onnx", f"--model {tmp_path}/no.onnx: no such file"),
    ]
    words = [str(word) for option, path, _ in refused for word in (option, path)]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *words], capture_output=True, text=True, check=True
    )
    for line, (_, _, beginning) in zip(done.stdout.splitlines(), refused, strict=True):
        assert line.startswith(beginning)


def test_networks_of_their_kind_and_of_the_hub_are_not_refused() -> None:
    gan, ours = (str(NETWORKS / f"{name}.pt") for name in ("gan", "classifier"))
    refuse_early("explain", ExplainConfig(classifier=ours, gan=gan))
    refuse_early("explain", ExplainConfig(classifier="hf://a/b", gan="hf://a/b"))
    refuse_early("explain", ExplainConfig(model="torchvision.models:resnet18", gan=gan))
    refuse_early("select", SelectConfig(explanations="e", classifier="own.py:network"))


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_the_kind_of_a_checkpoint_is_told_as_it_is_read(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"one.{ending}"
    write_checkpoint(path, "explainer", {"values": [1, 2]})
    assert kind_of(path) == "explainer" == read_checkpoint(path, "explainer")["kind"]
    cut = tmp_path / f"cut.{ending}"
    cut.write_bytes(path.read_bytes()[:20])
    assert kind_of(cut) == ""
    with pytest.raises(UsageError, match="contains 'explainer'"):
        refuse_early("explain", ExplainConfig(classifier=str(path)))
