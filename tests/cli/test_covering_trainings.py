"""Options that no other test names together, of commands that train, or use what is trained.

As `test_covering`: every pair of values, on tiny corpora; each run ends in a right artifact or one
line.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.commands import Finished, Run
from support.covering import Row, covering_array, pairs_of, possible_pairs
from support.paths import PRETRAINED
from support.recordings import jamendo_folder, noise, write_sound

from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.files.arrays import read_arrays
from ganexplain.files.checkpoints import read_checkpoint
from ganexplain.gans.checkpoint import load_generator

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
TOML = {
    "mel": "mel_bands = 8\nexcerpt_frames = 16\n",
    "waveform": 'kind = "waveform"\nsample_rate = 8000\nsamples = 800\n',
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with corpora of sound and of pictures, with and without a broken file."""
    root = tmp_path_factory.mktemp("trainings")
    for name in ("sound", "sound-broken"):
        jamendo_folder(root / name)
    (root / "sound-broken" / "audio" / "two.flac").write_bytes(b"no sound")
    draw = np.random.default_rng(0)
    for folder, name, number in itertools.product(
        ("pictures", "pictures-broken"), ("no", "yes"), range(8)
    ):
        pixels = draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        (root / folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / folder / name / f"{number}.png")
    (root / "pictures-broken" / "no" / "0.png").write_bytes(b"no picture")
    for kind, text in TOML.items():
        (root / f"{kind}.toml").write_text(text)
    write_sound(root / "short.wav", noise(1.0))
    np.save(root / "direction.npy", np.array([2.0]))
    return root


