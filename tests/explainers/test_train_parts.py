"""`train-explainer --method parts` and `attribute` with what it makes, on sound and on pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.commands import Finished, Run
from support.paths import PRETRAINED, ROOT
from support.recordings import jamendo_folder
from support.resumed import assert_equal

from ganexplain.classifiers.base import initialise
from ganexplain.classifiers.checkpoint import Classifier, write_classifier
from ganexplain.classifiers.picturenet import PictureNet
from ganexplain.config import TrainClassifierConfig, TrainExplainerConfig
from ganexplain.corpora.events import COLUMNS, Event, write_events
from ganexplain.corpora.picture_folders import ImageSplit, Picture
from ganexplain.explainers.parts.training import PartsTraining
from ganexplain.explainers.task import Task
from ganexplain.files.arrays import read_arrays
from ganexplain.files.atomic import file_hash
from ganexplain.files.checkpoints import read_checkpoint, write_checkpoint
from ganexplain.inputs.picture import ImageInput
from ganexplain.networks.adapter import OutputNames
from ganexplain.networks.target import TargetNetwork
from ganexplain.runs.progress import NullProgress

CLASSIFIER = PRETRAINED / "classifier.pt"
SOUL = ROOT / "sample_data" / "audio" / "gig_lea_soul.ogg"
TINY = ("--method", "parts", "--batch-size", "4", "--held-out", "8", "--checkpoint-every", "1",
        "--look-every", "2", "--top", "2", "--shown", "2", "--quiet")  # fmt: skip


# --- the training, in the process ---------------------------------------------------------------


def drawn_pictures(count: int, seed: int) -> ImageSplit:
    """A bright cross somewhere on noise."""
    random = np.random.default_rng(seed)
    pictures = random.uniform(0, 0.3, (count, 1, 12, 16)).astype(np.float32)
    for picture in pictures[:, 0]:
        row, column = random.integers(2, 10), random.integers(2, 14)
        picture[row - 2 : row + 3, column] = picture[row, column - 2 : column + 3] = 1.0
    known = tuple(Picture(Path(f"{k}.png"), "train", k % 3) for k in range(count))
    classes = np.arange(count) % 3
    return ImageSplit(known, pictures, classes, ImageInput(channels=1, height=12, width=16))


@pytest.fixture(scope="module")
def crosses(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of pictures of three classes, and an untrained network for them."""
    root = tmp_path_factory.mktemp("pictures")
    split = drawn_pictures(60, 0)
    for picture, known in zip(split.pictures[:, 0], split.recordings, strict=True):
        for name in ("train", "valid"):
            path = root / "crosses" / name / str(known.label) / known.path
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.round(picture * 255).astype(np.uint8)).save(path)
    network = PictureNet(3, (1, 12, 16)).eval()
    initialise(network, 0)
    taken = ImageInput(channels=1, height=12, width=16)
    made = Classifier(network, taken, ("0", "1", "2"), 0.5, {})
    write_classifier(root / "net.pt", made, TrainClassifierConfig(corpus=("crosses",)))
    return root / "crosses", root / "net.pt"


def training_of(folder: Path, **settings: Any) -> PartsTraining:
    config = TrainExplainerConfig(corpus=("crosses",), method="parts", batch_size=16, steps=60)
    taken = ImageInput(channels=1, height=12, width=16)
    network = PictureNet(3, taken.shape).eval().requires_grad_(False)
    initialise(network, 0)
    explained = TargetNetwork(network, taken, OutputNames("fc9"), 3)
    task = Task(
        replace(config.of_method(), **settings), ("net",), (explained,), drawn_pictures(120, 0),
        drawn_pictures(32, 1), torch.device("cpu"), folder, NullProgress(),
    )  # fmt: skip
    return PartsTraining(task)


