"""Networks brought along: TorchScript, torch.export, ONNX, factories, and what is refused."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support.commands import Run
from support.paths import PRETRAINED, ROOT
from torch import nn

from ganexplain.ascent.search_networks import fast_networks
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.arrays import read_arrays
from ganexplain.gans.checkpoint import load_generator
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import Call, input_values
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.adapter import named_layers
from ganexplain.networks.hooks import responses_and_features, unit_response
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.loaders.torchscript import ScriptedNetwork
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import adapt_network, example_inputs, load_target
from ganexplain.networks.units import Unit

CPU = torch.device("cpu")
GAN = ("--gan", PRETRAINED / "gan.pt")
SEARCH = ("--learning-rate", "0.1", "--prior-weight", "0.1", "--prior-weight", "0.001",
          "--iterations", "2", "--iterations", "5", "--examples", "4", "--jobs", "1")  # fmt: skip


@pytest.fixture(scope="module")
def own() -> nn.Module:
    return load_classifier(PRETRAINED / "classifier.pt", CPU).network


@pytest.fixture(scope="module")
def mel() -> torch.Tensor:
    return torch.randn(3, 80, 115, generator=torch.Generator().manual_seed(0)) * 2 - 4


@pytest.fixture(scope="module")
def exported(own: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Our classifier as others would hand it over."""
    folder = tmp_path_factory.mktemp("exported")
    paths = {name: folder / f"network.{name}" for name in ("pt", "pt2", "onnx")}
    paths["dynamo"] = folder / "dynamo.onnx"
    example = torch.zeros(2, 80, 115)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(own, example), str(paths["pt"]))
        free = ({0: torch.export.Dim("batch")},)
        torch.export.save(torch.export.export(own, (example,), dynamic_shapes=free), paths["pt2"])
        if importlib.util.find_spec("onnx") is not None:
            torch.onnx.export(
                own, (example,), str(paths["onnx"]), dynamo=False,
                input_names=["mel"], dynamic_axes={"mel": {0: "batch"}},
            )  # fmt: skip
        if importlib.util.find_spec("onnxscript") is not None:
            torch.onnx.export(
                own, (example,), str(paths["dynamo"]), dynamo=True, dynamic_shapes=free,
                verbose=False,
            )  # fmt: skip
    return paths