@pytest.fixture(autouse=True)
def inside(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(place)
    yield


@pytest.fixture(scope="module")
def pictures(place: Path, run: Run) -> Path:
    """A classifier of the pictures."""
    out = place / "classifier"
    words = "--epochs 1 --updates-per-epoch 1 --batch-size 4 -q".split()
    run("train-classifier", place / "pictures", *words, "--out", out)
    return out / "classifier.pt"


def ended(done: Finished, out: Path, refusal: str) -> bool:
    """Whether a run ended well; if not, in the one line that was to be expected."""
    assert not list(out.rglob("*.unfinished"))
    if refusal:
        assert done.code in (1, 2), done
        assert refusal in done.error_line()
        return False
    assert done.code == 0, done.err
    return True


def words(row: Row, *names: str) -> list[str]:
    """Options of the command line: `name` with its value, where it has one."""
    found: list[str] = []
    for name in names:
        value = row[name]
        found += [value] if value.startswith("--") else [f"--{name}", value] if value else []
    return found


# --- train-classifier -------------------------------------------------------------------------

CLASSIFIER = {
    "corpus": ("sound", "pictures", "sound-broken", "pictures-broken"),
    "skip": ("", "--skip-bad-files"),
    "preset": ("best", "quick", "paper", "detector"),
    "architecture": ("svdnet", "compactnet", "temporalnet"),
    "outputs": ("0", "1", "2", "3"),
    "optimiser": ("adamw", "sgd"),
    "schedule": ("cosine", "step"),
    "batch": ("", "--no-batch-norm"),
    "level": ("", "--level-invariant"),
    "masks": ("", "--no-masks"),
    "augment": ("0", "1"),
    "mix": ("0", "1"),
    "mixup": ("0", "0.5"),
    "balance": ("", "--balance"),
    "precision": ("float32", "bfloat16"),
    "workers": ("0", "1"),
    "batch-size": ("1", "3"),
    "format": ("pt", "safetensors"),
}


def broken(row: Row) -> str:
    """What is said of a corpus with a broken file; empty where it has none, or may be left out."""
    bad = row.get("corpus", "").endswith("-broken") and row.get("skip") == ""
    return row["corpus"].partition("-")[0].replace("sound", "two.flac").replace(
        "pictures", "0.png") if bad else ""  # fmt: skip


def classifier_refused(row: Row) -> str:
    if broken(row) and "pictures" in row["corpus"]:
        return broken(row)
    if row.get("outputs") == "3":
        return "--outputs 3: the corpus has 2 classes; use 1 or 2"
    invariant = row.get("level") == "--level-invariant" or row.get("preset") == "detector"
    if invariant and "pictures" in row.get("corpus", ""):
        return "--level-invariant: applies to sound"
    one = row.get("batch-size") == "1" and row.get("batch") == ""
    sound = "sound" in row.get("corpus", "") or invariant
    ends_in_one_place = row.get("architecture") in ("compactnet", "temporalnet")
    if one and sound and ends_in_one_place:
        return "--batch-size: batch normalisation needs more than one excerpt"
    return broken(row)


def possible(row: Row) -> bool:
    return not classifier_refused(row)


@pytest.mark.parametrize("row", covering_array(CLASSIFIER, possible))
def test_train_classifier_of_every_pair_of_options(command: Run, tmp_path: Path, row: Row) -> None:
    out = tmp_path / "out"
    done = command(
        "train-classifier", row["corpus"], "--epochs", "1", "--updates-per-epoch", "1",
        *words(row, "skip", "preset", "architecture", "outputs", "optimiser", "schedule", "batch",
               "level", "masks", "augment", "mix", "mixup", "balance", "precision",
               "workers", "batch-size", "format"),
        "--out", out, "-q",
    )  # fmt: skip
    assert ended(done, out, "")
    classifier = load_classifier(out / f"classifier.{row['format']}", CPU)
    sound = row["corpus"].startswith("sound")
    assert classifier.classes == (("nosing", "sing") if sound else ("no", "yes"))
    with torch.no_grad():
        put_out = classifier.network(torch.zeros(2, *classifier.front_end.shape))
    assert put_out.shape == (2, int(row["outputs"]) or 1) and bool(put_out.isfinite().all())
    assert bool((out / "test.csv").exists()) is sound
    card = (out / "README.md").read_text()
    assert f"\n# classifier.{row['format']}\n" in card and f"- `{row['corpus']}`\n" in card
    assert ("| split | files | hours |" in card) is sound


@pytest.mark.parametrize(
    "change",
    [{"outputs": "3"}, {"corpus": "pictures", "level": "--level-invariant"},
     {"corpus": "pictures-broken", "skip": ""}, {"corpus": "sound-broken", "skip": ""},
     {"architecture": "compactnet", "batch-size": "1"}],
    ids=str,
)  # fmt: skip
def test_train_classifier_refuses_in_one_line(
    command: Run, tmp_path: Path, change: dict[str, str]
) -> None:
    row = {name: values[0] for name, values in CLASSIFIER.items()}
    row |= change
    given = words(row, "skip", "architecture", "outputs", "level", "batch-size")
    done = command("train-classifier", row["corpus"], *given, "--out", tmp_path / "out", "-q")
    assert not ended(done, tmp_path / "out", classifier_refused(row))


def test_a_training_that_diverged_early_does_not_stand_in_the_way(
    command: Run, tmp_path: Path
) -> None:
    once = "train-classifier pictures --preset quick --epochs 3 --updates-per-epoch 1 -q".split()
    done = command(*once, "--learning-rate", "1e15", "--out", tmp_path)
    assert done.code == 1 and "lower --learning-rate" in done.error_line()
    done = command(*once, "--out", tmp_path)
    assert done.code == 0, done.err
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 3


# --- train-gan --------------------------------------------------------------------------------

GAN = {
    "kind": ("mel", "waveform", "pictures"),
    "preset": ("small", "paper"),
    "loss": ("relativistic", "non-saturating", "hinge", "wgan-gp"),
    "augment": ("", "--augment"),
    "channels": ("16", "24"),
    "autoencoder-steps": ("0", "1"),
    "batch-size": ("2", "3"),
    "learning-rate": ("0", "0.001"),
    "ema-decay": ("0", "0.9"),
    "encoder-steps": ("0", "1"),
    "format": ("pt", "safetensors"),
    "sample-every": ("1", "2"),
    "precision": ("float32", "bfloat16"),
    "classifier": ("", "classifier/classifier.pt"),
    "features-of": ("", "classifier/classifier.pt"),
}


def gan_refused(row: Row) -> str:
    if row.get("classifier") and row.get("features-of"):
        return "--classifier and --features-of are one file"
    named = row.get("classifier") or row.get("features-of")  # which is of pictures
    if row.get("augment") == "--augment" and (named or row.get("kind", "mel") != "mel"):
        return "--augment: applies to log-mel"
    return "front end" if named and row.get("kind", "pictures") != "pictures" else ""


def gan_possible(row: Row) -> bool:
    return not gan_refused(row)


def gan_words(row: Row) -> list[str]:
    kind = row["kind"]
    given = ["pictures"] if kind == "pictures" else ["sound", "--input", f"{kind}.toml"]
    return [*given, "--steps", "1", *words(row, *(name for name in GAN if name != "kind"))]


@pytest.mark.usefixtures("brief_validation")
@pytest.mark.parametrize("row", covering_array(GAN, gan_possible))
def test_train_gan_of_every_pair_of_options(
    command: Run, pictures: Path, tmp_path: Path, row: Row
) -> None:
    done = command("train-gan", *gan_words(row), "--out", tmp_path, "-q")
    assert ended(done, tmp_path, "")
    path = tmp_path / f"gan.{row['format']}"
    generator, drawn = load_generator(path, CPU)
    with torch.no_grad():
        made = generator(torch.zeros(2, 128))
    assert made.shape == (2, *drawn.shape) and bool(made.isfinite().all())
    assert f"- `{gan_words(row)[0]}`\n" in (tmp_path / "README.md").read_text()
    content = read_checkpoint(path, "gan", ("step", "figures", "encoder"))
    assert content["step"] == 1 and all(map(np.isfinite, content["figures"].values()))
    assert ("response_mean" in content["figures"]) is bool(row["classifier"])


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "pictures", "augment": "--augment"},
        {"features-of": "classifier/classifier.pt"},
        {"features-of": "classifier/classifier.pt", "classifier": "classifier/classifier.pt"},
    ],
    ids=str,
)
def test_train_gan_refuses_in_one_line(
    command: Run, pictures: Path, tmp_path: Path, change: dict[str, str]
) -> None:
    row = {name: values[0] for name, values in GAN.items()} | change
    done = command("train-gan", *gan_words(row), "--out", tmp_path / "out", "-q")
    assert not ended(done, tmp_path / "out", gan_refused(row))
    assert not (tmp_path / "out").exists()