def test_it_learns_to_reconstruct_and_leaves_the_network_alone(tmp_path: Path) -> None:
    training = training_of(tmp_path, layer="blocks.2")
    network = training.task.networks[0].network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert training.targets == ("fc8",)
    first = training.evaluate()
    for step in range(60):
        training.step(step)
    last = training.evaluate()
    assert last["error_fc8"] < first["error_fc8"] / 3 and last["error_fc8"] < 0.2
    assert last["agreement"] >= 0.7  # the untrained network hardly prefers a class
    assert last["filter_loss"] < 0
    assert_equal(before, dict(network.state_dict()))
    assert all(weight.grad is None for weight in network.parameters())


def test_the_filter_loss_is_left_out_unless_it_has_a_weight(tmp_path: Path) -> None:
    without, with_it = (training_of(tmp_path, layer="blocks.2", **own) for own in (
        {}, {"filter_weight": 1.0}
    ))  # fmt: skip
    assert set(without.step(0)) == {"loss", "reconstruction"}
    assert set(with_it.step(0)) == {"loss", "reconstruction", "filter"}
    for step in range(1, 40):
        without.step(step)
        with_it.step(step)
    assert with_it.evaluate()["filter_loss"] < without.evaluate()["filter_loss"] - 0.05


def test_the_share_of_the_parts_grows_with_its_weight(tmp_path: Path) -> None:
    shares = []
    for weight in (0.0, 0.1, 1.0):
        training = training_of(tmp_path, layer="blocks.2", share_weight=weight, filter_weight=0.0)
        for step in range(40):
            training.step(step)
        shares.append(training.evaluate()["p"])
    assert 0 < shares[0] < shares[1] < shares[2] < 1


# --- by the command line, on sound ----------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jamendo_folder(tmp_path_factory.mktemp("parts") / "corpus").root


