"""Networks made by code in a file, files of other kinds, and what the user's code prints."""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

import pytest
import torch
from support.commands import Run
from torch import nn

from ganexplain.errors import UsageError
from ganexplain.networks.loaders.factories import code_of
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.loaders.names import is_factory
from ganexplain.networks.source import NetworkSource

CODE = """
from __future__ import annotations
from dataclasses import dataclass
from torch import nn
from sizes import BANDS

print("imported")

@dataclass
class Settings:
    units: int = 3

class Net(nn.Module):
    def __init__(self, settings: Settings | None = None):
        super().__init__()
        print("built")
        self.head = nn.Linear(BANDS * 115, (settings or Settings()).units)

    def forward(self, x):
        print("called")
        return self.head(x.flatten(1))

class Wanting(Net):
    def __init__(self, units, *more, scale, **named):
        super().__init__(Settings(units))

def small():
    return Net(Settings(2))

network = Net(Settings(5))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is not the current one, with code whose name is that of a package."""
    (tmp_path / "numpy.py").write_text(CODE)
    (tmp_path / "sizes.py").write_text("BANDS = 80\n")
    return tmp_path


@pytest.mark.parametrize(("name", "units"), [("Net", 3), ("small", 2), ("network", 5)])
def test_a_network_is_made_by_code_in_a_file(folder: Path, name: str, units: int) -> None:
    before = sys.modules["numpy"], list(sys.path)
    network = load_network(f"{folder}/numpy.py:{name}")
    assert network.get_parameter("head.weight").shape == (units, 9200)
    assert (sys.modules["numpy"], list(sys.path)) == before


def test_code_in_a_package_may_import_from_it(tmp_path: Path) -> None:
    package = tmp_path / "their_package" / "models"
    package.mkdir(parents=True)
    for part in (package, package.parent):
        (part / "__init__.py").touch()
    (package.parent / "blocks.py").write_text("from torch.nn import Linear\n")
    (package / "net.py").write_text(
        "from ..blocks import Linear\ndef made():\n    return Linear(4, 2)\n"
    )
    assert isinstance(load_network(f"{package}/net.py:made"), nn.Linear)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("numpy.py:Nett", r"has no 'Nett' \(did you mean 'Net'\?\)"),
        (
            "numpy.py:Wanting",
            r"needs arguments \(units, scale\); write one that needs no arguments, "
            r"def network\(\): return Wanting\(units=\.\.\., scale=\.\.\.\), "
            r"and name it as .*numpy\.py:network",
        ),
        ("numpy.py", r"add its class or function, .*numpy\.py:NAME \(it has Settings, Net, "),
        ("missing.py:Net", r"no such file as .*missing\.py"),
    ],
)
def test_what_a_file_of_code_does_not_have_is_named(folder: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_network(f"{folder}/{name}")


def test_a_module_that_fails_when_asked_for_a_name_is_answered_in_one_line(tmp_path: Path) -> None:
    code = tmp_path / "lazy.py"
    code.write_text("def __getattr__(name):\n    raise KeyError(name)\n")
    with pytest.raises(UsageError, match=r"lazy\.py fails when asked for 'Net' \(KeyError: 'Net'"):
        load_network(f"{code}:Net")


def test_a_file_of_code_is_run_only_if_it_is_named(folder: Path) -> None:
    model = f"{folder}/numpy.py:Net"
    assert is_factory(model)
    assert code_of(model) == f"{folder}/numpy.py"
    with pytest.raises(UsageError, match=r"runs code; if you trust it, add --classifier"):
        NetworkSource.from_meta({"classifier": model, "model": model})
    weights = folder / "weights.pt"
    torch.save(load_network(model).state_dict(), weights)
    moved = folder / "elsewhere"
    moved.mkdir()
    digests = {
        NetworkSource(model=name, weights=str(weights)).digest()
        for name in (model, f"{moved}/numpy.py:Net")
    }
    assert len(digests) == 1
    assert digests != {NetworkSource(model=f"{model}work", weights=str(weights)).digest()}


def test_what_the_users_code_prints_is_no_result(command: Run, folder: Path) -> None:
    done = command("layers", f"{folder}/numpy.py:Net", "--json")
    assert done.code == 0, done.err
    assert [row["layer"] for row in json.loads(done.out)["layers"]] == ["head", "output"]
    assert {"imported", "built", "called"} <= set(done.err.splitlines())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("n.keras", r"load_model\('.*n\.keras'\)\.export\(\"network\.onnx\", format=\"onnx\"\)"),
        ("n.H5", "KERAS_BACKEND=torch"),
        ("n.pb", r"--graphdef .*n\.pb --inputs NAME:0"),
        ("saved/saved_model.pb", r"--saved-model .*saved$"),
        ("musicnn/checkpoint", r"--checkpoint .*musicnn/NAME.meta"),
        ("n.nemo", r"ModelPT\.restore_from\('.*n\.nemo'\)\.export\(\"network\.onnx\"\)"),
        ("n.mlmodel", "Core ML"),
        ("n.mlpackage/Manifest.json", "Core ML"),
        ("n.safetensors", r"name its factory, --model file\.py:NAME --weights .*n\.safetensors"),
        ("n.zip", "an archive; unpack it"),
        ("n.tar.gz", "an archive; unpack it"),
        ("n.pkl", "runs any code"),
        ("n.xyz", r"one of the endings \.pt"),
    ],
)
def test_files_of_other_kinds_are_answered_with_the_way_to_go(
    name: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    named = path if path.parent == tmp_path else path.parent
    with pytest.raises(UsageError, match=message) as caught:
        load_network(str(named))
    assert "\n" not in str(caught.value)


def test_a_config_json_of_others_does_not_hide_the_kind_of_a_folder(tmp_path: Path) -> None:
    """As of musicnn, a checkpoint of TensorFlow beside its own config.json."""
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="has no model_type"):
        load_network(str(tmp_path))
    (tmp_path / "checkpoint").touch()
    with pytest.raises(UsageError, match="a checkpoint of TensorFlow; convert it to ONNX"):
        load_network(str(tmp_path))


def test_an_ending_of_several_kinds_is_told_apart(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "archive.tar", "w"):
        pass
    with pytest.raises(UsageError, match="an archive; unpack it"):
        load_network(str(tmp_path / "archive.tar"))
    for name in ("best.pth.tar", "last.ckpt", "pytorch_model.bin"):
        torch.save({"state_dict": {"weight": torch.zeros(2)}}, tmp_path / name)
        with pytest.raises(UsageError, match="weights without a network"):
            load_network(str(tmp_path / name))
