"""Checkpoints as safetensors contain what those of torch do, and every fault is one line."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.commands import Run
from support.paths import PRETRAINED

from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.checkpoints import (
    checkpoint_path,
    is_checkpoint,
    load_data,
    read_checkpoint,
    write_checkpoint,
)
from ganexplain.gans.checkpoint import load_gan
from ganexplain.networks.loaders.formats import load_network
from ganexplain.stages.rerun import compare_files

CPU = torch.device("cpu")


def copied(name: str, folder: Path) -> Path:
    """A shipped checkpoint, written again as safetensors."""
    content = load_data(PRETRAINED / f"{name}.pt")
    path = folder / f"{name}.safetensors"
    write_checkpoint(path, content.pop("kind"), {k: v for k, v in content.items() if k != "schema"})
    return path


def test_a_classifier_is_the_same_in_both_formats(tmp_path: Path) -> None:
    before = load_classifier(PRETRAINED / "referee.pt", CPU)
    after = load_classifier(copied("referee", tmp_path), CPU)
    x = torch.randn(2, 80, 115)
    assert torch.equal(before.network(x), after.network(x))
    assert (after.front_end, after.classes, after.threshold, after.figures, after.corpora) == (
        before.front_end, before.classes, before.threshold, before.figures, before.corpora
    )  # fmt: skip


def test_a_gan_is_the_same_in_both_formats(tmp_path: Path) -> None:
    path = copied("gan", tmp_path)
    (generator, encoder, made), (ours, own, also) = (
        load_gan(each, CPU) for each in (PRETRAINED / "gan.pt", path)
    )
    excerpts = generator(torch.randn(2, 128))
    assert made == also and torch.equal(own(excerpts)[0], encoder(excerpts)[0])
    assert all(torch.equal(v, ours.state_dict()[k]) for k, v in generator.state_dict().items())
    names = load_file(path).keys()  # another reader of safetensors finds both networks
    assert {name.partition("/")[0] for name in names} == {"generator", "encoder"}


def test_tables_in_tables_are_read_as_they_were(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    content = {
        "content": {"weights": {"a.b": shared[:3], "c": shared}, "layer": "conv5", "empty": {}},
        "config": {"corpus": ["x"], "n": 1, "none": None, "yes": True},
        "one": shared.view(2, 3).T,
    }
    write_checkpoint(tmp_path / "a.safetensors", "explainer", content)
    write_checkpoint(tmp_path / "b.safetensors", "explainer", content)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    found = read_checkpoint(tmp_path / "a.safetensors", "explainer")
    assert torch.equal(found["content"]["weights"]["a.b"], torch.tensor([0.0, 1, 2]))
    assert torch.equal(found["one"], torch.tensor([[0.0, 3], [1, 4], [2, 5]]))
    assert found["config"] == content["config"] and found["content"]["empty"] == {}
    content["one"] = shared.view(2, 3).T + 0.5
    write_checkpoint(tmp_path / "b.safetensors", "explainer", content)
    told = compare_files(tmp_path / "a.safetensors", tmp_path / "b.safetensors").difference
    assert told.startswith("one: by at most 0.5")


def test_values_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_checkpoint(tmp_path / "a.safetensors", "gan", {"figures": {"x": float("nan")}})
    assert not list(tmp_path.iterdir())


def with_header(text: str) -> Callable[[bytes], bytes]:
    """A file whose header is this text, without tensors."""
    return lambda _: struct.pack("<Q", len(text)) + text.encode()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda whole: whole[: len(whole) // 2], "not a complete ganexplain checkpoint"),
        (lambda whole: whole[:5], "not a complete ganexplain checkpoint"),
        (lambda whole: b"", "not a complete ganexplain checkpoint"),
        (lambda whole: b"\xff" * 7 + b"\x00" + whole[8:], "its header would have"),
        (with_header("nonsense"), "not a complete ganexplain checkpoint"),
        (with_header("{}"), "not a ganexplain checkpoint, but 'gan' is needed here"),
        (with_header('{"__metadata__": {"ganexplain": "{1"}}'), "not a complete"),
        (with_header('{"__metadata__": {"ganexplain": "[1]"}}'), "not a ganexplain checkpoint"),
        (lambda whole: whole.replace(b'"generator/', b'"generatoR/'), "'generatoR'"),
        (lambda whole: whole.replace(rb"\"kind\": \"gan\"", rb"\"kind\": \"gem\""), "gem"),
    ],
)
def test_a_fault_is_one_line(tmp_path: Path, spoil: Callable[[bytes], bytes], message: str) -> None:
    path = tmp_path / "gan.safetensors"
    weights = {"a.weight": torch.ones(2, 3)}
    write_checkpoint(path, "gan", {"generator": weights, "front_end": {"kind": "log-mel"}})
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(GanexplainError) as caught:
        read_checkpoint(path, "gan", ("generator",))
    text = str(caught.value)
    assert text.startswith(str(path)) and message in text and "\n" not in text
    assert not is_checkpoint(path, "gan") or "gem" in message


def test_weights_of_others_are_named_as_such(tmp_path: Path) -> None:
    save_file({"w": torch.ones(2)}, tmp_path / "net.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match=r"net\.safetensors: not a ganexplain checkpoint"):
        load_classifier(tmp_path / "net.safetensors", CPU)
    path = copied("referee", tmp_path)
    with pytest.raises(UsageError, match="pass it with --classifier"):
        load_network(str(path))


def test_the_format_is_chosen_by_its_name(command: Run, tmp_path: Path) -> None:
    assert checkpoint_path(tmp_path, "gan", "safetensors") == tmp_path / "gan.safetensors"
    done = command("train-gan", tmp_path, "--format", "safetensor", "--out", tmp_path / "run")
    assert done.code == 2 and "did you mean 'safetensors'" in done.error_line()
    done = command("layers", copied("referee", tmp_path), "--json")
    assert done.code == 0 and json.loads(done.out)["output"] == "fc9"