# --- train-explainer --------------------------------------------------------------------------

EXPLAINER = {
    "method": ("cgan", "parts"),
    "preset": ("small", "paper"),
    "layer": ("", "blocks.5", "blocks.12"),
    "target": ("predicted", "yes"),
    "teacher": ("occlusion", "grad-cam"),
    "shuffled": ("0", "1"),
    "generator": ("lsft", "gsft"),
    "gradient": ("", "--no-gradient"),
    "size": ("0", "8"),
    "clip": ("0", "1"),
    "ema-decay": ("0", "0.9"),
    "precision": ("float32", "bfloat16"),
    "batch-size": ("2", "3"),
    "look-every": ("1", "2"),
    "held-out": ("1", "4"),
    "targets": ("", "fc8"),
}


def explainer_refused(row: Row) -> str:
    cgan = row.get("method", "parts") == "cgan"
    if cgan and row.get("layer") and row.get("teacher", "grad-cam") != "grad-cam":
        return "--layer: goes with --teacher grad-cam"
    return ""


def explainer_possible(row: Row) -> bool:
    return not explainer_refused(row)


EXPLAINER_ROWS = covering_array(EXPLAINER, explainer_possible)
EXPLAINER_ROWS += [
    EXPLAINER_ROWS[0] | {"method": "cgan", "layer": "blocks.12", "teacher": "occlusion"},
]


