"""The inputs of `attribute`: explained by any workers, kept for a resumed run, the same files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.colours import write_colours
from support.parted import check_parts
from support.paths import PRETRAINED
from support.recordings import song, write_sound

from ganexplain.attribution.methods import registry
from ganexplain.config import AttributeConfig
from ganexplain.stages.attribute import attribute

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attribution takes no time, which its files say."""
    monkeypatch.setattr(registry.time, "perf_counter", lambda: 0.0)


@pytest.mark.usefixtures("no_clock")
def test_excerpts_are_explained_the_same_by_any_workers(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "0.wav", song(0))
    (tmp_path / "0.lab").write_text("0 9 nosing\n")
    config = AttributeConfig(
        inputs=(str(sound),), method=("random",), classifier=str(PRETRAINED / "classifier.pt"),
        segments=("temporal:2",), truth=str(tmp_path),
    )  # fmt: skip
    notes = check_parts(attribute, config, tmp_path, parts=2)
    unused = [note.split(" of this")[0] for note in notes if "agreement with it is left" in note]
    middles = [(frame * 315 + 512) / 22050 for frame in (57, 172)]
    assert unused == [f"0-at-{time:.2f}: --truth {tmp_path} marks nothing" for time in middles]


@pytest.mark.usefixtures("no_clock")
def test_pictures_are_explained_the_same_by_any_workers(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for folder in ("a", "b"):  # the second of the same name has another folder in the run
        (tmp_path / "pictures" / folder).mkdir(parents=True)
        values = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(values).save(tmp_path / "pictures" / folder / "p.png")
    config = AttributeConfig(
        inputs=(str(tmp_path / "pictures"),), method=("lime", "random"), samples=20,
        segments=("2x2",), **write_colours(tmp_path),
    )  # fmt: skip
    check_parts(attribute, config, tmp_path, parts=2)
