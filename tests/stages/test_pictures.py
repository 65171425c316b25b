"""Pictures through all stages, on the digits that scikit-learn ships (1,797 of 8 x 8 pixels)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.pictures import agreement, judge_of
from PIL import Image
from sklearn.datasets import load_digits
from support.commands import Run
from support.elements import Elements
from support.paths import ROOT

from ganexplain.artifacts.prediction import read_prediction
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.classifiers.picturenet import PictureNet
from ganexplain.corpora.batches import shift_picture
from ganexplain.corpora.picture_files import load_picture, picture_spec
from ganexplain.corpora.picture_folders import read_image_corpora
from ganexplain.errors import BadFile, GanexplainError, UsageError
from ganexplain.files.arrays import read_arrays
from ganexplain.gans.dcgan import Discriminator, Encoder, Generator, UpsamplingPlan
from ganexplain.inputs.picture import ImageInput
from ganexplain.report.pictures.sample_sheet import picture_sheet

CPU = torch.device("cpu")
DIGIT = ImageInput(channels=1, height=8, width=8)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a digit, as a user has them."""
    root = tmp_path_factory.mktemp("digits")
    found = load_digits()
    for number, (pixels, digit) in enumerate(zip(found.images, found.target, strict=True)):
        (root / str(digit)).mkdir(exist_ok=True)
        values = np.round(pixels * 255 / 16).astype(np.uint8)
        Image.fromarray(values).save(root / str(digit) / f"{number:04d}.png")
    return root