@pytest.mark.parametrize("row", EXPLAINER_ROWS)
def test_train_explainer_of_every_pair_of_options(
    command: Run, pictures: Path, tmp_path: Path, row: Row
) -> None:
    out = tmp_path / "out"
    done = command(
        "train-explainer", "pictures", "--classifier", pictures, "--steps", "2", "--examples", "4",
        "--width", "8", *words(row, *EXPLAINER), "--out", out, "-q",
    )  # fmt: skip
    if not ended(done, out, explainer_refused(row)):
        assert not out.exists()
        return
    done = command("attribute", "pictures/no/0.png", "--classifier", pictures, "--method",
                   row["method"], "--explainer", out / "explainer.pt", "--segments", "2x2",
                   "--out", tmp_path / "map", "-q")  # fmt: skip
    assert ended(done, tmp_path / "map", "")
    arrays, _ = read_arrays(tmp_path / "map" / "attribution.npz", "attribution", ("map",))
    assert np.isfinite(arrays["map"]).all()


# --- counterfactual ---------------------------------------------------------------------------

COUNTERFACTUAL = {
    "unit": ("fc9:0", "fc9:sing", "fc9:nosing", "fc9:direction.npy", "conv5:2", "fc8:3"),
    "level": ("", "0.5"),
    "prior": ("near", "l2", "shell", "sphere"),
    "prior-weight": ("0.1", "0", "0.3"),
    "learning-rate": ("0.02", "0.5"),
    "iterations": ("1", "3"),
    "refine-steps": ("1", "2"),
    "start": ("sound/audio/one.wav@1", "sound/audio/one.wav@0 sound/audio/two.flac@2.2",
              "short.wav@0", "sound/audio/one.wav@9", "sound/audio/one.wav"),
}  # fmt: skip


def counterfactual_refused(row: Row) -> str:
    return {
        "short.wav@0": "short.wav", "sound/audio/one.wav@9": "one.wav",
        "sound/audio/one.wav": "--start-from",
    }.get(row.get("start", ""), "") or (
        "--prior sphere: has no weight"
        if row.get("prior") == "sphere" and row.get("prior-weight") == "0.3" else ""
    ) or ("nosing has no output unit" if row.get("unit") == "fc9:nosing" else "")  # fmt: skip


def counterfactual_possible(row: Row) -> bool:
    return not counterfactual_refused(row)


COUNTERFACTUAL_ROWS = covering_array(COUNTERFACTUAL, counterfactual_possible)
COUNTERFACTUAL_ROWS += [
    COUNTERFACTUAL_ROWS[0] | change
    for change in (
        {"start": "short.wav@0"}, {"start": "sound/audio/one.wav@9"},
        {"start": "sound/audio/one.wav"}, {"prior": "sphere", "prior-weight": "0.3"},
        {"unit": "fc9:nosing"},
    )
]  # fmt: skip


@pytest.mark.usefixtures("few_samples")
@pytest.mark.parametrize("row", COUNTERFACTUAL_ROWS)
def test_counterfactual_of_every_pair_of_options(command: Run, tmp_path: Path, row: Row) -> None:
    out, starts = tmp_path / "out", row["start"].split()
    classifier = PRETRAINED / "classifier.pt"
    done = command(
        "counterfactual", *(word for start in starts for word in ("--start-from", start)),
        "--on", "gan", "--classifier", classifier, "--gan", PRETRAINED / "gan.pt",
        "--layer", row["unit"],
        *words(row, "level", "prior", "prior-weight", "learning-rate", "iterations",
               "refine-steps"),
        "--griffin-lim-iterations", "1", "--out", out, "--json", "-q",
    )  # fmt: skip
    if not ended(done, out, counterfactual_refused(row)):
        assert not out.exists()
        return
    document = json.loads(done.out)
    assert len(document["excerpts"]) == len(starts)
    arrays, _ = read_arrays(out / "counterfactual.npz", "counterfactual", ("original_mel",))
    network = load_classifier(classifier, CPU).network
    layer, _, neuron = row["unit"].partition(":")
    put_out: list[torch.Tensor] = []
    network.get_submodule(layer).register_forward_hook(
        lambda module, inputs, output: put_out.append(output)
    )
    for state in ("original", "reconstruction", "counterfactual", "retouched"):
        with torch.no_grad():
            network(torch.from_numpy(arrays[f"{state}_mel"]))
        value = put_out.pop().flatten(2).mean(2) if layer == "conv5" else put_out.pop()
        expected = (
            2 * value[:, 0] if "npy" in neuron else value[:, int(neuron.replace("sing", "0"))]
        )
        np.testing.assert_allclose(arrays[f"{state}_response"], expected, rtol=1e-3, atol=1e-3)
    moved = np.linalg.norm(
        arrays["counterfactual_latent"] - arrays["reconstruction_latent"], axis=1
    )
    told = [excerpt["moved"] for excerpt in document["excerpts"]]
    assert told == pytest.approx(moved, abs=1e-3)


