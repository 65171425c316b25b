"""Units that a search cannot follow: counted where some starts are, refused where all are."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.adaptive import search_in_turn
from support.commands import Finished, Run
from support.paths import ROOT
from torch import nn

from ganexplain import explain as explain_in_python
from ganexplain.ascent.engine import ascend, start_latents
from ganexplain.ascent.gradients import check_gradient
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.config import CounterfactualConfig
from ganexplain.counterfactuals.crossing import cross_boundary
from ganexplain.errors import UsageError
from ganexplain.files.arrays import read_meta
from ganexplain.files.checkpoints import load_data
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.networks.hooks import unit_response
from ganexplain.networks.target import example_inputs
from ganexplain.networks.units import Unit

CPU = torch.device("cpu")
NO_FILES: dict[str, Any] = {"start_from": (), "classifier": "", "gan": ""}
GAN = ROOT / "sample_data" / "pretrained" / "gan.pt"
SUNG = ROOT / "sample_data" / "audio" / "alone_ria_major_dry.ogg"
pytestmark = pytest.mark.usefixtures("one_thread")

# Each takes log-mel (B, 80, 115) of the shipped GAN.
NETWORKS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(80, 4)
        self.end = nn.Identity()
    def forward(self, mel):
        return self.end(self.fc(mel.mean(2)))

def plain():
    return Net()

def one_dead():
    net = Net()
    net.fc.bias.data[1] = -1e6  # behind the rectifier always 0
    net.end = nn.ReLU()
    return net

def dead():
    net = Net()
    net.fc.bias.data[:] = -1e6
    net.end = nn.ReLU()
    return net

def constant():
    net = Net()
    net.fc.weight.data[:] = 0
    return net

def normalised():
    net = Net()
    net.end = nn.Sequential(nn.Unflatten(1, (4, 1, 1)), nn.LayerNorm((1, 1)))
    return net

class Averaged(Net):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm((1, 115), elementwise_affine=False)
    def forward(self, mel):
        return self.norm(mel[:, :4, None])  # the mean over places of each is rounding alone

def quantised():
    net = Net()
    return torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8)

def behind_quantised():
    net = Net()
    net.end = nn.Linear(4, 4)
    return torch.ao.quantization.quantize_dynamic(net, {"fc"}, dtype=torch.qint8)
"""


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"gradients_{abs(hash(str(tmp_path)))}"  # Python keeps modules by name
    Path(f"{name}.py").write_text(NETWORKS)
    return name


def searched(command: Run, model: str, *more: str) -> Finished:
    return command(
        "explain", "--model", model, "--gan", GAN, "--learning-rate", "0.1", "--prior-weight",
        "0.1", "--iterations", "2", "--examples", "3", "--jobs", "1", "--out", "out", *more,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("network", "cause"),
    [
        ("dead", "it is 0 whatever the GAN generates, as of a dead rectifier"),
        ("constant", "whatever the GAN generates; choose another unit"),
        ("normalised", "it is 0 whatever the GAN generates"),
        ("Averaged", "a LayerNorm has made zero on average"),
        ("quantised", "layer fc is quantised and has no gradient in torch"),
        ("behind_quantised", "layer fc is quantised and has no gradient in torch"),
    ],
)
def test_a_unit_without_a_gradient_is_refused(
    command: Run, networks: str, network: str, cause: str
) -> None:
    done = searched(command, f"{networks}:{network}", "--neuron", "1")
    assert done.code == 2
    assert "output:1: the unit's response has no gradient" in done.error_line()
    assert cause in done.error_line()
    assert not Path("out").exists()


def test_one_dead_unit_of_several_is_named_and_the_others_are_searched(
    command: Run, networks: str
) -> None:
    done = searched(command, f"{networks}:one_dead", "--neuron", "0-3", "--batch-size", "2")
    assert done.code == 0, done.err
    dead = [line for line in done.err.splitlines() if "no gradient to follow" in line]
    assert len(dead) == 1 and "output:1:" in dead[0]
    results = json.loads(Path("out", "run.json").read_text())["results"]
    lost = results["searches_without_gradient"]
    assert lost["output-1-max"] == 3
    assert "3 of 3 searches, from 3 of 3 starts, have no gradient" in done.err
    assert dead[0].split(": ", 1)[-1] in Path("out", "log.txt").read_text()
    meta = read_meta(Path("out", "output-1-max", "explanations.npz"), "explanations")
    assert meta["searches_without_gradient"] == meta["starts_without_gradient"] == 3
    meta = read_meta(Path("out", "output-0-max", "explanations.npz"), "explanations")
    assert meta["searches"] == 3 and meta["searches_without_gradient"] == lost.get(
        "output-0-max", 0
    )


