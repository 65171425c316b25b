"""Pictures as programs and cameras write them: depths, orientation, transparency, odd folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.commands import Run

from ganexplain.corpora.picture_files import load_picture, picture_spec
from ganexplain.corpora.picture_folders import contains_pictures, read_image_corpora
from ganexplain.errors import BadFile
from ganexplain.inputs.picture import ImageInput

HEIGHT, WIDTH = 6, 9
GREY = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)
GREY[0, 0], GREY[0, 1] = 0, 255
ONE = ImageInput(channels=1, height=HEIGHT, width=WIDTH)
Make = Callable[[Path], object]


def wide(kind: str) -> np.ndarray:
    """The picture with 16 bits a pixel."""
    return (GREY.astype(np.uint16) * 257).astype(kind)


DEPTHS: dict[str, Make] = {
    "8.png": lambda path: Image.fromarray(GREY).save(path),
    "16.png": lambda path: Image.fromarray(wide("<u2")).save(path),
    "16.tif": lambda path: Image.fromarray(wide("<u2")).save(path),
    "16-big.tif": lambda path: Image.frombytes(
        "I;16B", (WIDTH, HEIGHT), wide(">u2").tobytes()
    ).save(path),
    "16.pgm": lambda path: path.write_bytes(b"P5 9 6 65535\n" + wide(">u2").tobytes()),
    "palette.png": lambda path: Image.fromarray(GREY).convert("P").save(path),
    "colour.png": lambda path: Image.fromarray(GREY).convert("RGB").save(path),
    "print.tif": lambda path: Image.fromarray(GREY).convert("RGB").convert("CMYK").save(path),
    "opaque.png": lambda path: Image.fromarray(GREY).convert("RGBA").save(path),
}


@pytest.mark.parametrize("name", DEPTHS)
def test_a_picture_is_the_same_at_every_depth(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    DEPTHS[name](path)
    assert np.abs(load_picture(path, ONE)[0] - GREY / 255).max() < 1.5 / 255
    assert picture_spec(path).shape[1:] == (HEIGHT, WIDTH)


def test_a_picture_of_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(GREY > 127).save(tmp_path / "bits.png")
    assert np.array_equal(load_picture(tmp_path / "bits.png", ONE)[0], (GREY > 127) * 1.0)


UNKNOWN = {
    "large.tif": GREY.astype(np.int32) * 8_421_504,
    "small.tif": GREY.astype(np.int32),  # as dark or as bright as one likes
    "negative.tif": GREY.astype(np.int32) - 100,
    "floats.tif": GREY.astype(np.float32),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_pixels_of_no_known_range_are_refused(tmp_path: Path, name: str) -> None:
    Image.fromarray(UNKNOWN[name]).save(tmp_path / name)
    for read in (lambda path: load_picture(path, ONE), picture_spec):
        with pytest.raises(BadFile, match=rf"{name}: .* with an unknown range; save it with 8"):
            read(tmp_path / name)


TURNED: dict[
    int, Callable[[np.ndarray], np.ndarray]
] = {  # EXIF orientation -> how the pixels are stored
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: np.rot90,
    7: lambda a: np.rot90(np.transpose(a), 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_a_picture_is_upright_as_its_tag_says(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    large = np.kron(GREY, np.ones((8, 8), np.uint8))
    stored = Image.fromarray(np.ascontiguousarray(TURNED[orientation](large)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo.{suffix}"
    exact = {"lossless": True} if suffix == "webp" else {"quality": 100}
    stored.save(path, exif=exif, **(exact if suffix in ("webp", "jpg") else {}))
    taken = picture_spec(path)
    assert taken.shape[1:] == large.shape
    grey = ImageInput(channels=1, height=large.shape[0], width=large.shape[1])
    assert np.abs(load_picture(path, grey)[0] - large / 255).mean() < 0.01


@pytest.mark.parametrize("depth", [8, 16])
def test_what_is_transparent_is_black(tmp_path: Path, depth: int) -> None:
    pixels = GREY if depth == 8 else wide("<u2")
    path = tmp_path / "clear.png"
    Image.fromarray(pixels).save(path, transparency=int(pixels[0, 1]))  # the white ones
    expected = np.where(GREY == 255, 0, GREY) / 255
    assert np.abs(load_picture(path, ONE)[0] - expected).max() < 1.5 / 255


def corpus(root: Path) -> Path:
    """Two classes of pictures, and what programs leave between them."""
    for label in ("flat", "upright"):
        (root / label / ".ipynb_checkpoints").mkdir(parents=True)
        (root / "__MACOSX" / label).mkdir(parents=True)
        for k in range(12):
            Image.fromarray(GREY + k).save(root / label / f"{k:02d}.png")
        Image.fromarray(GREY).save(root / label / ".ipynb_checkpoints" / "00-checkpoint.png")
        (root / label / "._00.png").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
        (root / "__MACOSX" / label / "._00.png").write_bytes(b"\0\5\x16\7")
        (root / label / "Thumbs.db").write_bytes(b"\xd0\xcf")
        (root / label / ".DS_Store").write_bytes(b"\0")
    (root / ".thumbnails" / "old").mkdir(parents=True)
    Image.fromarray(GREY).save(root / ".thumbnails" / "old" / "x.png")
    return root


def test_hidden_files_and_folders_are_no_pictures(tmp_path: Path, command: Run) -> None:
    root = corpus(tmp_path / "pictures")
    found = read_image_corpora([str(root)])
    assert found.classes == ("flat", "upright")
    assert len(found.recordings) == 24
    done = command(
        "train-classifier", root, "--preset", "quick", "--epochs", 1, "--updates-per-epoch", 2,
        "--out", tmp_path / "c", "-q",
    )  # fmt: skip
    assert done.code == 0, done.err
    network = ("--classifier", tmp_path / "c" / "classifier.pt")
    done = command("predict", root, *network, "--out", tmp_path / "p", "-q")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 24


def test_hidden_pictures_make_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "train" / ".ipynb_checkpoints").mkdir(parents=True)
    Image.fromarray(GREY).save(tmp_path / "train" / ".ipynb_checkpoints" / "x.png")
    assert not contains_pictures(tmp_path)


def test_classes_behind_links_count(tmp_path: Path) -> None:
    root = corpus(tmp_path / "pictures")
    (root / "upright").rename(tmp_path / "elsewhere")
    (root / "upright").symlink_to(tmp_path / "elsewhere")
    (root / "flat" / "back").symlink_to(root)  # leads back
    found = read_image_corpora([str(root)])
    assert found.classes == ("flat", "upright")
    assert len(found.recordings) == 24