@pytest.fixture(scope="module")
def walk(digits: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All four stages, as a user runs them."""
    root = tmp_path_factory.mktemp("walk")

    def stage(name: str, *words: str | Path) -> None:
        run(name, *words, "--out", root / name, "--quiet")

    stage("train-classifier", digits, "--preset", "quick", "--updates-per-epoch", "100")
    classifier = root / "train-classifier" / "classifier.pt"
    stage(
        "train-gan",
        digits,
        "--classifier",
        classifier,
        *"--steps 200 --autoencoder-steps 80 --encoder-steps 20 --sample-every 100".split(),
        *"--channels 32".split(),
    )
    stage(
        "explain",
        "--classifier",
        classifier,
        "--gan",
        root / "train-gan" / "gan.pt",
        *"--neuron all --learning-rate 0.1 --learning-rate 0.03 --prior-weight 0.1".split(),
        *"--prior-weight 0.01 --iterations 30 --iterations 60 --examples 12 --jobs 1".split(),
    )
    stage("select", root / "explain", "--corpus", digits, "--no-controls")
    controlled = ("--corpus", digits, "--quiet", "--out", root / "controlled")
    run("select", root / "explain" / "fc9-3-max" / "explanations.npz", *controlled)
    return {"classifier": classifier, "explain": root / "explain", "select": root / "select",
            "gan": root / "train-gan"}  # fmt: skip


@pytest.mark.slow
def test_selected_digits_are_that_digit_to_an_independent_judge(
    digits: Path, walk: dict[str, Path]
) -> None:
    judge, accuracy, classes = judge_of(digits, DIGIT)
    assert accuracy > 0.97
    shares = []
    for made in sorted(walk["explain"].glob("*/explanations.npz")):
        document = json.loads((walk["select"] / made.parent.name / "selection.json").read_text())
        shares.append(agreement(judge, classes, made, document["chosen"])[1])
    assert len(shares) == 10
    # Of 120 pictures, a tenth by chance. Processors, whose bfloat16 trains other networks, gave
    # 0.92 to 0.97; the figure itself belongs to the benchmark.
    assert np.mean(shares) >= 0.8


@pytest.mark.slow
def test_the_classifier_reads_digits(walk: dict[str, Path]) -> None:
    classifier = load_classifier(walk["classifier"], CPU)
    assert classifier.classes == tuple("0123456789") and classifier.front_end == DIGIT
    figures = json.loads((walk["classifier"].parent / "run.json").read_text())["results"]
    assert figures["test"]["frame_error"] < 0.04 and figures["test"]["frames"] > 200
    with pytest.raises(UsageError, match="takes images, not recordings"):
        _ = classifier.sound


@pytest.mark.slow
def test_real_pictures_are_found_by_class(walk: dict[str, Path]) -> None:
    folder = walk["select"] / "fc9-3-max"
    arrays, meta = read_arrays(folder / "responses.npz", "responses", ())
    assert meta["front_end"] == {
        "kind": "image",
        "channels": 1,
        "height": 8,
        "width": 8,
        "low": 0.0,
        "high": 1.0,
        "mean": [0.0],
        "deviation": [1.0],
    }
    assert arrays["mel"].shape == (12, 1, 8, 8) and "audio" not in arrays
    assert all(name.startswith("3/") for name in arrays["file"])
    made, _ = read_arrays(walk["explain"] / "fc9-3-max" / "explanations.npz", "explanations", ())
    assert made["mel"].shape == (8, 12, 1, 8, 8)
    assert made["mel"].min() >= 0 and made["mel"].max() <= 1
    sheets = sorted(walk["gan"].glob("samples-*.png"))
    assert len(sheets) == 2 and Image.open(sheets[0]).size == (8 * 100 - 4, 2 * 100 - 4)


@pytest.mark.slow
def test_pictures_of_a_digit_foretell_which_new_pictures_excite_its_unit(
    digits: Path, walk: dict[str, Path], run: Run, tmp_path: Path
) -> None:
    made = walk["explain"] / "fc9-3-max"
    out, judge = ("--out", tmp_path / "validate", "--quiet"), ("--encoder", walk["classifier"])
    ranked = walk["select"] / "fc9-3-max"
    printed = run("validate", made / "explanations.npz", "--selection", ranked, "--corpus", digits,
                  "--encoder", "descriptors", *judge, *out).out  # fmt: skip
    tested = read_prediction(tmp_path / "validate")
    assert tested.input == "image" and tested.excerpts == tested.recordings and tested.held_out
    assert len(tested.explained_encoders) == 1
    found = tested.units[0].shares["descriptors"]["real"]["top"]
    assert found.interval and found.interval[0] > 0.5  # chance
    assert "two new pictures" in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 100


@pytest.mark.slow
def test_what_makes_a_digit_that_digit_is_shown(
    digits: Path, walk: dict[str, Path], command: Run, tmp_path: Path
) -> None:
    for digit in range(10):
        path = sorted((digits / str(digit)).iterdir())[0]
        (tmp_path / "some").mkdir(exist_ok=True)
        (tmp_path / "some" / f"{digit}.png").write_bytes(path.read_bytes())
    done = command(
        "attribute", tmp_path / "some", "--classifier", walk["classifier"], "--method", "elime",
        "--method", "occlusion", "--fill", "zero", "--json", "--quiet", "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    entries = json.loads(done.out)["inputs"]
    assert sum(entry["explained"] == Path(entry["file"]).stem for entry in entries) >= 9
    for entry in entries:
        evolved = entry["results"][0]
        # No less than the parsimony saved. Both are computed anew, each in a batch of its own
        # size: float32 rounds them apart.
        saved = 0.1 * (1 - len(evolved["kept"]) / 16)
        assert saved > 0.01 and evolved["kept_score"] >= entry["full_score"] - saved - 1e-5
        assert evolved["measures"]["passes"] <= 105
    held = [[result["measures"]["faithfulness"] for result in e["results"]] for e in entries]
    floor = [entry["floor"]["faithfulness"] for entry in entries]
    assert (np.mean(held, axis=0) > np.mean(floor) + 0.3).all()
    assert (tmp_path / "run" / "3" / "occlusion-4x4-zero" / "kept.png").is_file()
    ranked = command("select", tmp_path / "run", "--quiet", "--out", tmp_path / "ranked")
    assert ranked.code == 0 and "4x4" in ranked.out.splitlines()[1]


# --- corpora and files ------------------------------------------------------------------------


def picture(path: Path, mode: str = "L", size: tuple[int, int] = (9, 6), value: int = 128) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if len(mode) == 1 else (value,) * len(mode)).save(path)
    return path


def test_splits_are_folders_or_by_name(tmp_path: Path, digits: Path) -> None:
    for split in ("train", "valid", "test"):
        for label in ("cat", "dog"):
            picture(tmp_path / split / label / "a.png")
    corpus = read_image_corpora([str(tmp_path)])
    assert [len(corpus.split(name)) for name in ("train", "valid", "test")] == [2, 2, 2]
    assert corpus.classes == ("cat", "dog")
    by_name = read_image_corpora([str(digits)])
    shares = [len(by_name.split(name)) / 1797 for name in ("train", "valid", "test")]
    np.testing.assert_allclose(shares, [0.7, 0.15, 0.15], atol=0.03)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "I;16", "P"])
def test_pictures_of_any_mode_are_read(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "p.png"
    if mode == "I;16":
        Image.fromarray(np.full((6, 9), 128 * 257, dtype=np.uint16)).save(path)
    elif mode == "P":
        Image.new("RGB", (9, 6), (128, 128, 128)).quantize().save(path)
    else:
        picture(path, mode, value=1 if mode == "1" else 128)
    for channels in (1, 3):
        found = load_picture(path, ImageInput(channels=channels, height=4, width=5))
        assert found.shape == (channels, 4, 5) and found.dtype == np.float32
        wanted = {"1": 1.0, "RGBA": 64 / 255}.get(mode, 128 / 255)  # half clear, over black
        np.testing.assert_allclose(found, wanted, atol=0.02)
    assert picture_spec(path).shape[1:] == (6, 9)


def test_damaged_pictures_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pictures"):
        read_image_corpora([str(tmp_path)])
    picture(tmp_path / "cat" / "a.png")
    with pytest.raises(GanexplainError, match="pictures of one class"):
        read_image_corpora([str(tmp_path)])
    picture(tmp_path / "dog" / "a.png")
    (tmp_path / "dog" / "b.png").write_bytes(b"no picture")
    with pytest.raises(BadFile, match=r"b\.png: cannot be read as a picture"):
        read_image_corpora([str(tmp_path)])
    assert len(read_image_corpora([str(tmp_path)], skip_bad_files=True).skipped) == 1
    (tmp_path / "train").mkdir()
    with pytest.raises(GanexplainError, match="is in no split"):
        read_image_corpora([str(tmp_path)])


def test_a_moved_picture_repeats_its_edge() -> None:
    before = np.arange(12.0).reshape(1, 3, 4)
    assert shift_picture(before, 1, 0)[0].tolist() == [[0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7]]
    assert shift_picture(before, 0, -2)[0, 0].tolist() == [2, 3, 3, 3]


def test_a_sheet_has_a_row_for_each_entry() -> None:
    import io

    rows = {"a": np.zeros((3, 1, 8, 8)), "b": np.ones((2, 1, 8, 8))}
    sheet = np.asarray(Image.open(io.BytesIO(picture_sheet(rows))))
    assert sheet.shape == (2 * 96 + 4, 3 * 96 + 2 * 4, 3)
    assert sheet[0, 0, 0] == 0 and sheet[100, 0, 0] == 255 and sheet[100, -1, 0] == 0


# --- networks of any shape --------------------------------------------------------------------


def test_the_paper_s_shape_has_the_paper_s_networks() -> None:
    plan = UpsamplingPlan.for_shape((80, 115))
    assert plan.base_size == (5, 8) and plan.strides == ((2, 2),) * 4
    assert (plan.crop_start(0), plan.crop_start(1)) == (0, 6)


@pytest.mark.parametrize(
    "shape",
    [(80, 115), (1, 28, 28), (3, 32, 32), (1, 8, 8), (1, 1, 1), (3, 5, 90), (40, 7), (1, 500)],
)
def test_networks_fit_any_shape(shape: tuple[int, ...]) -> None:
    generator = Generator(shape=shape, normalise=True, channels=16)
    drawn = generator(torch.randn(3, 128))
    assert drawn.shape == (3, *shape)
    folded = generator.eval().fold_norms()
    torch.testing.assert_close(folded(torch.ones(2, 128)), generator(torch.ones(2, 128)))
    assert Discriminator(shape)(drawn).shape == (3,)
    assert Encoder(shape)(drawn)[0].shape == (3, 128)
    if len(shape) == 3:
        assert PictureNet(4, shape)(drawn).shape == (3, 4)


def test_recordings_and_pictures_are_kept_apart(command: Run, tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        picture(tmp_path / "pictures" / label / "a.png")
    sound = ROOT / "sample_data"
    done = command("train-gan", tmp_path / "pictures", sound, "--out", tmp_path / "g")
    assert "cannot be used as one corpus" in done.error_line()
    spec = tmp_path / "mel.toml"
    spec.write_text("mel_bands = 40\n")
    done = command("train-gan", tmp_path / "pictures", "--input", spec, "--out", tmp_path / "g")
    assert "contains pictures, but recordings are needed" in done.error_line()
    done = command(
        "responses",
        tmp_path / "pictures",
        "--classifier",
        ROOT / "sample_data" / "pretrained" / "classifier.pt",
        "--out",
        tmp_path / "r",
    )
    assert "contains pictures, but recordings are needed" in done.error_line()


@pytest.mark.slow
def test_predict_names_the_class_of_every_picture(
    digits: Path, walk: dict[str, Path], command: Run, tmp_path: Path
) -> None:
    words = ("--classifier", walk["classifier"], "--json", "--quiet")
    one = next((digits / "7").iterdir())
    done = command("predict", one, digits / "3", *words, "--out", tmp_path / "p")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    said = [entry["class"] for entry in document["files"]]
    assert document["files"][0]["file"] == str(one)
    assert len(said) == 1 + len(list((digits / "3").iterdir()))
    assert said.count("3") > 0.95 * len(said)
    with (tmp_path / "p" / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["class"] for row in rows] == said
    shares = np.array([[float(row[name]) for name in "0123456789"] for row in rows])
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-4)
    assert [str(k) for k in shares.argmax(axis=1)] == said

    (tmp_path / "empty").mkdir()
    done = command("predict", tmp_path / "empty", *words, "--out", tmp_path / "e")
    assert "no pictures in this folder" in done.error_line()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    done = command("predict", one, tmp_path / "none.png", *words, "--out", tmp_path / "n")
    assert "none.png: no such file" in done.error_line() and not (tmp_path / "n").exists()
    both = ("predict", one, tmp_path / "broken.png", *words)
    assert "cannot be read as a picture" in command(*both, "--out", tmp_path / "b").error_line()
    done = command(*both, "--skip-bad-files", "--out", tmp_path / "s")
    document = json.loads(done.out)
    assert len(document["files"]) == len(document["skipped"]) == 1


@pytest.mark.slow
def test_the_report_of_a_digit(walk: dict[str, Path], command: Run, tmp_path: Path) -> None:
    unit = "fc9-3-max"
    done = command("report", walk["explain"] / unit / "explanations.npz", "--selection",
                   walk["select"] / unit, "--out", tmp_path / "report", "--quiet")  # fmt: skip
    assert done.code == 0, done.err
    page = Elements((tmp_path / "report" / "report.html").read_text())
    assert not page.of("audio") and len(page.of("svg", "picture")) == 6 * len(
        page.of("section", "row")
    )
    origins = [e.text for e in page.of("span", "origin")]
    assert all(name.startswith("3/") for name in origins[:6])