def test_searches_of_controls_are_counted_too(command: Run, networks: str) -> None:
    """Of fresh starts that hardly move: those that the rectifier maps to 0, by the layers."""
    generator, _ = load_generator(GAN, CPU)
    plain = importlib.import_module(networks).plain()
    with torch.no_grad():
        behind = torch.from_numpy(start_latents(8, 8, LATENT_SIZE))
        put_out = plain(generator(behind))[:, 1]
    level = float(put_out.sort().values[4:6].mean())
    dead = int((put_out < level).sum())
    assert dead == 5
    text = Path(f"{networks}.py").read_text()
    text += f"""
def half_dead():
    net = Net()
    net.fc.bias.data[1] -= {level}
    net.end = nn.ReLU()
    return net
"""
    Path(f"{networks}_half.py").write_text(text)
    model = f"{networks}_half:half_dead"
    done = command(
        "explain", "--model", model, "--gan", GAN, "--neuron", "1", "--learning-rate", "1e-6",
        "--prior-weight", "0.1", "--iterations", "2", "--examples", "8", "--out", "out",
    )  # fmt: skip
    assert done.code == 0, done.err
    done = command("select", "out", "--classifier", model, "--corpus", ROOT / "sample_data",
                   "--hop-frames", "400", "--out", "ranked")  # fmt: skip
    assert done.code == 0, done.err
    document = json.loads(Path("ranked", "selection.json").read_text())
    fresh = document["controls"]["fresh"]
    assert fresh["searches_without_gradient"] == fresh["starts_without_gradient"] == dead
    assert fresh["searches"] == 8
    said = f"control fresh: {dead} of 8 searches, from {dead} of 8 starts, have no gradient"
    assert sum(said in warning for warning in document["warnings"]) == 1
    assert said in done.out + done.err
    assert "searches" not in document["controls"]["start"]  # no search
    done = command("report", "out", "--selection", "ranked", "--griffin-lim-iterations", "1",
                   "--heard", "0", "--out", "page", "-q")  # fmt: skip
    assert done.code == 0, done.err
    assert said in Path("page", "report.html").read_text()


# --- counted --------------------------------------------------------------------------------


STARTS = np.array([[2.0, 1.0], [-2.0, 1.0], [-3.0, 1.0], [-0.05, 1.0]], np.float32)
RELU = Unit.parse("relu:0")


@pytest.mark.parametrize("prior", ["l2", "shell", "sphere", "langevin"])
def test_searches_on_the_flat_side_of_a_rectifier_are_counted(prior: str) -> None:
    """Of relu(z_0) the gradient is (1, 0) where z_0 > 0, and else none."""
    starts = Starts(STARTS[:3], 1e-3, 1e-3, np.arange(3))
    settings = AscentSettings(batch_size=2, prior=prior)
    found = ascend(lambda z: z[:, 0].relu(), starts, (3,), settings)
    assert found.no_gradient.tolist() == [False, True, True]


def test_a_gradient_that_comes_later_counts() -> None:
    """The prior takes the last start out of where a window is flat: it is no lost search."""

    def window(z: torch.Tensor) -> torch.Tensor:
        return (1.9 - z[:, 0].abs()).relu()

    found = ascend(window, Starts(STARTS, 0.1, 1.0), (6,), AscentSettings())
    assert found.response_trace[0, 0] == 0  # flat at its start
    assert found.no_gradient.tolist() == [False, False, True, False]


def test_the_adaptive_search_counts_them_too() -> None:
    found = search_in_turn(
        lambda z: z[:, 0].relu(), STARTS[:3], [(1e-3, 1e-3)], 40, np.array([2.0, 0.0]),
        AscentSettings(), budget=60,
    )  # fmt: skip
    assert (found.no_gradient == [False, True, True]).all()
    assert found.no_gradient.shape == found.response.shape


class Part(nn.Module):
    """Of latents: a unit that is a rectifier moved to one side."""

    def __init__(self, bias: float, sharp: float = 1.0) -> None:
        super().__init__()
        self.bias, self.sharp = bias, sharp
        self.relu = nn.ReLU()

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.relu(z[:, :2] * self.sharp + self.bias)


@pytest.mark.parametrize("bias, followed", [(0.0, True), (1.0, True), (-9.0, False)])
def test_one_start_with_a_gradient_is_enough_for_a_unit(bias: float, followed: bool) -> None:
    network = Part(bias)
    found, _ = check_gradient(nn.Identity(), network, RELU, torch.from_numpy(STARTS), 2)
    assert (found is None) == followed


def test_a_unit_that_is_flat_only_at_the_starts_is_not_refused() -> None:
    starts = torch.full((3, 2), -4.0)  # of relu(z + 1) alive from -1 upwards
    found, _ = check_gradient(nn.Identity(), Part(1.0), RELU, starts, 2)
    assert found is None


