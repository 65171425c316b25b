"""Weights in checkpoints as trainers write them, loaded into the network they belong to."""

from __future__ import annotations

import argparse
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support.commands import Run
from torch import nn

from ganexplain.errors import GanexplainError, UsageError
from ganexplain.networks.loaders.weights import load_weights
from ganexplain.networks.source import NetworkSource

Weights = dict[str, torch.Tensor]


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv1d(80, 4, 5), norm=nn.BatchNorm1d(4), pool=nn.AdaptiveAvgPool1d(1),
            flat=nn.Flatten(), head=nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)),
        )
    )  # fmt: skip


def behind(prefix: str) -> Callable[[Weights], Weights]:
    return lambda own: {prefix + name: value for name, value in own.items()}


def changed(own: Weights) -> Weights:
    return {name: value + 1 for name, value in own.items()}


def inner_compiled(own: Weights) -> Weights:
    """As of a network of which one part was compiled."""
    return {name.replace("head.", "head._orig_mod."): value for name, value in own.items()}


def averaged(own: Weights) -> Weights:
    """As torch.optim.swa_utils.AveragedModel has it."""
    return {"n_averaged": torch.tensor(3)} | behind("module.")(own)


WRITTEN: dict[str, Callable[[Weights], Any]] = {
    "as it is": lambda own: own,
    "DataParallel": behind("module."),
    "compile": behind("_orig_mod."),
    "both": behind("module._orig_mod."),
    "both, the other way round": behind("_orig_mod.module."),
    "a part compiled": inner_compiled,
    "FSDP": behind("_fsdp_wrapped_module."),
    "AveragedModel": averaged,
    "Lightning": lambda own: {"state_dict": behind("model.")(own), "epoch": 3, "loops": {"a": {}}},
    "some other prefix": behind("a.b."),
    "Lightning, with a loss": lambda own: {
        "state_dict": behind("net.")(own) | {"criterion.weight": torch.ones(2)}
    },
    "model_state_dict": lambda own: {"model_state_dict": own, "optimizer": {"state": {0: {}}}},
    "model beside ema": lambda own: {"model": own, "ema": changed(own)},
    "Lightning beside ema": lambda own: {
        "state_dict": behind("ema_model.module.")(changed(own)) | behind("model.")(own)
    },
    "twice": lambda own: {"model": own, "network": dict(own)},
    "ema alone": lambda own: {"ema": behind("module.")(own), "steps": 7},
    "nested": lambda own: {"checkpoint": {"state_dict": behind("encoder.model.")(own)}},
    "model_state": lambda own: {"model_state": own, "amp": None},
    "a generator's": lambda own: {"generator": own, "discriminator": {"w": torch.ones(3)}},
    "with objects": lambda own: {
        "state_dict": OrderedDict(behind("model.")(own)),
        "hyper_parameters": argparse.Namespace(folder=Path("/data"), rate=np.float64(0.1)),
        "optimizer": torch.optim.Adam([torch.nn.Parameter(torch.ones(2))]),
        "callbacks": {network: {"best": np.ones(3)}},
    },
    "a whole network": lambda own: {"model": filled_with(own), "epoch": 3},
    "a whole network alone": lambda own: filled_with(own),
    "without counters": lambda own: {
        name: value for name, value in own.items() if "num_batches" not in name
    },
}  # fmt: skip


def filled_with(own: Weights) -> nn.Module:
    filled = network(seed=2)
    filled.load_state_dict(own)
    return filled


@pytest.mark.parametrize("name", WRITTEN)
def test_weights_are_found_whatever_was_written_around_them(name: str, tmp_path: Path) -> None:
    own = network().state_dict()
    torch.save(WRITTEN[name](dict(own)), tmp_path / "weights.pt")
    filled = network(seed=1)
    load_weights(filled, f"{tmp_path}/weights.pt")
    for key, value in filled.state_dict().items():
        assert torch.equal(value, own[key]), key


class Turned(nn.Module):
    """Its weights were stored transposed before version 2."""

    _version = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(4.0).view(2, 2))

    def _load_from_state_dict(self, weights: Any, prefix: str, kept: Any, *more: Any) -> None:
        if kept.get("version") is None:
            raise ValueError("no version")
        if kept["version"] < 2:
            weights[f"{prefix}weight"] = weights[f"{prefix}weight"].T
        super()._load_from_state_dict(weights, prefix, kept, *more)