@pytest.fixture(scope="module")
def trained(run: Run, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the shipped detector, hardly trained."""
    out = tmp_path_factory.mktemp("trained") / "run"
    run("train-explainer", corpus, "--classifier", CLASSIFIER, *TINY, "--steps", "2", "--out", out)
    return out


@pytest.mark.slow
def test_in_two_parts_and_with_other_labels_it_ends_the_same(
    command: Run, corpus: Path, tmp_path: Path
) -> None:
    before = file_hash(CLASSIFIER)
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    words = ("train-explainer", corpus, "--classifier", CLASSIFIER, *TINY)
    done = command(*words, "--steps", "4", "--out", one)
    assert done.code == 0, done.err
    assert command(*words, "--steps", "2", "--out", two).code == 0
    assert command(*words, "--steps", "4", "--out", two, "--resume").code == 0
    # The same recordings with sung and not sung exchanged: nothing may come out differently.
    shutil.copytree(corpus, tmp_path / "relabelled")
    for path in (tmp_path / "relabelled" / "labels").iterdir():
        text = path.read_text().replace("nosing", "quiet").replace(" sing", " nosing")
        path.write_text(text.replace("quiet", "sing"))
    again = ("train-explainer", tmp_path / "relabelled", *words[2:], "--steps", "4")
    assert command(*again, "--out", other).code == 0
    for run in (two, other):
        files = [read_checkpoint(each / "explainer.pt", "explainer") for each in (one, run)]
        assert_equal(*(found["content"]["weights"] for found in files))
        assert files[0]["figures"] == files[1]["figures"]
        assert (one / "metrics.jsonl").read_text() == (run / "metrics.jsonl").read_text()
        assert (one / "parts.json").read_text() == (run / "parts.json").read_text()
    assert file_hash(CLASSIFIER) == before


def test_what_the_filters_look_for_is_kept_drawn_and_heard(trained: Path) -> None:
    keys = ("mel", "window", "place", "strength", "contribution", "weight", "presence", "where",
            "file", "start_s")  # fmt: skip
    arrays, meta = read_arrays(trained / "parts.npz", "parts", keys)
    assert meta["layer"] == "conv5" and meta["targets"] == ["fc7", "fc8"]
    assert arrays["mel"].shape == (64, 2, 80, 115)
    assert arrays["where"].shape == (64, 21, 33)
    assert (np.diff(arrays["strength"], axis=1) <= 0).all()
    window, place = arrays["window"].astype(np.float32), arrays["place"].astype(int)
    assert window.min() == 0 and window.max() == 1
    for k, found in enumerate(place.reshape(-1, 2)):
        assert window.reshape(-1, 80, 115)[k, *found] == 1
    assert ((arrays["presence"] >= 0) & (arrays["presence"] <= 1 + 1e-6)).all()
    assert (np.abs(arrays["contribution"]) <= arrays["weight"] + 1e-6).all()
    rows = json.loads((trained / "parts.json").read_text())["filters"]
    assert [row["weight"] for row in rows] == sorted(arrays["weight"], reverse=True)
    assert all(27 <= low <= high <= 8000 for low, high in (row["hz"] for row in rows))
    assert Image.open(trained / "parts.png").width > 400
    page = (trained / "parts.html").read_text()
    assert page.count("data:audio/flac") == 2 * 2 * 2  # filters, excerpts, part and whole


def test_filters_are_named_by_listed_events(command: Run, corpus: Path, tmp_path: Path) -> None:
    files = sorted(path for path in corpus.rglob("*") if path.suffix in (".ogg", ".flac", ".wav"))
    found = [Event(str(path), 0.0, 1000.0, 0.0, 20000.0, "music") for path in files]
    write_events(tmp_path / "all.csv", found)
    words = ("train-explainer", corpus, "--classifier", CLASSIFIER, *TINY, "--steps", "1")
    done = command(*words, "--events", tmp_path / "all.csv", "--out", tmp_path / "run")
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "run" / "parts.json").read_text())["filters"]
    named = [row for row in rows if row["weight"] > 0]
    assert named and {(row["kind"], row["purity"]) for row in named} == {("music", 1.0)}
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    page = (tmp_path / "run" / "parts.html").read_text()
    assert f"Filter {rows[0]['filter']}: music" in page


NO_CONVOLUTION = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(80 * 115, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))
"""


def test_what_cannot_be_is_said_before_an_earlier_run_is_deleted(
    command: Run, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flat_network.py").write_text(NO_CONVOLUTION)
    (tmp_path / "input.toml").write_text('kind = "log-mel"\n')
    write_events(tmp_path / "none.csv", [Event("other.flac", 0.0, 1.0, 0.0, 100.0, "kick")])
    (tmp_path / "wrong.csv").write_text(",".join(COLUMNS) + "\na.wav,0,-1,0,100,kick\n")
    out = tmp_path / "run"
    out.mkdir()
    for name in ("run.json", "explainer.pt"):
        (out / name).write_text("{}")
    shipped = ("--classifier", CLASSIFIER)
    for options, message in (
        ((*shipped, "--events", tmp_path / "nothere.csv"), "nothere.csv: no such file"),
        ((*shipped, "--events", tmp_path / "wrong.csv"), "line 2: duration -1 is negative"),
        ((*shipped, "--events", tmp_path / "none.csv"), "no event of a training recording"),
        ((*shipped, "--layer", "fc7"), "has no two dimensions of places"),
        ((*shipped, "--targets", "conv4"), "layer conv4 is not behind layer conv5"),
        (("--model", "flat_network:Net", "--input", tmp_path / "input.toml"), "no convolution"),
    ):
        done = command("train-explainer", corpus, *options, *TINY, "--overwrite", "--out", out)
        assert done.code > 0 and message in done.error_line()
        assert sorted(path.name for path in out.iterdir()) == ["explainer.pt", "run.json"]


def test_an_excerpt_is_explained_by_its_parts(command: Run, trained: Path, tmp_path: Path) -> None:
    words = ("attribute", f"{SOUL}@2.65", "--method", "parts", "--explainer",
             trained / "explainer.pt", "--segments", "3x2", "--quiet")  # fmt: skip
    out = tmp_path / "said"
    done = command(*words, "--classifier", CLASSIFIER, "--checks", "--out", out)
    assert done.code == 0, done.err
    arrays, meta = read_arrays(out / "attribution.npz", "attribution", ("map",))
    assert arrays["map"].shape == (80, 115) and np.abs(arrays["map"]).max() > 0
    assert len(meta["details"]["filters"]) == 5 and 0 < meta["details"]["p"] < 1
    assert meta["measures"]["seed_stability"] == 1.0
    assert "from parts" in (out / "report.html").read_text()
    unit = command(*words, "--classifier", CLASSIFIER, "--target", "fc7:3", "--out", tmp_path / "u")
    assert unit.code == 0, unit.err
    for options, message in (
        (("--classifier", CLASSIFIER, "--target", "conv4:3"), "covers only what follows fc7"),
        (("--classifier", PRETRAINED / "judge.pt"), "parts explains no other network"),
    ):
        done = command(*words, *options, "--out", tmp_path / "refused", "--overwrite")
        assert done.code == 2 and message in done.error_line()


def test_a_spoilt_explainer_is_said(command: Run, trained: Path, tmp_path: Path) -> None:
    content = read_checkpoint(trained / "explainer.pt", "explainer")
    del content["kind"], content["schema"]
    learnt = content["content"]["weights"]
    for change, message in (
        ({"interpretable1.bias": learnt["interpretable1.bias"] / 0}, "values that are not finite"),
        ({"interpretable1.bias": learnt["interpretable1.bias"][:3]}, "does not fit the network"),
    ):
        weights = learnt | change
        spoilt = {**content, "content": {**content["content"], "weights": weights}}
        write_checkpoint(tmp_path / "spoilt.pt", "explainer", spoilt)
        done = command(
            "attribute", f"{SOUL}@2.65", "--classifier", CLASSIFIER, "--method", "parts",
            "--explainer", tmp_path / "spoilt.pt", "--quiet", "--overwrite", "--out",
            tmp_path / "said",
        )  # fmt: skip
        assert done.code == 1 and message in done.error_line()


def spoilt(content: object, place: tuple[Any, ...], change: Callable[[Any], object]) -> object:
    """A copy of nested mappings and tuples with one value changed, or without it (`GONE`)."""
    if not place:
        return change(content)
    if isinstance(content, tuple | list):
        return [spoilt(v, place[1:], change) if i == place[0] else v for i, v in enumerate(content)]
    assert isinstance(content, Mapping)
    value = spoilt(content[place[0]], place[1:], change)
    rest = {name: kept for name, kept in content.items() if name != place[0]}
    return rest if value is GONE else rest | {place[0]: value}


GONE = object()
MOMENTS = ("state", "optimiser", "state", 0)


def test_a_spoilt_state_of_a_training_is_refused(
    command: Run, crosses: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    path = out / "training.pt"
    words = ("train-explainer", crosses[0], "--classifier", crosses[1], *TINY, "--steps", "2")
    assert command(*words, "--out", out).code == 0
    whole = read_checkpoint(path, "training")
    for place, change in [
        (("state", "explainer"), lambda value: GONE),
        (("state", "explainer", "scale"), lambda value: "abc"),
        (("state", "explainer", "mixing"), lambda value: value / 0),
        (("state", "explainer", "ordinary.bias"), lambda value: value[:3]),
        (("state", "optimiser"), lambda value: None),
        ((*MOMENTS, "exp_avg"), lambda value: value[:3]),
        ((*MOMENTS, "exp_avg_sq"), lambda value: GONE),
        ((*MOMENTS, "step"), lambda value: "abc"),
        (("state",), lambda value: [1, 2]),
        (("step",), lambda value: -1),
        (("step",), lambda value: 1.5),
        (("metrics",), lambda value: "abc"),
    ]:
        torch.save(spoilt(whole, place, change), path)
        before = path.read_bytes()
        done = command(*words, "--out", out, "--resume")
        assert done.code == 1, place
        assert f"--resume: {path}: not a complete state of this training" in done.error_line()
        assert path.read_bytes() == before


def test_a_spoilt_explainer_is_refused(command: Run, trained: Path, tmp_path: Path) -> None:
    whole = read_checkpoint(trained / "explainer.pt", "explainer")
    path = tmp_path / "spoilt.pt"
    for name, change, message in [
        ("layer", lambda value: "abc", "--explainer: it does not fit the network (layer: 'abc'"),
        ("targets", lambda value: [None], f"{path}: not a complete explainer"),
        ("channels", lambda value: -5, f"{path}: not a complete explainer (-5 channels"),
        ("weights", lambda value: GONE, f"{path}: not a complete explainer (KeyError: 'weights')"),
        ("geometry", lambda value: value[:1], f"{path}: not a complete explainer"),
        ("geometry", lambda value: [(-3, *value[0][1:]), value[1]], "places are not those of"),
        ("geometry", lambda value: [(1.5, *value[0][1:]), value[1]], "an axis is"),
        ("geometry", lambda value: [(*value[0][:3], 0.0), value[1]], "an axis is"),
    ]:
        torch.save(spoilt(whole, ("content", name), change), path)
        done = command(
            "attribute", f"{SOUL}@2.65", "--classifier", CLASSIFIER, "--method", "parts",
            "--explainer", path, "--quiet", "--out", tmp_path / "said",
        )  # fmt: skip
        assert done.code == 1, name
        assert message in done.error_line()


@pytest.mark.parametrize(
    "options,message",
    [
        (("--layer", "conv6"), "did you mean 'conv5'"),
        (("--layer", "fc7"), "has no two dimensions of places"),
        (("--targets", "conv4"), "layer conv4 is not behind layer conv5"),
        (("--classifier", str(PRETRAINED / "judge.pt")), "explains one network"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    command: Run, corpus: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    done = command(
        "train-explainer", corpus, "--classifier", CLASSIFIER, *TINY, *options, "--out",
        tmp_path / "run",
    )  # fmt: skip
    assert done.code == 2
    assert message in done.error_line()


# --- by the command line, on pictures -------------------------------------------------------------


def test_pictures_have_parts_and_their_evidence_adds_up(
    command: Run, crosses: tuple[Path, Path], tmp_path: Path
) -> None:
    pictures, network = crosses
    done = command(
        "train-explainer", pictures, "--classifier", network, *TINY,
        "--steps", "1", "--learning-rate", "0", "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert json.loads(done.out)["parts"]["layer"] == "blocks.7"
    assert not (tmp_path / "run" / "parts.html").exists()
    arrays, _ = read_arrays(tmp_path / "run" / "parts.npz", "parts", ("mel", "window"))
    assert arrays["mel"].shape[1:] == (2, 1, 12, 16) and arrays["window"].shape[2:] == (12, 16)
    done = command(
        "attribute", pictures / "train" / "0" / "0.png", "--classifier",
        network, "--method", "parts", "--explainer", tmp_path / "run" / "explainer.pt",
        "--quiet", "--out", tmp_path / "said",
    )  # fmt: skip
    assert done.code == 0, done.err
    _, meta = read_arrays(tmp_path / "said" / "attribution.npz", "attribution", ("map",))
    told = meta["details"]
    # No layer has a bias here, so the logit is linear in what is decoded, piece by piece.
    whole = told["from_parts"] + told["from_ordinary"]
    assert whole == pytest.approx(told["reconstructed_logit"], rel=1e-4)


@pytest.mark.parametrize("form", ["pt", "pt2"])
def test_a_network_of_ones_own_has_parts(command: Run, tmp_path: Path, form: str) -> None:
    """TorchScript or an export, two layers behind its convolutions, of which one is decoded."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 6, 3), torch.nn.ReLU(),
        torch.nn.Flatten(), torch.nn.Linear(576, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3),
    )  # fmt: skip
    mine, example = tmp_path / f"mine.{form}", torch.zeros(2, 1, 12, 16)
    if form == "pt":
        torch.jit.trace(network.eval(), example).save(str(mine))
    else:
        batch = {0: torch.export.Dim("batch")}
        torch.export.save(torch.export.export(network, (example,), dynamic_shapes=(batch,)), mine)
    for number, picture in enumerate(drawn_pictures(30, 0).pictures):
        path = tmp_path / "crosses" / str(number % 3) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture[0] * 255).astype(np.uint8)).save(path)
    (tmp_path / "input.toml").write_text(
        'kind = "image"\nchannels = 1\nheight = 12\nwidth = 16\nmean = 0.2\ndeviation = 0.3\n'
    )
    own = ("--model", mine, "--input", tmp_path / "input.toml")
    done = command(
        "train-explainer", tmp_path / "crosses", *own, *TINY, "--steps", "2",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    content = read_checkpoint(tmp_path / "run" / "explainer.pt", "explainer")["content"]
    assert (content["layer"], content["targets"], content["channels"]) == ("2", ["5"], 6)
    done = command(
        "attribute", tmp_path / "crosses" / "0" / "0.png", *own, "--method", "parts",
        "--explainer", tmp_path / "run" / "explainer.pt", "--quiet", "--out", tmp_path / "said",
    )  # fmt: skip
    assert done.code == 0, done.err
    arrays, meta = read_arrays(tmp_path / "said" / "attribution.npz", "attribution", ("map",))
    assert arrays["map"].shape == (12, 16)
    assert meta["details"]["logit"] == pytest.approx(
        float(network(_standardised(tmp_path / "crosses" / "0" / "0.png")).detach().max()), abs=1e-3
    )


def _standardised(path: Path) -> torch.Tensor:
    """The picture (1, 1, H, W) as the specification has it."""
    values = np.asarray(Image.open(path), dtype=np.float32) / 255
    return torch.from_numpy((values - 0.2) / 0.3)[None, None]


# --- networks that write in place behind the layer ------------------------------------------------

IN_PLACE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, behind):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.sigmoid, self.behind = nn.Conv2d(1, 6, 3), nn.Sigmoid(), behind
        self.fc1, self.fc2 = nn.Linear(6 * 10 * 14, 5), nn.Linear(5, 3)

    def forward(self, x):
        y = self.behind(self.sigmoid(self.conv(x)))
        return self.fc2(self.fc1(y.flatten(1)))

def plain():
    return Net(lambda y: 2 * y + 1)

def writes():
    return Net(lambda y: y.mul_(2).add_(1))  # the sigmoid's gradient needs what this overwrites

def through_a_view():
    def behind(y):
        y.flatten(1).mul_(2).add_(1)
        return y
    return Net(behind)
"""


def train_in_place(command: Run, folder: Path, factory: str, out: str) -> Finished:
    (folder / "in_place_networks.py").write_text(IN_PLACE)
    (folder / "input.toml").write_text('kind = "image"\nchannels = 1\nheight = 12\nwidth = 16\n')
    for number, picture in enumerate(drawn_pictures(30, 0).pictures):
        path = folder / "crosses" / str(number % 3) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture[0] * 255).astype(np.uint8)).save(path)
    return command(
        "train-explainer", folder / "crosses", "--model", f"in_place_networks:{factory}",
        "--input", folder / "input.toml", *TINY, "--layer", "conv", "--steps", "2",
        "--out", folder / out,
    )  # fmt: skip


def test_parts_of_a_network_that_writes_behind_the_layer_are_those_of_its_twin(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for factory in ("plain", "writes"):
        done = train_in_place(command, tmp_path, factory, factory)
        assert done.code == 0, done.err
    twins = [tmp_path / name / "parts.npz" for name in ("plain", "writes")]
    (one, _), (other, _) = (read_arrays(path, "parts", ("weight",)) for path in twins)
    for name in ("weight", "contribution", "strength", "place"):
        np.testing.assert_allclose(other[name], one[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_writes_through_a_view_behind_the_layer_are_refused_before_any_training(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = train_in_place(command, tmp_path, "through_a_view", "run")
    assert done.code == 2
    assert "--layer conv: layer fc1 comes out different" in done.error_line()
    assert not (tmp_path / "run" / "explainer.pt").exists()
    done = train_in_place(command, tmp_path, "plain", "run")  # without --overwrite
    assert done.code == 0, done.err