KINDS = [
    "pt",
    "pt2",
    pytest.param(
        "onnx",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("onnx") is None, reason="onnx is not installed"
        ),
    ),
    pytest.param(
        "dynamo",
        marks=pytest.mark.skipif(
            not all(map(importlib.util.find_spec, ("onnx", "onnxscript"))),
            reason="onnx or onnxscript is not installed",
        ),
    ),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_round_trip_gives_the_same_responses(
    own: nn.Module, exported: dict[str, Path], mel: torch.Tensor, kind: str
) -> None:
    explained = load_target(NetworkSource(model=str(exported[kind])), FrontEnd(), CPU)
    with torch.no_grad(), unit_response(explained.network, Unit.parse("output:0")) as respond:
        torch.testing.assert_close(respond(mel), own(mel)[:, 0], atol=1e-4, rtol=0)
    # And hidden layers, under their names.
    hidden = {"pt": "fc8", "pt2": "fc8", "onnx": "fc8/Gemm", "dynamo": "node_linear_1"}[kind]
    _, features = responses_and_features(explained.network, Unit.parse("output:0"), hidden, mel)
    _, wanted = responses_and_features(own, Unit.parse("fc9:0"), "fc8", mel)
    torch.testing.assert_close(features, wanted, atol=1e-3, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_round_trip_ranks_settings_the_same(
    run: Run, exported: dict[str, Path], ranked: list[int], some_of_the_sample: Path,
    tmp_path: Path, kind: str,
) -> None:  # fmt: skip
    out = tmp_path / "explain"
    run("explain", "--model", exported[kind], *GAN, *SEARCH, "--out", out, "--quiet")
    _, meta = read_arrays(out / "explanations.npz", "explanations", ())
    assert (meta["layer"], meta["model"]) == ("output", str(exported[kind]))
    assert _ranks(run, out, some_of_the_sample, tmp_path / "select") == ranked


@pytest.fixture(scope="module")
def ranked(
    run: Run, some_of_the_sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[int]:
    """Ranks of the settings for our own classifier."""
    folder = tmp_path_factory.mktemp("own")
    classifier = PRETRAINED / "classifier.pt"
    run("explain", "--classifier", classifier, *GAN, *SEARCH, "--out", folder / "e", "--quiet")
    return _ranks(run, folder / "e", some_of_the_sample, folder / "s", "--no-controls")


def _ranks(run: Run, explained: Path, corpus: Path, out: Path, *more: str) -> list[int]:
    done = run("select", explained, "--corpus", corpus, "--hop-frames", "400",
               "--top", "8", "--out", out, "--quiet", "--json", *more)  # fmt: skip
    return [row["rank"] for row in json.loads(done.out)["configurations"]]


def test_torchscript_runs_as_ordinary_modules(
    own: nn.Module, exported: dict[str, Path], mel: torch.Tensor
) -> None:
    native = torch.jit.load(str(exported["pt"]))
    opened = ScriptedNetwork(native)
    x = mel.clone().requires_grad_(True)
    torch.testing.assert_close(opened(x), native(mel), atol=0, rtol=0)
    (gradient,) = torch.autograd.grad(opened(x).sum(), x)
    y = mel.clone().requires_grad_(True)
    (wanted,) = torch.autograd.grad(own(y).sum(), y)
    torch.testing.assert_close(gradient, wanted)


class Counter(torch.nn.Module):
    """A network with control flow, lists, a function of its own and a state it writes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.calls = 0

    def forward(self, x: torch.Tensor, turns: int = 2) -> torch.Tensor:
        self.calls += 1
        parts = [x]
        for k in range(turns):
            parts.append(parts[-1] * 2 + k)
        if self.calls > 1:
            parts = parts[:1]
        return self.layer(torch.stack(parts).sum(0)) + len(parts)


def test_a_copy_of_scripted_code_has_weights_of_its_own() -> None:
    opened, x = ScriptedNetwork(torch.jit.script(Counter().eval())), torch.randn(2, 4)
    before = opened(x)
    copied = copy.deepcopy(opened)
    assert torch.equal(copied(x), before)
    copied.get_parameter("layer.bias").data += 1
    torch.testing.assert_close(copied(x), before + 1)
    assert torch.equal(opened(x), before)


def test_scripted_code_starts_afresh_with_every_pass() -> None:
    script = torch.jit.script(Counter().eval())
    opened, other = ScriptedNetwork(script), ScriptedNetwork(script)
    x = torch.randn(5, 4)
    first, second = opened(x), opened(x)
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(first, script(x))
    assert script.calls == 1  # theirs is touched by their own call alone
    torch.testing.assert_close(opened(x, turns=3), other(x, 3))


# --- factories and weights --------------------------------------------------------------------


FACTORY = """
import torch
from torch import nn

def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(80 * 115, 8), nn.ReLU(), nn.Linear(8, 2))

def needs(size, scale):
    return nn.Linear(size, 2)

def absent():
    raise ImportError("pip install it")

class Holder:
    network = small()

def nothing():
    return 3
"""


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of the user's, which is the current one."""
    (tmp_path / "their_networks.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("their_networks", None)
    return tmp_path


@pytest.mark.parametrize("kind", ["pt", "safetensors", "nested"])
def test_a_factory_with_weights(beside: Path, kind: str, mel: torch.Tensor) -> None:
    network = load_network("their_networks:small")
    assert isinstance(network, nn.Sequential)
    weights = {name: value + 1 for name, value in network.state_dict().items()}
    path = beside / f"weights.{'safetensors' if kind == 'safetensors' else 'pt'}"
    if kind == "safetensors":
        save_file(weights, path)
    else:
        torch.save({"state_dict": weights, "epoch": 3} if kind == "nested" else weights, path)
    filled = load_network("their_networks:small", str(path))
    torch.testing.assert_close(filled.state_dict(), weights)
    explained = adapt_network(filled, FrontEnd(), None, Call(classes=("a", "b")), CPU)
    assert list(named_layers(explained.network)) == ["0", "1", "2", "3", "output"]
    assert explained.class_of(Unit.parse("output:1")) == "b"


@pytest.mark.parametrize(
    "name, message",
    [
        ("their_networks:smal", r"no 'smal' \(did you mean 'small'\?\)"),
        ("their_networks:needs", "write one that needs no arguments"),
        ("their_networks:absent", r"failed \(ImportError: pip install it\)$"),
        ("their_networks:nothing", "returned int, not a torch module"),
        ("no_such_module:small", "cannot be imported"),
        ("their_networks", r"neither module:factory, file\.py:factory, a folder"),
        ("facebook/wav2vec2-base", r"write hf://facebook/wav2vec2-base"),
        ("missing.pt", "no such file"),
        ("network.h5", "no such file"),
    ],
)
def test_what_cannot_be_made_is_named(beside: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_network(name)


def test_pickles_are_refused_unless_trusted(beside: Path) -> None:
    network = load_network("their_networks:small")
    torch.save(network, "whole.pt")
    with pytest.raises(UsageError, match=r"runs any code in the file.*--trust-pickle"):
        load_network("whole.pt")
    assert isinstance(load_network("whole.pt", trust_pickle=True), nn.Sequential)
    torch.save(network.state_dict(), "weights.pt")
    with pytest.raises(UsageError, match="weights without a network"):
        load_network("weights.pt")
    with pytest.raises(UsageError, match="pass it with --classifier"):
        load_network(str(PRETRAINED / "classifier.pt"))
    torch.save({"other": torch.zeros(2)}, "other.pt")
    with pytest.raises(GanexplainError, match="do not fit the network"):
        load_network("their_networks:small", "other.pt")
    Path("broken.pt").write_bytes(b"not a network at all")
    with pytest.raises(GanexplainError, match=r"broken\.pt"):
        load_network("broken.pt")


@pytest.mark.skipif(importlib.util.find_spec("onnx") is None, reason="onnx is not installed")
def test_an_operator_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    shape = [2, 80, 115]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("x", "y")]
    for operator in ("RandomNormalLike", "NonMaxSuppression"):
        node = helper.make_node(operator, ["x"], ["y"])
        graph = helper.make_graph([node], "graph", values[:1], values[1:])
        opset = [helper.make_opsetid("", 13)]
        onnx.save(helper.make_model(graph, opset_imports=opset), tmp_path / "n.onnx")
        with pytest.raises(GanexplainError, match=f"operator {operator} of node"):
            load_network(str(tmp_path / "n.onnx"))


# --- as networks are used ---------------------------------------------------------------------


class Paired(nn.Module):
    """Puts out several things, takes its input last, and has a layer that a pass does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head, self.spare = nn.Linear(115, 4), nn.Linear(320, 3), nn.Linear(2, 2)

    def score(self, x: torch.Tensor, factor: float = 1.0) -> dict[str, torch.Tensor]:
        hidden = self.body(x.squeeze(1)).flatten(1)
        return {"hidden": hidden, "scores": self.head(hidden) * factor}

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.score(x)
        return found["hidden"], found["scores"]


def test_a_network_is_called_as_its_specification_says(mel: torch.Tensor) -> None:
    network = Paired()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    call = Call(layout="1FT", method="score", output="scores", arguments={"factor": 2.0},
                classes=("a", "b", "c"))  # fmt: skip
    explained = adapt_network(network, FrontEnd(), None, call, CPU)
    torch.testing.assert_close(explained.network(mel), network.score(mel, 2.0)["scores"])
    assert list(named_layers(explained.network)) == ["body", "head", "output"]
    second = adapt_network(Paired(), FrontEnd(), None, Call(output="1", layout="1FT"), CPU)
    assert second.outputs == 3
    torch.testing.assert_close(network.state_dict(), before)
    assert not any(module._forward_hooks for module in network.modules())


def test_networks_that_can_be_are_rewritten_to_run_faster(mel: torch.Tensor) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Unflatten(1, (1, 80)), nn.Conv2d(1, 8, 3), nn.MaxPool2d(3), nn.LeakyReLU(0.01),
        nn.Flatten(), nn.Linear(8 * 26 * 37, 2),
    )  # fmt: skip
    explained = adapt_network(network, FrontEnd(), None, Call(), CPU).network
    generator = load_generator(PRETRAINED / "gan.pt", CPU)[0]
    for layer in ("5", "output", "1"):
        _, fast = fast_networks(generator, explained, [layer], CPU)
        with (
            torch.no_grad(),
            unit_response(fast, Unit.from_meta(layer, 1)) as respond,
            unit_response(explained, Unit.from_meta(layer, 1)) as wanted,
        ):
            torch.testing.assert_close(respond(mel), wanted(mel), atol=1e-4, rtol=1e-4)
    _, fast = fast_networks(generator, explained, ["5"], CPU)
    assert fast is not explained
    paired = adapt_network(Paired(), FrontEnd(), None, Call(layout="1FT"), CPU).network
    assert fast_networks(generator, paired, ["head"], CPU)[1] is paired


class OverBatch(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(0)


@pytest.mark.parametrize(
    "network, call, message",
    [
        (nn.Linear(7, 2), Call(), r"does not take \(2, 80, 115\)"),
        (OverBatch(), Call(), "no axis counts the inputs"),
        (nn.Identity(), Call(method="score"), "has none of that name"),
        (Paired(), Call(output="7", layout="1FT"), "without it"),
        (Paired(), Call(classes=("a", "b"), layout="1FT"), "2 names for 320 output units"),
        (nn.Identity(), Call(layout="1F"), "each of F, T once"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    network: nn.Module, call: Call, message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        adapt_network(network, FrontEnd(), None, call, CPU)
    assert "\n" not in str(caught.value)


class OfAnyBatch(nn.Module):
    """Logits (B, 3) of log-mel (B, 1, F, T); takes one (1, F, T) too, as nn.Conv2d does."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 5, stride=4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.convolution(x).mean(dim=(-2, -1)))


class Recurrent(nn.Module):
    """Logits (B, 2) of waveforms (B, W, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.GRU(1, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.recurrent(x)[0][:, -1]


@pytest.mark.parametrize(
    "network, drawn, layouts",
    [
        (OfAnyBatch(), FrontEnd(), ("1FT", "1TF")),
        (nn.Sequential(nn.Conv1d(115, 4, 5), nn.Flatten()), FrontEnd(), ("TF",)),
        (
            nn.Sequential(nn.Conv1d(1, 4, 5), nn.Flatten()),
            WaveformInput(sample_rate=8000, samples=64),
            ("1W",),
        ),
        (Recurrent(), WaveformInput(sample_rate=8000, samples=64), ("W1",)),
        (
            nn.Sequential(nn.Linear(3, 4), nn.Flatten()),
            ImageInput(channels=3, height=8, width=9),
            ("HWC",),
        ),
        (nn.Linear(7, 2), FrontEnd(), ()),
    ],
)
def test_a_network_of_other_axes_is_refused_with_the_layout_it_takes(
    network: nn.Module, drawn: Input, layouts: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError) as caught:
        adapt_network(network, drawn, None, Call(), CPU)
    said = re.search(r"it runs with layout = (.*) under \[network\]", str(caught.value))
    assert tuple(re.findall(r'"(\w+)"', said[1] if said else "")) == layouts
    for layout in layouts:
        adapt_network(network, drawn, None, Call(layout=layout), CPU)


def test_pictures_and_sound_do_not_mix() -> None:
    picture = ImageInput(channels=1, height=28, width=28)
    with pytest.raises(
        UsageError, match=r"generates log-mel \(80 x 115\), the network takes pictures"
    ):
        adapt_network(nn.Identity(), FrontEnd(), picture, Call(), CPU)
    with pytest.raises(UsageError, match="generates pictures"):
        adapt_network(nn.Identity(), picture, FrontEnd(), Call(), CPU)


def test_layers_are_listed_for_a_real_input(command: Run, exported: dict[str, Path]) -> None:
    recording = ROOT / "sample_data" / "audio"
    name = (ROOT / "sample_data" / "filelists" / "train").read_text().split()[0]
    done = command("layers", exported["pt"], "--example", recording / name, "--json")
    document = json.loads(done.out)
    found = {row["layer"]: row for row in document["layers"]}
    assert found["conv5"]["units"] == 64 and found["conv5"]["places"] == [21, 33]
    assert found["fc9"]["weights"] == 65 and found["conv4"]["kind"] == "Conv2d"
    assert document["input"] == input_values(FrontEnd())
    table = command("layers", PRETRAINED / "classifier.pt", "--quiet").out.splitlines()
    assert table[0].split() == ["layer", "kind", "units", "axes", "weights"]
    assert table[-1].split() == ["fc9", "Linear", "1", "units", "1", "65"]
    assert found["conv5"]["axes"] == "units 64 x bands 21 x frames 33"
    (conv5,) = (line.split() for line in table if line.split()[0] == "conv5")
    assert conv5[2:-1] == ["64", *found["conv5"]["axes"].split()]


def test_one_network_is_named_and_its_options_go_with_it(command: Run, tmp_path: Path) -> None:
    rest = (*GAN, "--out", tmp_path / "e")
    assert "--classifier, or --model" in command("explain", *rest).error_line()
    both = command("explain", "--classifier", PRETRAINED / "classifier.pt", "--model", "x", *rest)
    assert "--classifier, or --model" in both.error_line()
    lone = command("explain", "--classifier", PRETRAINED / "classifier.pt", "--trust-pickle", *rest)
    assert "--trust-pickle: goes with --model" in lone.error_line()
    assert not (tmp_path / "e").exists()


def test_examples_are_the_same_every_time() -> None:
    torch.testing.assert_close(example_inputs(FrontEnd()), example_inputs(FrontEnd()))
    assert np.isfinite(example_inputs(FrontEnd()).numpy()).all()