@pytest.mark.parametrize("more", [{}, {"object": Path("a")}])
@pytest.mark.parametrize("wrap", [lambda own: own, nn.DataParallel, nn.Sequential])
def test_the_versions_of_modules_are_kept(
    wrap: Callable[[nn.Module], nn.Module], more: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"model": wrap(nn.Sequential(Turned())).state_dict()} | more, path)
    filled = nn.Sequential(Turned())
    filled[0].get_parameter("weight").data.zero_()
    load_weights(filled, str(path))
    assert filled[0].get_parameter("weight").tolist() == [[0, 1], [2, 3]]
    torch.save(dict(filled.state_dict()), path)
    with pytest.raises(GanexplainError, match=r"do not fit the network \(no version\)"):
        load_weights(filled, str(path))


def test_weights_that_claim_to_be_huge_are_not_compared(tmp_path: Path) -> None:
    huge = {"weight": torch.zeros(1).expand(2**30, 2**30), "bias": torch.zeros(2)}
    torch.save({"a": huge, "b": dict(huge)}, tmp_path / "weights.pt")
    with pytest.raises(GanexplainError, match="size mismatch for weight"):
        load_weights(nn.Linear(2, 2), f"{tmp_path}/weights.pt")


def test_safetensors_may_have_prefixes_too(tmp_path: Path) -> None:
    own = network().state_dict()
    save_file(behind("model.")(dict(own)), tmp_path / "weights.safetensors")
    filled = network(seed=1)
    load_weights(filled, f"{tmp_path}/weights.safetensors")
    assert torch.equal(filled.get_parameter("conv.weight"), own["conv.weight"])


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (  # nothing says which are meant
            lambda own: behind("student.")(own) | behind("teacher.")(changed(own)),
            r"several places; name one, --weights .*\.pt:student or --weights .*\.pt:teacher$",
        ),
        (  # the names of both are shown
            lambda own: {f"x.{name}.y": value for name, value in own.items()},
            r"its names are x\.conv\.weight\.y, x\.conv\.bias\.y, \.\.\., the network's conv\.w",
        ),
        (  # the true cause, not the prefix
            lambda own: behind("module.")(own) | {"module.conv.weight": torch.ones(5, 80, 5)},
            r"size mismatch for conv\.weight",
        ),
        (
            lambda own: {name: value for name, value in own.items() if name != "head.2.bias"},
            r"Missing key\(s\) in state_dict: \"head\.2\.bias\"",
        ),
        (lambda own: own | {"extra.weight": torch.ones(2)}, r"Unexpected key.*extra\.weight"),
        (
            lambda own: {"epoch": 3, "loops": {"fit": 7}},
            "has no table of weights, only epoch, loops; save",
        ),
        (lambda own: [own], "has no table of weights"),
    ],
)
def test_what_does_not_fit_is_named(
    written: Callable[[Weights], Any], message: str, tmp_path: Path
) -> None:
    torch.save(written(dict(network().state_dict())), tmp_path / "weights.pt")
    with pytest.raises(GanexplainError, match=message):
        load_weights(network(seed=1), f"{tmp_path}/weights.pt")


def test_the_other_weights_that_fit_are_named_and_can_be_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = dict(network().state_dict())
    path = f"{tmp_path}/run.ckpt"
    torch.save({"state_dict": behind("model.")(own), "ema": behind("module.")(changed(own))}, path)
    for place, wanted in (("", own), (":ema.module", changed(own)), (":state_dict.model", own)):
        filled = network(seed=1)
        caplog.clear()
        load_weights(filled, path + place)
        torch.testing.assert_close(filled.state_dict(), wanted)
        said = (
            f"the weights in state_dict.model are used; others that fit: --weights {path}:ema.mod"
        )
        assert (said in caplog.text) == (not place)
    with pytest.raises(UsageError, match=r"no weights there \(did you mean 'ema\.module'\?\)"):
        load_weights(network(), f"{path}:ema.modul")
    digests = {
        NetworkSource(model="a.py:b", weights=path + p).digest() for p in ("", ":ema.module")
    }
    assert len(digests) == 2


def test_the_command_takes_them(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a factory that gives a wrapped network, too: its layers have their own names."""
    monkeypatch.chdir(tmp_path)
    Path("wrapped_networks.py").write_text(
        "from torch import nn\n"
        "def bare():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(80 * 115, 2))\n"
        "def parallel():\n"
        "    return nn.DataParallel(bare())\n"
    )
    weights = {"module.1.weight": torch.zeros(2, 9200), "module.1.bias": torch.ones(2)}
    torch.save(weights, "weights.pt")
    for factory in ("bare", "parallel"):
        done = command("layers", f"wrapped_networks:{factory}", "--weights", "weights.pt")
        assert done.code == 0, done.err
        assert "Linear" in done.out
        assert "module" not in done.out
