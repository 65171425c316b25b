"""`train-explainer` and `attribute --explainer` by the command line, on pictures and on sound."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from support.commands import Run, start_fork, wait_for, with_options
from support.paths import PRETRAINED, ROOT
from support.recordings import jamendo_folder
from support.resumed import assert_equal

from ganexplain.artifacts.explainer import read_explainer
from ganexplain.classifiers.base import initialise
from ganexplain.classifiers.checkpoint import Classifier, write_classifier
from ganexplain.classifiers.picturenet import PictureNet
from ganexplain.config import TrainClassifierConfig, TrainExplainerConfig
from ganexplain.explainers.cgan.evaluation import GRADIENT
from ganexplain.explainers.cgan.inference import GeneratorSettings, build_generator
from ganexplain.explainers.cgan.networks import InputNormalizer, PairDiscriminator
from ganexplain.files.arrays import read_arrays
from ganexplain.files.checkpoints import read_checkpoint, write_checkpoint
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import input_values
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.train_explainer import train_explainer

CLASSIFIER = PRETRAINED / "classifier.pt"
SOUL = ROOT / "sample_data" / "audio" / "gig_lea_soul.ogg"
SMALL = ("--width", "8", "--batch-size", "4", "--held-out", "8", "--precision", "float32",
         "--teacher", "grad-cam")  # fmt: skip
TINY = (*SMALL, "--examples", "40", "--checkpoint-every", "2", "--look-every", "3", "--quiet")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 of scikit-learn's digits in folders of their classes."""
    root = tmp_path_factory.mktemp("digits")
    found = load_digits()
    pairs = zip(found.images[:150], found.target[:150], strict=True)
    for number, (pixels, digit) in enumerate(pairs):
        (root / str(digit)).mkdir(exist_ok=True)
        values = np.round(pixels * 255 / 16).astype(np.uint8)
        Image.fromarray(values).save(root / str(digit) / f"{number:04d}.png")
    return root


def written_classifier(path: Path, seed: int) -> Path:
    """A network of pictures with drawn weights: what it says is of no matter here."""
    taken = ImageInput(channels=1, height=8, width=8)
    network = PictureNet(10, taken.shape).eval()
    initialise(network, seed)
    classes = tuple(map(str, range(10)))
    config = TrainClassifierConfig(corpus=("digits",))
    write_classifier(path, Classifier(network, taken, classes, 0.5, {}), config)
    return path


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("networks")
    return written_classifier(root / "one.pt", 0), written_classifier(root / "two.pt", 1)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(run / "explainer.pt", "explainer")["content"]["weights"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", ["--generator gsft --no-gradient", "--teacher occlusion --occlusion-grid 3"]
)
def test_in_two_parts_it_ends_as_in_one(
    command: Run, digits: Path, networks: tuple[Path, Path], tmp_path: Path, options: str
) -> None:
    words = (
        "train-explainer",
        digits,
        "--classifier",
        networks[0],
        *with_options(TINY, *options.split()),
    )
    one, two = tmp_path / "one", tmp_path / "two"
    done = command(*words, "--steps", "6", "--out", one)
    assert done.code == 0, done.err
    assert command(*words, "--steps", "3", "--out", two).code == 0
    made = {path: path.stat().st_mtime_ns for path in (two / "maps").iterdir()}
    assert command(*words, "--steps", "6", "--out", two, "--resume").code == 0
    assert {path: path.stat().st_mtime_ns for path in (two / "maps").iterdir()} == made
    assert_equal(weights(one), weights(two))
    assert (GRADIENT in (one / "relevance.json").read_text()) == ("--no-gradient" not in options)
    for name in ("metrics.jsonl", "relevance.json"):
        assert (one / name).read_text() == (two / name).read_text()
    assert command(*words, "--steps", "6", "--seed", "1", "--out", tmp_path / "other").code == 0
    assert not torch.equal(weights(tmp_path / "other")["inner.tail.weight"],
                           weights(one)["inner.tail.weight"])  # fmt: skip