# --- predict ----------------------------------------------------------------------------------

PREDICT = {
    "classifier": ("sound", "pictures"),
    "first": ("good", "broken", "missing"),
    "second": ("", "good", "broken", "missing"),
    "skip": ("", "--skip-bad-files"),
    "cache": ("", "off", "kept"),
    "json": ("", "--json"),
}


@pytest.mark.parametrize("row", covering_array(PREDICT, lambda row: True))
def test_predict_of_every_pair_of_options(
    command: Run, place: Path, pictures: Path, tmp_path: Path, row: Row
) -> None:
    sound, out = row["classifier"] == "sound", tmp_path / "out"
    files = {
        "good": "sound/audio/one.wav" if sound else "pictures/no/1.png",
        "broken": "sound-broken/audio/two.flac" if sound else "pictures-broken/no/0.png",
        "missing": "sound/none.wav" if sound else "pictures/none.png",
    }
    asked = [row[key] for key in ("first", "second") if row[key]]
    bad = [files[name] for name in asked if name != "good"]
    cache = {"kept": ["--cache", str(tmp_path / "kept")], "off": ["--cache", "off"], "": []}
    done = command(
        "predict", *(files[name] for name in asked), "--classifier",
        PRETRAINED / "classifier.pt" if sound else pictures, *words(row, "skip", "json"),
        *cache[row["cache"]], "--out", out, "-q",
    )  # fmt: skip
    if not sound:
        bad.sort(key=lambda name: "none" not in name)  # whether they are there is seen first
    refusal = Path(bad[0]).name if bad and not row["skip"] else ""
    if "good" not in asked and row["skip"]:
        refusal = "could be used"
    if not ended_with_notes(done, out, refusal, row):
        if "good" in asked:  # the corrected command needs no --overwrite
            done = command("predict", *(files[name] for name in asked), "--classifier",
                           PRETRAINED / "classifier.pt" if sound else pictures,
                           "--skip-bad-files", "--out", out, "-q")  # fmt: skip
            assert done.code == 0, done.err
        return
    if row["json"]:
        assert len(json.loads(done.out)["skipped"]) == len(bad)
    tables = sorted(out.glob("*.csv"))
    assert len(tables) == (asked.count("good") if sound else 1)
    for table in tables:
        with table.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        numbers = [[float(v) for k, v in r.items() if k not in ("time_s", "file", "class")]
                   for r in rows]  # fmt: skip
        np.testing.assert_allclose(np.sum(numbers, axis=1), 1, atol=1e-5)
        assert len(rows) == (len(rows) if sound else asked.count("good"))


def ended_with_notes(done: Finished, out: Path, refusal: str, row: Row) -> bool:
    """As `ended`, where notes about files left out may stand before the line."""
    if not (refusal and row["skip"]):
        return ended(done, out, refusal)
    assert done.code == 1 and refusal in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    return False


def test_every_pair_of_values_is_covered() -> None:
    arrays = (
        (CLASSIFIER, possible), (GAN, gan_possible), (EXPLAINER, explainer_possible),
        (COUNTERFACTUAL, counterfactual_possible), (PREDICT, lambda row: True),
    )  # fmt: skip
    for factors, allowed in arrays:
        rows = covering_array(factors, allowed)
        assert possible_pairs(factors, allowed) <= set().union(*map(pairs_of, rows))
