"""Detectors planted in networks of several kinds are found by the number of their unit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.commands import Run
from support.paths import PRETRAINED
from support.recordings import JamendoFolder
from torch import Tensor, nn

from ganexplain import Explanation, explain, layers, respond
from ganexplain.errors import UsageError
from ganexplain.files.arrays import read_arrays

GAN = PRETRAINED / "gan.pt"
BANDS, FRAMES, UNITS, PLANTED = 80, 115, 8, 3
LOW, HIGH = 10, 20  # the bands that the planted unit hears


def detecting(weight: Tensor) -> None:
    """Make row `PLANTED` of a weight (units, bands, ...) the mean of its bands, others zero."""
    nn.init.zeros_(weight)
    with torch.no_grad():
        weight[PLANTED, LOW:HIGH] = 1 / (HIGH - LOW)


def quiet(layer: nn.Module) -> nn.Module:
    """The layer with all weights zero."""
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    return layer


class Headed(nn.Module):
    """A layer `planted`, and an output of its mean over frames."""

    planted: nn.Module

    def __init__(self, planted: nn.Module) -> None:
        super().__init__()
        self.planted = planted
        with torch.random.fork_rng(devices=()):  # commands build it, whatever ran before
            torch.manual_seed(0)
            self.head = nn.Linear(UNITS, 2)

    def hidden(self, x: Tensor) -> Tensor:
        found: Tensor = self.planted(x.transpose(1, 2))
        return found

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.hidden(x).mean(1))


class Recurrent(Headed):
    def __init__(self) -> None:
        gru = nn.GRU(BANDS, UNITS, batch_first=True)
        super().__init__(quiet(gru))
        weight: Any = gru.weight_ih_l0
        with torch.no_grad():
            weight[2 * UNITS + PLANTED, LOW:HIGH] = 0.01  # of the new state

    def hidden(self, x: Tensor) -> Tensor:
        found: Tensor = self.planted(x.transpose(1, 2))[0]
        return found


class Tokens(Headed):
    """A transformer of patches of all bands, whose values pass unchanged."""

    def __init__(self) -> None:
        super().__init__(nn.Identity())
        self.patches = nn.Conv2d(1, UNITS, (BANDS, 5), stride=5, bias=False)
        nn.init.zeros_(self.patches.weight)
        with torch.no_grad():
            self.patches.weight[PLANTED, 0, LOW:HIGH] = 1 / 5 / (HIGH - LOW)
        self.attention = quiet(nn.MultiheadAttention(UNITS, 2, batch_first=True))

    def hidden(self, x: Tensor) -> Tensor:
        tokens = self.patches(x[:, None]).flatten(2).transpose(1, 2)
        found: Tensor = self.planted(tokens + self.attention(tokens, tokens, tokens)[0])
        return found


class ChannelsLast(Headed):
    """A linear layer of maps (B, frames, 1, channels)."""

    def __init__(self) -> None:
        layer = nn.Linear(BANDS, UNITS, bias=False)
        detecting(layer.weight)
        super().__init__(layer)

    def hidden(self, x: Tensor) -> Tensor:
        return self.planted(x.transpose(1, 2)[:, :, None]).flatten(1, 2)


class TimeFirst(Headed):
    """A linear layer of frames (T, B, bands)."""

    def __init__(self) -> None:
        layer = nn.Linear(BANDS, UNITS, bias=False)
        detecting(layer.weight)
        super().__init__(layer)

    def hidden(self, x: Tensor) -> Tensor:
        return self.planted(x.permute(2, 0, 1)).transpose(0, 1)


KINDS = {kind.__name__: kind for kind in (Recurrent, Tokens, ChannelsLast, TimeFirst)}


def network_of(kind: str) -> Headed:
    torch.manual_seed(0)
    return KINDS[kind]().eval()


def level(mel: np.ndarray) -> np.ndarray:
    """What the planted unit hears, but for its scale: the mean of its bands (N,)."""
    return mel[:, LOW:HIGH].mean(axis=(1, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_unit_alone_responds_and_to_what_was_planted(kind: str) -> None:
    network = network_of(kind)
    louder = np.linspace(-8, 0, 6, dtype=np.float32)[:, None, None]
    mel = louder + np.random.default_rng(0).normal(size=(6, BANDS, FRAMES)).astype(np.float32)
    assert layers(network)["planted"][0] == UNITS
    found = np.stack([respond(network, f"planted:{unit}", mel) for unit in range(UNITS)])
    others = np.delete(found, PLANTED, axis=0)
    assert np.ptp(others, axis=1).max() == 0
    assert (np.argsort(found[PLANTED]) == np.argsort(level(mel))).all()
    if kind != "Recurrent":  # which is not linear
        np.testing.assert_allclose(found[PLANTED], level(mel), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_a_search_drives_the_planted_unit_alone(kind: str) -> None:
    network = network_of(kind)
    found = searched(network, PLANTED)
    assert (level(found.inputs[0]) > level(found.start_inputs)).all()
    with pytest.raises(UsageError, match="whatever the GAN generates"):
        searched(network, PLANTED + 1)


def searched(network: nn.Module, unit: int) -> Explanation:
    return explain(
        network, GAN, f"planted:{unit}", learning_rate=(0.1,), prior_weight=(0.001,),
        iterations=(4,), examples=3,
    )  # fmt: skip


def test_responses_name_the_units_that_hardly_respond(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    out = tmp_path / "responses"
    done = command("responses", jamendo.root, "--model", "test_planted_units:TimeFirst",
                   "--layer", "planted", "--neuron", "all", "--top", "2", "--hop-frames", "40",
                   "--out", out, "-q")  # fmt: skip
    assert done.code == 0, done.err
    weak = json.loads((out / "run.json").read_text())["results"]["hardly_responding"]
    assert set(weak) == {f"planted:{unit}" for unit in range(UNITS) if unit != PLANTED}
    arrays, _ = read_arrays(out / f"planted-{PLANTED}" / "responses.npz", "responses", ())
    np.testing.assert_allclose(arrays["response"], level(arrays["mel"]), rtol=1e-4, atol=1e-4)


def test_every_command_takes_a_unit_of_a_network_with_time_first(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    model, unit = "test_planted_units:TimeFirst", f"planted:{PLANTED}@max"
    searched_in, out = tmp_path / "explain", tmp_path / "out"
    done = command("explain", "--model", model, "--gan", GAN, "--layer", unit, "--learning-rate",
                   "0.1", "--prior-weight", "0.001", "--iterations", "2", "--iterations", "3",
                   "--examples", "3", "--jobs", "1", "-q", "--out", searched_in)  # fmt: skip
    assert done.code == 0, done.err
    arrays, meta = read_arrays(searched_in / "explanations.npz", "explanations", ())
    assert (meta["layer"], meta["neuron"]) == ("planted", f"{PLANTED}@max")
    assert meta["layer_axes"] == f"frames {FRAMES} x units {UNITS}"
    peak = arrays["mel"][:, :, LOW:HIGH].mean(axis=2).max(axis=2)
    np.testing.assert_allclose(arrays["response"], peak, rtol=1e-4, atol=1e-4)
    done = command(
        "select",
        searched_in,
        "--corpus",
        jamendo.root,
        "--classifier",
        model,
        "--top",
        "3",
        "--hop-frames",
        "40",
        "--no-controls",
        "-q",
        "--json",
        "--out",
        out / "s",
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["neuron"] == f"{PLANTED}@max"
    song = jamendo.audio(sorted(path.name for path in (jamendo.root / "audio").iterdir())[0])
    done = command("attribute", f"{song}@1", "--model", model, "--target", unit, "--method",
                   "occlusion", "--segments", "8x1", "-q", "--out", out / "a")  # fmt: skip
    assert done.code == 0, done.err
    done = command("attribute", f"{song}@1", "--model", model, "--method", "grad-cam",
                   "--cam-layer", "planted", "-q", "--out", out / "g")  # fmt: skip
    assert done.code == 0, done.err