def test_maps_are_the_same_whoever_computes_them(
    digits: Path, networks: tuple[Path, Path], tmp_path: Path
) -> None:
    classifier = networks[0].read_bytes()
    config = TrainExplainerConfig(
        corpus=(str(digits),), classifier=(str(networks[0]),), examples=40, held_out=8, width=8,
        batch_size=4, steps=1, occlusion_grid=2,
    )  # fmt: skip
    train_explainer(config, tmp_path / "one", NullProgress())
    with ThreadPoolExecutor(2) as threads:
        train_explainer(config, tmp_path / "two", NullProgress(), executor=threads)
    names = ["held-out-000.npy", "train-000.npy", "train-001.npy"]
    for run in ("one", "two"):
        assert sorted(path.name for path in (tmp_path / run / "maps").iterdir()) == names
    for name in [f"maps/{name}" for name in names] + ["explainer.pt", "relevance.json"]:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert networks[0].read_bytes() == classifier  # explainer.pt was once written over it


@pytest.mark.slow
def test_killed_it_ends_as_if_undisturbed(
    command: Run, digits: Path, networks: tuple[Path, Path], tmp_path: Path
) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    words = ("train-explainer", digits, "--classifier", networks[0], *TINY, "--steps")
    process = start_fork((*words, "300", "--out", killed), tmp_path / "cache")
    wait_for(killed / "training.pt", process)
    process.signal(signal.SIGKILL)
    assert process.finished().code == -signal.SIGKILL
    assert not (killed / "explainer.pt").exists()
    steps = read_checkpoint(killed / "training.pt", "training")["step"]
    assert command(*words, str(steps + 5), "--out", killed, "--resume").code == 0
    assert command(*words, str(steps + 5), "--out", whole).code == 0
    assert_equal(weights(killed), weights(whole))
    assert (killed / "metrics.jsonl").read_text().splitlines()[:-1] == (
        whole / "metrics.jsonl"
    ).read_text().splitlines()[:-1]


def discriminator_lives(run: Path, maps: np.ndarray) -> bool:
    """Whether what it has become still tells maps (N, 1, 8, 8) apart."""
    state = read_checkpoint(run / "training.pt", "training")["state"]
    network = InputNormalizer(PairDiscriminator(1, 1, 8), 1)
    network.load_state_dict(state["networks"]["discriminator"])
    scores = network(torch.zeros(len(maps), 1, 8, 8), torch.from_numpy(maps))
    return float(scores.detach().std()) > 1e-3


