"""The report of pictures: they stand where spectrograms and players stand for sound."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.browser import CHROMIUM, browser
from support.commands import Run
from support.elements import Elements
from support.report_artifacts import EXAMPLES, SHOWN, Artifacts

from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import input_values

SHAPE = (3, 12, 10)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """Artifacts of every kind, of coloured pictures in place of excerpts."""
    made = Artifacts(tmp_path_factory.mktemp("pictures")).complete()
    front_end = input_values(ImageInput(channels=3, height=12, width=10))
    made.meta["front_end"] = made.real_meta["front_end"] = front_end
    stream = np.random.default_rng(0)
    for arrays in (made.made, made.real, made.controls):
        for name in [name for name in arrays if name.endswith("mel")]:
            before = arrays[name].shape[:-2]
            arrays[name] = stream.random((*before, *SHAPE)).astype(np.float32)
        for name in [name for name in arrays if name.endswith(("audio", "start_s"))]:
            arrays[name] = np.zeros(len(arrays[name]))
            if name.endswith("audio"):
                del arrays[name]
        for name in [name for name in arrays if name.endswith("file")]:
            arrays[name] = np.array([f"a long way/cat/{k}.png" for k in range(len(arrays[name]))])
    return made


@pytest.fixture(scope="module")
def page(artifacts: Artifacts) -> str:
    return artifacts.report()


def test_pictures_stand_as_they_are(page: str, artifacts: Artifacts) -> None:
    found = Elements(page)
    sources = [e.attributes["href"].split(",", 1)[1] for e in found.of("image")]
    pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(s)))) for s in sources]
    real, chosen = artifacts.real["mel"], artifacts.made["mel"][artifacts.selection["chosen"]]
    for drawn, one in zip(pictures, [*real[:SHOWN], *chosen[:SHOWN]], strict=False):
        assert drawn.shape == (12 * 8, 10 * 8, 3)
        np.testing.assert_array_equal(
            drawn[::8, ::8], np.round(one * 255).astype(np.uint8).transpose(1, 2, 0)
        )
    assert not found.of("audio") and not found.of("button", "play")
    assert len(found.of("button", "switch")) == len(found.of("section", "row")) - 1
    labels = [e.attributes["aria-label"] for e in found.of("svg", "picture")]
    assert labels and all(label.startswith("Picture: ") for label in labels)


def test_the_page_speaks_of_pictures(page: str) -> None:
    import re

    shown = re.sub(
        r"<script.*?</script>|<style.*?</style>|data:[^\"]*|<[^>]*>", " ", page, flags=re.S
    )
    words = {"hear", "hears", "ear", "ears", "sound", "listen", "excerpt", "excerpts", "nat",
             "music", "recordings", "spectrogram"}  # fmt: skip
    assert not words & set(re.findall(r"\w+", shown.lower()))
    assert "cat/0.png" in shown and "long way" not in shown
    assert "10 x 12 pixels, colour" in shown


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is absent")
def test_a_and_b_and_the_grid_in_a_browser(page: str, artifacts: Artifacts, tmp_path: Path) -> None:
    def pictures(row: str) -> list[str]:
        found: list[str] = window.evaluate(
            f"[...document.querySelectorAll('{row} image')].map((i) => i.getAttribute('href'))"
        )
        return found

    with browser(tmp_path) as window:
        for scheme in ("light", "dark"):
            window.look(400, scheme)
            window.open(artifacts.folder / "report" / "report.html")
            assert window.evaluate("document.body.scrollWidth") <= 400
        window.look(1280)
        own, real = pictures(".row.chosen"), pictures(".row.real")[:SHOWN]
        window.click(".row.chosen .switch")
        assert pictures(".row.chosen")[:SHOWN] == real
        window.press("x")
        assert pictures(".row.chosen")[:SHOWN] == own[:SHOWN]
        before = pictures(".explored .row.setting")
        window.click('.map.shown .cell[data-setting="6"]')
        assert len(before) == SHOWN and pictures(".explored .row.setting") != before
        window.click(".explored .row.setting .picture")  # plays nothing, and says nothing
        printed = window.pdf()
        assert printed.startswith(b"%PDF") and window.complaints == []


def test_an_array_of_another_shape_is_named(
    artifacts: Artifacts, command: Run, tmp_path: Path
) -> None:
    config = artifacts.write()
    import shutil

    from ganexplain.files.arrays import read_arrays, write_arrays

    controls = Path(config.selection).with_name("controls.npz")
    shutil.copy(controls, tmp_path / "kept.npz")
    arrays, meta = read_arrays(controls, "controls", ())
    spoilt = arrays | {"input_ascent_mel": np.zeros((EXAMPLES, 1, 12, 10))}
    write_arrays(controls, "controls", spoilt, meta)
    done = command("report", config.explanations, "--selection", config.selection,
                   "--responses", config.responses, "--out", tmp_path / "out")  # fmt: skip
    shutil.copy(tmp_path / "kept.npz", controls)
    assert "input_ascent_mel has shape (4, 1, 12, 10)" in done.error_line()
