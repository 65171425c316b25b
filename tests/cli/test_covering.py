"""Options that no other test names together: every pair of values, on tiny networks.

Each run ends in a right artifact, held against the network's own layers, or in one line. With
GANEXPLAIN_COVERING=3 every array is built three times, from other draws: other triples.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.commands import Finished, Run
from support.covering import Row, covering_array, pairs_of, possible_pairs
from support.recordings import jamendo_folder
from torch import nn

from ganexplain.artifacts.explanations import read_explanations
from ganexplain.files.arrays import read_arrays
from ganexplain.files.checkpoints import write_checkpoint
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.networks import generator_for
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import input_values
from ganexplain.inputs.waveform import WaveformInput

pytestmark = pytest.mark.usefixtures("one_thread")
SEEDS = range(int(os.environ.get("GANEXPLAIN_COVERING", "1")))
INPUTS: dict[str, Input] = {
    "mel": FrontEnd(mel_bands=8, excerpt_frames=16),
    "picture": ImageInput(channels=3, height=16, width=16),
    "waveform": WaveformInput(sample_rate=8000, samples=800),
}
TOML = {
    "mel": "mel_bands = 8\nexcerpt_frames = 16\n",
    "picture": 'kind = "image"\nchannels = 3\nheight = 16\nwidth = 16\n',
    "waveform": 'kind = "waveform"\nsample_rate = 8000\nsamples = 800\n',
}
NETWORKS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, conv: nn.Module, channel: bool):
        super().__init__()
        self.channel = channel
        self.conv, self.act, self.fc = conv, nn.ReLU(), nn.Linear(4, 2)
    def forward(self, x):
        if self.channel:
            x = x.unsqueeze(1)
        return self.fc(self.act(self.conv(x)).flatten(2).mean(2))

def mel():
    torch.manual_seed(1)
    return Net(nn.Conv2d(1, 4, 3), True)

def picture():
    torch.manual_seed(2)
    return Net(nn.Conv2d(3, 4, 3), False)

def waveform():
    torch.manual_seed(3)
    return Net(nn.Conv1d(1, 4, 9, stride=4), True)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with networks, tiny GANs and corpora of all kinds of inputs."""
    root = tmp_path_factory.mktemp("covering")
    (root / "covering_nets.py").write_text(NETWORKS)
    for kind, drawn in INPUTS.items():
        torch.manual_seed(0)
        generator = generator_for(drawn, channels=16).eval()
        content = {
            "generator": generator.state_dict(), "channels": 16, "latent_size": LATENT_SIZE,
            "step": 1, "figures": {}, "front_end": input_values(drawn), "config": {},
        }  # fmt: skip
        write_checkpoint(root / f"{kind}-gan.pt", "gan", content)
        (root / f"{kind}.toml").write_text(TOML[kind])
        named = TOML[kind] + '[network]\nclasses = ["no", "yes"]\n'
        (root / f"{kind}-named.toml").write_text(named)
    jamendo_folder(root / "sound")
    draw = np.random.default_rng(0)
    for name, number in itertools.product(("no", "yes"), range(8)):
        (root / "pictures" / name).mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "pictures" / name / f"{number}.png")
    np.save(root / "conv.npy", np.array([1.0, -1.0, 0.5, 0.0]))
    np.save(root / "fc.npy", np.array([0.5, -2.0]))
    for kind, shape in (("mel", (8, 16)), ("picture", (16, 16)), ("waveform", (1, 800))):
        np.save(root / f"{kind}-labels.npy", np.indices(shape)[1] // (shape[1] // 3))
    return root


@pytest.fixture
def networks(place: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, nn.Module]:
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    made = importlib.import_module("covering_nets")
    found = {}
    for kind in INPUTS:
        found[kind] = getattr(made, kind)().eval()
        scripted = place / f"{kind}.pt"
        if not scripted.exists():
            torch.jit.save(torch.jit.script(found[kind]), scripted)
    return found


# --- the unit's response, computed layer by layer ---------------------------------------------

UNITS = {
    "conv:1": lambda conv, out: conv.flatten(2).mean(2)[:, 1],
    "conv:2@max": lambda conv, out: conv[:, 2].flatten(1).amax(1),
    "conv:0@PLACE": lambda conv, out: conv[:, 0].flatten(1)[:, 0],
    "conv:mean": lambda conv, out: conv.flatten(2).mean(2).mean(1),
    "conv:max": lambda conv, out: conv.flatten(2).mean(2).amax(1),
    "conv:conv.npy": lambda conv, out: conv.flatten(2).mean(2) @ torch.tensor([1, -1, 0.5, 0]),
    "fc:fc.npy": lambda conv, out: out @ torch.tensor([0.5, -2.0]),
    "fc:0-minus-1": lambda conv, out: out[:, 0] - out[:, 1],
    "output:yes": lambda conv, out: out[:, 1],
    "output:1": lambda conv, out: out[:, 1],
}


def layer_of(unit: str, kind: str) -> str:
    return unit.replace("PLACE", "0" if kind == "waveform" else "0,0")


@torch.no_grad()
def truth(network: Any, unit: str, x: np.ndarray) -> np.ndarray:
    """Responses (...) of a unit to inputs (..., *S) by the network's own layers."""
    axes = 3 if not network.channel else network.conv.weight.ndim - 2
    rows = torch.from_numpy(x.reshape(-1, *x.shape[-axes:]).astype(np.float32))
    conv = network.conv(rows.unsqueeze(1) if network.channel else rows)
    found = UNITS[unit](conv, network(rows))
    return found.numpy().reshape(x.shape[:-axes])


def checked(done: Finished, out: Path) -> bool:
    """Whether a run ended well; if not, in one line, with nothing half-written."""
    assert not list(out.rglob("*.unfinished"))
    if done.code == 0:
        assert not done.err, done.err
        return True
    assert done.code in (1, 2)
    line = done.error_line()
    assert not any(word in line for word in ("Traceback", "site-packages", "Triggered", "dtype"))
    return False


# --- explain and select -----------------------------------------------------------------------

EXPLAIN = {
    "kind": tuple(INPUTS),
    "form": ("factory", "scripted"),
    "unit": tuple(UNITS),
    "direction": ("max", "min", "both"),
    "prior": ("l2", "shell", "sphere", "langevin"),
    "weights": ("0.1", "0", "0.1 0.01"),
    "precision": ("float32", "tfloat32", "bfloat16"),
    "search": ("grid", "adaptive"),
    "batch": ("0", "1", "3"),
    "features": ("", "conv"),
    "seed": ("0", "7"),
    "by": (
        "fid-response",
        "kid",
        "kad",
        "wasserstein",
        "sliced-wasserstein",
        "composite",
        "fid-features",
    ),
    "overlapping": ("", "--overlapping"),
}


def refused(row: Row) -> str:
    """What the one line says of settings that do not go together; empty where they do."""
    if row.get("prior") == "sphere" and row.get("weights", "0") != "0":
        return "--prior sphere: has no weight"
    if row.get("prior") == "langevin" and row.get("weights") == "0":
        return "--prior-weight 0: must be a finite number above zero"
    if row.get("search") == "adaptive" and row.get("prior") == "langevin":
        return "--prior langevin: its samples do not approach"
    return ""


TOGETHER = [
    {"prior": "sphere", "weights": "0.1 0.01"}, {"prior": "langevin", "weights": "0"},
    {"prior": "langevin", "search": "adaptive"},
]  # fmt: skip


def words_of(row: Row, place: Path) -> list[str]:
    named = "-named" if row["unit"] == "output:yes" else ""
    model = "covering_nets:{kind}" if row["form"] == "factory" else "{kind}.pt"
    return ["--model", model.format(**row), "--input", f"{row['kind']}{named}.toml"]


def explained(row: Row) -> bool:
    return not refused(row)


EXPLAIN_ROWS = [row for seed in SEEDS for row in covering_array(EXPLAIN, explained, seed)]
EXPLAIN_ROWS += [EXPLAIN_ROWS[0] | other for other in TOGETHER]


@pytest.mark.parametrize("row", EXPLAIN_ROWS, ids=range(len(EXPLAIN_ROWS)))
def test_explain_and_select_of_every_pair_of_options(
    command: Run, place: Path, networks: dict[str, nn.Module], tmp_path: Path, row: Row
) -> None:
    model, layer = words_of(row, place), layer_of(row["unit"], row["kind"])
    corpus = "pictures" if row["kind"] == "picture" else "sound"
    gan = f"{row['kind']}-gan.pt"
    real, made, ranked = (tmp_path / name for name in ("real", "made", "ranked"))
    features = ["--features", row["features"]] * bool(row["features"])
    more = ["--hop-frames", "60", *[row["overlapping"]] * bool(row["overlapping"])]
    done = command("responses", corpus, *model, "--gan", gan, "--layer", layer, "--top", "3",
                   *features, *more, "--out", real, "-q")  # fmt: skip
    assert checked(done, real), done.err
    count = "20" if row["search"] == "adaptive" else "2"
    done = command(
        "explain", *model, "--gan", gan, "--layer", layer, "--direction", row["direction"],
        "--prior", row["prior"], "--precision", row["precision"], "--search", row["search"],
        *["--responses", str(real)] * (row["search"] == "adaptive"),
        *(word for value in row["weights"].split() for word in ("--prior-weight", value)),
        *"--learning-rate 0.1 --learning-rate 0.02 --examples 3 --jobs 1".split(), *features,
        "--iterations", count, "--batch-size", row["batch"], "--seed", row["seed"],
        "--out", made, "-q",
    )  # fmt: skip
    if refused(row):
        assert not checked(done, made) and refused(row) in done.err
        assert not made.exists()
        return
    assert checked(done, made), done.err
    paths = sorted(made.rglob("explanations.npz"))
    assert len(paths) == (2 if row["direction"] == "both" else 1)
    for path in paths:
        found = read_explanations(path)
        response = found.arrays["response"]
        expected = truth(networks[row["kind"]], row["unit"], found.arrays["mel"])
        np.testing.assert_allclose(response, expected, rtol=1e-3, atol=1e-3)
        assert found.arrays["response_trace"].dtype == np.float32
        assert found.meta.lost and found.meta.lost.searches_without_gradient == 0
        done = command("select", path, "--responses", real, "--by", row["by"], "--no-controls",
                       *["--classifier", model[1]] * (row["form"] == "factory"),
                       "--out", ranked, "--overwrite", "--json", "-q")  # fmt: skip
        assert checked(done, ranked), done.err
        document = json.loads(done.out)
        assert document["by"] == row["by"] and len(document["configurations"]) == len(response)
    if row["prior"] == "l2" and row["batch"] == "1":  # the long way now and then
        again = ["--classifier", model[1]] * (row["form"] == "factory")
        done = command("select", paths[0], "--responses", real, *again, "--out", ranked,
                       "--overwrite", "-q")  # fmt: skip
        assert checked(done, ranked), done.err
        done = command("report", paths[0], "--selection", ranked, "--griffin-lim-iterations", "1",
                       "--heard", "0", "--out", tmp_path / "page", "-q")  # fmt: skip
        assert checked(done, tmp_path / "page"), done.err
        assert (tmp_path / "page" / "report.html").is_file()


# --- attribute --------------------------------------------------------------------------------

ATTRIBUTE = {
    "kind": tuple(INPUTS),
    "form": ("factory", "scripted"),
    "method": (
        "occlusion", "lime", "elime", "grad-cam", "random", "captum:Saliency",
        "captum:LayerGradCam", "captum:FeatureAblation", "captum:ShapleyValueSampling",
        "captum:DeepLift",
    ),
    "fill": ("mean", "zero", "silence", "min", "segment-mean", "noise", "blur", "data-min"),
    "segments": ("2x2", "temporal:3", "spectral:2", "slic:3", "file", "9x1"),
    "target": ("predicted", "no", *UNITS),
    "score": ("probability", "logit", "margin"),
    "outputs": ("auto", "logits", "activations"),
    "layer": ("", "conv", "fc"),
    "checks": ("", "--checks"),
}  # fmt: skip


def attributed(row: Row) -> bool:
    """Whether settings go together, by what each of them needs."""
    return not (
        (row.get("method") in ("grad-cam", "captum:LayerGradCam") and row.get("layer") == "fc")
        or (row.get("fill") == "silence" and row.get("kind") == "picture")
        or (row.get("segments") in ("2x2", "spectral:2") and row.get("kind") == "waveform")
    )


ATTRIBUTE_ROWS = [row for seed in SEEDS for row in covering_array(ATTRIBUTE, attributed, seed)]
ATTRIBUTE_ROWS += [
    ATTRIBUTE_ROWS[0] | other
    for other in (
        {"method": "grad-cam", "layer": "fc"}, {"method": "captum:LayerGradCam", "layer": "fc"},
        {"fill": "silence", "kind": "picture"}, {"segments": "2x2", "kind": "waveform"},
        {"segments": "0x2"}, {"target": "conv:0-2"}, {"target": "sung"}, {"layer": "con"},
    )
]  # fmt: skip


@pytest.mark.parametrize("row", ATTRIBUTE_ROWS, ids=range(len(ATTRIBUTE_ROWS)))
def test_attribute_of_every_pair_of_options(
    command: Run, place: Path, networks: dict[str, nn.Module], tmp_path: Path, row: Row
) -> None:
    kind, out = row["kind"], tmp_path / "out"
    if row["method"].startswith("captum:"):
        pytest.importorskip("captum")
    if row["segments"].startswith("slic"):
        pytest.importorskip("skimage")
    row = row if row["target"] not in ("no", "output:yes") else row | {"unit": "output:yes"}
    model = words_of(row | {"unit": row.get("unit", "")}, place)
    given = "pictures/no/0.png" if kind == "picture" else "sound/audio/one.wav@2"
    segments = f"file:{kind}-labels.npy" if row["segments"] == "file" else row["segments"]
    corpus = "pictures" if kind == "picture" else "sound"
    done = command(
        "attribute", given, *model, "--method", row["method"], "--fill", row["fill"], "--segments",
        segments, "--target", layer_of(row["target"], kind), "--score", row["score"], "--outputs",
        row["outputs"], *["--cam-layer", row["layer"]] * bool(row["layer"]),
        *[row["checks"]] * bool(row["checks"]), "--samples", "20", "--founders", "5",
        "--population", "4", "--generations", "1",
        *["--corpus", corpus] * (row["fill"] == "data-min"), "--out", out, "-q",
    )  # fmt: skip
    possible = attributed(row) and all(row[name] in ATTRIBUTE[name] for name in ATTRIBUTE)
    assert checked(done, out) == possible, done.err
    if not possible:
        assert not list(out.rglob("attribution.npz"))
        return
    arrays, meta = read_arrays(out / "attribution.npz", "attribution", ("map", "full_score"))
    assert arrays["map"].shape == arrays["segments"].shape
    assert np.isfinite(arrays["map"]).all() and np.isfinite(arrays["weights"]).all()
    if row["target"] in UNITS and row["target"] != "output:yes":
        assert meta["explained"] == layer_of(row["target"], kind)
    assert (out / "report.html").is_file()


# --- runs that fail late ------------------------------------------------------------------------


def test_the_corrected_command_needs_no_overwrite_where_nothing_is_kept(
    command: Run, place: Path, networks: dict[str, nn.Module], tmp_path: Path
) -> None:
    """After a network put out NaN for what the command made: an input in parts, and noise."""
    (place / "covering_faults.py").write_text(FAULTS)
    out, given = tmp_path / "out", "sound/audio/one.wav@2"
    model = ["--model", "covering_faults:nan_of_zeros", "--input", "mel.toml"]
    asked = ("attribute", given, *model, "--segments", "2x2", "--method", "occlusion", "--out", out)
    done = command(*asked, "--fill", "zero", "-q")
    assert not checked(done, out) and "puts out NaN" in done.err
    done = command(*asked, "--fill", "mean", "-q")
    assert checked(done, out), done.err
    assert (out / "whole.flac").is_file()
    made, out = tmp_path / "made", tmp_path / "ranked"
    model[1] = "covering_faults:nan_of_noise"
    done = command("explain", *model, "--gan", "mel-gan.pt", "--examples", "3", "--iterations", "2",
                   "--learning-rate", "0.01", "--prior-weight", "0.1", "--out", made,
                   "-q")  # fmt: skip
    assert checked(done, made), done.err
    asked = ("select", made, "--classifier", model[1], "--corpus", "sound", "--hop-frames", "60",
             "--top", "3", "--out", out, "-q")  # fmt: skip
    done = command(*asked)
    assert not checked(done, out) and "not finite" in done.err
    assert (out / "responses.npz").is_file()
    refused = command(*asked, "--no-controls")  # the responses to the corpus are kept
    assert refused.code == 2 and "--resume to continue, or --overwrite" in refused.err
    assert checked(command(*asked, "--no-controls", "--overwrite"), out)


FAULTS = """
import torch
from covering_nets import Net
from torch import nn

class Faulty(Net):
    def __init__(self, wrong):
        super().__init__(nn.Conv2d(1, 4, 3), True)
        self.wrong = wrong
    def forward(self, x):
        bad = self.wrong(x.flatten(1))
        return torch.where(bad[:, None], torch.nan, super().forward(x))

def nan_of_zeros():
    torch.manual_seed(1)
    return Faulty(lambda x: (x == 0).sum(1) > 8)

def nan_of_noise():
    torch.manual_seed(1)
    return Faulty(lambda x: x.diff(dim=1).abs().mean(1) > 0.3)
"""


def test_every_pair_of_values_is_covered() -> None:
    for factors, allowed, least in ((EXPLAIN, explained, 700), (ATTRIBUTE, attributed, 900)):
        wanted = possible_pairs(factors, allowed)
        rows = covering_array(factors, allowed)
        assert len(wanted) > least and wanted <= set().union(*map(pairs_of, rows))
        assert all(map(allowed, rows))


def test_an_array_of_two_values_is_that_of_the_book() -> None:
    """All pairs of three factors of two values fit into four rows, and no fewer."""
    factors = {name: ("0", "1") for name in "abc"}
    assert len(covering_array(factors, lambda row: True)) == 4