@pytest.mark.slow
def test_it_learns_of_several_networks_at_once(
    command: Run, digits: Path, networks: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = networks
    done = command(
        "train-explainer", digits, "--classifier", first, "--classifier", second, *SMALL,
        "--examples", "100", "--steps", "200", "--learning-rate", "1e-3", "--quiet", "--json",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    document = json.loads(done.out)
    content = read_checkpoint(tmp_path / "run" / "explainer.pt", "explainer")
    assert content["method"] == "cgan" and set(content["networks"]) == {str(first), str(second)}
    assert content["figures"]["l1"] == document["l1"] < document["l1_grey"]
    rows = document["relevance"]["conditions"]
    assert [row["layer"] for row in rows] == ["blocks.5", "blocks.2", "blocks.0", GRADIENT]
    assert all(row["relevance"] > 0 for row in rows)
    assert document["relevance"] == json.loads((tmp_path / "run" / "relevance.json").read_text())
    stored = np.load(tmp_path / "run" / "maps" / "train-000.npy")
    assert stored.shape == (128, 5, 8, 8)  # 32 pictures, two networks and two shuffled ones
    assert stored.min() == 0 and stored.max() == 1
    assert discriminator_lives(tmp_path / "run", stored[::8, -1:].astype(np.float32))
    seen = {stored[row].tobytes() for row in range(4)}  # of one picture: conditions and target
    assert len(seen) == 4


def test_the_adversarial_loss_alone_moves_the_generator(
    command: Run, digits: Path, networks: tuple[Path, Path], tmp_path: Path
) -> None:
    """With the released discriminator, which says 1 to everything, nothing would move."""
    words = ("train-explainer", digits, "--classifier", networks[0], *TINY, "--l1-weight", "0")
    assert command(*words, "--steps", "1", "--out", tmp_path / "one").code == 0
    assert command(*words, "--steps", "3", "--out", tmp_path / "three").code == 0
    one, three = weights(tmp_path / "one"), weights(tmp_path / "three")
    assert any(not torch.equal(one[name], three[name]) for name in one if "weight" in name)


@pytest.fixture(scope="module")
def explainer(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the shipped detector, hardly trained."""
    root = tmp_path_factory.mktemp("explainer")
    corpus = jamendo_folder(root / "corpus").root
    run("train-explainer", corpus, "--classifier", CLASSIFIER, *SMALL, "--examples", "6",
        "--steps", "3", "--quiet", "--out", root / "run")  # fmt: skip
    return root / "run" / "explainer.pt"


@pytest.mark.slow
def test_a_recording_is_explained_measured_and_ranked(
    command: Run, explainer: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    done = command(
        "attribute", f"{SOUL}@2.65", f"{SOUL}@8", "--classifier", CLASSIFIER, "--method", "cgan",
        "--method", "grad-cam", "--explainer", explainer, "--segments", "3x2", "--checks",
        "--quiet", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "cgan, 3x2, mean" in done.out
    (path,) = out.glob("*-at-2.65/cgan-*/attribution.npz")
    arrays, meta = read_arrays(path, "attribution", ("map", "weights"))
    assert arrays["map"].shape == (80, 115) and arrays["weights"].shape == (6,)
    assert int(arrays["n_forward"]) == 1
    assert meta["details"] == {"teacher": "grad-cam", "layer": "conv5"}
    assert meta["measures"]["seed_stability"] == 1.0
    assert 0 <= meta["measures"]["randomised"] <= 1
    assert "cgan" in (out / "report.html").read_text()
    done = command("select", out, "--json", "--quiet", "--out", tmp_path / "ranked")
    methods = [row["method"] for row in json.loads(done.out)["configurations"]]
    assert methods == ["cgan", "grad-cam"]


def test_another_network_is_explained_with_a_warning(
    command: Run, explainer: Path, tmp_path: Path
) -> None:
    """The judge has eight convolutions, the network of the training four."""
    done = command(
        "attribute", f"{SOUL}@2.65", "--classifier", PRETRAINED / "judge.pt", "--method", "cgan",
        "--explainer", explainer, "--segments", "3x2", "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "was not trained on" in done.err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "name its explainer.pt with --explainer"),
        (("explainer", "explainer"), "a second one of cgan"),
        ((str(CLASSIFIER),), "contains 'classifier', but 'explainer' is needed"),
        (("damaged",), "not a complete explainer (weights do not fit"),
        (("infinite",), "weight inner.tail.bias contains values that are not finite"),
        (("huge",), "a width of 1000000 are out of range"),
        (("unknown",), "method 'magic' is unknown here (known: cgan"),
        (("pictures",), "different front ends"),
    ],
)
def test_an_explainer_that_does_not_do_is_said(
    command: Run, explainer: Path, tmp_path: Path, given: tuple[str, ...], message: str
) -> None:
    content = read_checkpoint(explainer, "explainer")
    del content["kind"], content["schema"]
    learnt = content["content"]["weights"]
    small = ImageInput(channels=1, height=8, width=8)
    settings = GeneratorSettings.from_file(read_explainer(explainer))
    picture_weights = build_generator(settings, small).state_dict()
    infinite = learnt | {"inner.tail.bias": learnt["inner.tail.bias"] / 0}
    spoilt = {
        "infinite": {**content, "content": {**content["content"], "weights": infinite}},
        "damaged": {**content, "content": {**content["content"], "width": 16}},
        "unknown": {**content, "method": "magic"},
        "huge": {**content, "content": {**content["content"], "width": 10**6}},
        "pictures": {
            **content,
            "front_end": input_values(small),
            "content": {**content["content"], "weights": picture_weights},
        },
    }
    for name, values in spoilt.items():
        write_checkpoint(tmp_path / name, "explainer", values)
    paths = {"explainer": explainer}
    words = [w for name in given for w in ("--explainer", paths.get(name, tmp_path / name))]
    done = command(
        "attribute", f"{SOUL}@2.65", "--classifier", CLASSIFIER, "--method", "cgan", *words,
        "--quiet", "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code in (1, 2)
    assert message in done.error_line()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "cgann"), "did you mean 'cgan'"),
        (("--teacher", "occlude"), "did you mean 'occlusion'"),
        (("--layer", "blocks.1"), "'blocks.1' is not known (did you mean 'blocks."),
        (("--target", "ten"), "no class of the network; one of 0, 1"),
        (("--generator", "lsf"), "did you mean 'lsft'"),
        (("--classifier", str(CLASSIFIER)), "different front ends"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    command: Run, digits: Path, networks: tuple[Path, Path], tmp_path: Path,
    words: tuple[str, ...], message: str,
) -> None:  # fmt: skip
    done = command(
        "train-explainer", digits, "--classifier", networks[0], *with_options(TINY, *words),
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code == 2
    assert message in done.error_line()
    assert not (tmp_path / "run" / "explainer.pt").exists()


def test_a_network_must_be_named(command: Run, digits: Path, tmp_path: Path) -> None:
    done = command("train-explainer", digits, "--out", tmp_path / "run")
    assert done.code == 2 and "--classifier, or --model" in done.error_line()


def test_other_pictures_are_not_taken_up(
    command: Run, digits: Path, networks: tuple[Path, Path], tmp_path: Path
) -> None:
    corpus = tmp_path / "digits"
    corpus.symlink_to(digits)
    words = ("train-explainer", corpus, "--classifier", networks[0], *TINY, "--out",
             tmp_path / "run")  # fmt: skip
    assert command(*words, "--steps", "2").code == 0
    corpus.unlink()
    for digit in range(10):
        (corpus / str(digit)).mkdir(parents=True)
        for number, path in enumerate(sorted((digits / str(digit)).iterdir())):
            pixels = np.asarray(Image.open(path))
            Image.fromarray(pixels // 2).save(corpus / str(digit) / f"{number}-other.png")
    done = command(*words, "--steps", "4", "--resume")
    assert done.code == 1 and "0000.png is gone" in done.error_line()


def test_a_network_of_ones_own(command: Run, digits: Path, tmp_path: Path) -> None:
    """TorchScript, whose convolutions have the names of its maker, and a specification."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 6, 3), torch.nn.ReLU(),
        torch.nn.Flatten(), torch.nn.Linear(96, 3), torch.nn.Softmax(dim=1),
    )  # fmt: skip
    torch.jit.script(network.eval()).save(str(tmp_path / "mine.pt"))
    (tmp_path / "input.toml").write_text(
        'kind = "image"\nchannels = 1\nheight = 8\nwidth = 8\nmean = 0.3\ndeviation = 0.4\n'
        '[network]\nclasses = ["low", "middle", "high"]\n'
    )
    done = command(
        "train-explainer", digits, "--model", tmp_path / "mine.pt", "--input",
        tmp_path / "input.toml", "--target", "middle", *TINY, "--steps", "2", "--json",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    rows = json.loads(done.out)["relevance"]["conditions"]
    assert [row["layer"] for row in rows] == ["0", GRADIENT]
    read = json.loads((tmp_path / "run" / "run.json").read_text())["inputs"]
    assert {"model", "input"} <= set(read)
    done = command(
        "attribute", digits / "3" / "0003.png", "--model", tmp_path / "mine.pt", "--input",
        tmp_path / "input.toml", "--method", "cgan", "--explainer",
        tmp_path / "run" / "explainer.pt", "--quiet", "--out", tmp_path / "said",
    )  # fmt: skip
    assert done.code == 0, done.err
    arrays, _ = read_arrays(tmp_path / "said" / "attribution.npz", "attribution", ("map",))
    assert arrays["map"].shape == (8, 8)
