"""A stage that is resumed with other inputs: refused, or done with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.parted import Stopped

from ganexplain.config import AttributeConfig
from ganexplain.errors import GanexplainError
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.attribute import attribute

pytestmark = pytest.mark.usefixtures("one_thread")

NETWORK = """
import torch
class Colours(torch.nn.Module):
    def forward(self, x):
        return x.mean(dim=(2, 3))
"""
PICTURE = """
kind = "image"
channels = 3
height = 8
width = 8
[network]
classes = ["r", "g", "b"]
"""


def write_picture(path: Path, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three pictures, beside a network of the mean of each channel."""
    (tmp_path / "net.py").write_text(NETWORK)
    (tmp_path / "picture.toml").write_text(PICTURE)
    found = tmp_path / "pictures"
    found.mkdir()
    for number in range(3):
        write_picture(found / f"{number}.png", number)
    return found


@pytest.fixture
def attributions(folder: Path) -> AttributeConfig:
    """Random maps of the pictures of the folder."""
    return AttributeConfig(
        inputs=(str(folder),), method=("random",), segments=("2x2",),
        model=f"{folder.parent / 'net.py'}:Colours", input=str(folder.parent / "picture.toml"),
    )  # fmt: skip


@pytest.mark.parametrize("finished", [False, True])
def test_attribute_is_not_resumed_with_a_further_picture(
    finished: bool, folder: Path, attributions: AttributeConfig, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    record = b""
    if finished:
        attribute(attributions, run, NullProgress())
        record = (run / "run.json").read_bytes()
    else:
        with pytest.raises(KeyboardInterrupt):
            attribute(attributions, run, Stopped(run / "parts"))
    write_picture(folder / "-first.png", 3)
    with pytest.raises(GanexplainError, match=r"input recordings are not those.*-first\.png"):
        attribute(attributions, run, NullProgress(), resume=True)
    assert not finished or (run / "run.json").read_bytes() == record
    (folder / "-first.png").unlink()
    found = attribute(attributions, run, NullProgress(), resume=True).found
    assert [Path(each.file).name for each in found.inputs] == ["0.png", "1.png", "2.png"]


def test_attribute_is_not_resumed_without_a_picture(
    folder: Path, attributions: AttributeConfig, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    attribute(attributions, run, NullProgress())
    (folder / "1.png").unlink()
    with pytest.raises(GanexplainError, match=r"1\.png is gone, with which the run .* began"):
        attribute(attributions, run, NullProgress(), resume=True)


def test_an_input_whose_attribution_is_gone_is_explained_again(
    folder: Path, attributions: AttributeConfig, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        attribute(attributions, run, Stopped(run / "parts"))
    (lost,) = run.rglob("attribution.npz")
    lost.unlink()
    attribute(attributions, run, NullProgress(), resume=True)
    assert len(list(run.rglob("attribution.npz"))) == 3