@pytest.mark.parametrize("starts, batch", [(1, 8), (8, 1), (1, 1)])
def test_one_response_varies_from_nothing_and_needs_another(
    starts: int, batch: int, recwarn: pytest.WarningsRecorder
) -> None:
    network, seen = Part(9.0), []
    network.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    start = torch.linspace(-1, 1, 2 * starts).view(starts, 2)
    found, _ = check_gradient(nn.Identity(), network, RELU, start, batch)
    assert found is None
    assert not recwarn.list
    assert len(seen) <= 3  # a second look, not all there are


@pytest.mark.parametrize("unit", range(8))
def test_units_of_the_shipped_classifier_can_be_followed(unit: int) -> None:
    shipped = load_classifier(GAN.with_name("classifier.pt"), CPU)
    inputs = example_inputs(shipped.front_end).flatten(1)
    generator = nn.Unflatten(1, shipped.front_end.shape)
    asked = Unit.parse(f"fc8:{unit}" if unit else "fc9:0")
    found, notes = check_gradient(generator, shipped.network, asked, inputs, 2)
    assert found is None and notes == ()


def test_python_warns_of_lost_searches_and_refuses_a_dead_unit() -> None:
    class Net(nn.Module):
        def __init__(self, bias: float) -> None:
            super().__init__()
            self.bias = bias

        def forward(self, mel: torch.Tensor) -> torch.Tensor:
            return torch.relu(mel.mean((1, 2)) + self.bias)[:, None]

    few: dict[str, Any] = {"learning_rate": (0.01,), "prior_weight": (0.01,), "iterations": (1,)}
    with pytest.raises(UsageError, match="output:0: the unit's response has no gradient"):
        explain_in_python(Net(-1e6), GAN, examples=2, **few)
    found = explain_in_python(Net(100.0), GAN, examples=2, **few)
    assert found.searches_without_gradient == 0
    between = 100.0 - float(found.start_response.mean())  # where one of both starts is alive
    with pytest.warns(UserWarning, match="1 of 2 searches, from 1 of 2 starts, have no gradient"):
        found = explain_in_python(Net(between), GAN, examples=2, **few)
    assert found.searches_without_gradient == 1


def test_a_counterfactual_of_a_unit_that_is_constant_is_refused(
    command: Run, tmp_path: Path
) -> None:
    content = load_data(GAN.with_name("classifier.pt"))
    content["weights"]["fc8.weight"][3] = 0
    torch.save(content, tmp_path / "classifier.pt")
    done = command(
        "counterfactual", "--start-from", f"{SUNG}@5", "--classifier", tmp_path / "classifier.pt",
        "--gan", GAN, "--layer", "fc8", "--neuron", "3", "--out", tmp_path / "out", "-q",
    )  # fmt: skip
    assert done.code == 2
    assert "fc8:3: the unit's response has no gradient" in done.error_line()
    assert not (tmp_path / "out").exists()


def test_a_latent_that_has_no_way_to_the_other_side_is_known() -> None:
    config = CounterfactualConfig(**NO_FILES, learning_rate=0.05, prior_weight=0.01, iterations=40)

    def across(start: float) -> bool:
        latent = np.array([start, 0.0], np.float32)
        found = cross_boundary(latent, lambda z: z[:, 0].relu() - 1, True, config, CPU)
        assert (found.iterations < 0) == found.no_gradient
        return not found.no_gradient

    assert [across(start) for start in (2.0, 0.5, -0.5)] == [True, True, False]


def test_a_response_has_a_gradient_as_before() -> None:
    """What is counted beside the search changes nothing in it."""
    weight = torch.tensor([1.0, -2.0])
    linear = nn.Linear(2, 1)
    with torch.no_grad():
        linear.weight[:], linear.bias[:] = weight, 0
    with unit_response(nn.Sequential(linear), Unit.parse("0:0")) as respond:
        found = ascend(respond, Starts(STARTS, 0.1), (1,), AscentSettings())
    np.testing.assert_allclose(found.latent[0], STARTS + np.array([0.1, -0.1]), atol=1e-5)
    assert not found.no_gradient.any()


class Magnitude(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (0 * x).square().sum(1, keepdim=True).sqrt() + x.sum(1, keepdim=True)


def test_a_gradient_of_a_root_of_zero_is_noted() -> None:
    network = nn.Sequential(Magnitude())
    start = torch.from_numpy(start_latents(0, 3, LATENT_SIZE))
    found, notes = check_gradient(nn.Identity(), network, Unit.parse("0:0"), start, 2)
    assert found is None
    (note,) = notes
    assert note.startswith("the gradient is not finite (a root or logarithm of exactly zero")
