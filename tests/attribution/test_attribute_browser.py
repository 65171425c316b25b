"""The page of `attribute` in a headless Chromium: what a listener clicks and hears."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from PIL import Image

pytest.importorskip("websockets")
from support.attributed import CLASSIFIER, ENTRY, SOUL
from support.browser import CHROMIUM, browser

from ganexplain.config import AttributeConfig
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.attribute import attribute

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is absent")


def test_the_page_plays_the_vocal_entry(tmp_path: Path) -> None:
    config = AttributeConfig(
        inputs=(f"{SOUL}@{ENTRY}",), classifier=str(CLASSIFIER), method=("occlusion",),
        segments=("10x1",),
    )  # fmt: skip
    attribute(config, tmp_path / "run", NullProgress())
    with browser(tmp_path / "browser") as page:
        page.look(1280)
        page.open(tmp_path / "run" / "report.html")
        names = page.evaluate("[...document.querySelectorAll('button.play')].map(b => b.ariaLabel)")
        assert [name.split(", ")[-1].split(" (")[0] for name in names] == [
            "whole", "map", "kept", "removed",
        ]  # fmt: skip
        page.click("figure:has(button[aria-label*='kept']) button.play")
        kept = "document.querySelector('figure:has(button[aria-label*=\"kept\"]) audio')"
        page.until(f"{kept}.currentTime > 0.1 && !{kept}.paused")
        assert page.evaluate(f"{kept}.duration") == pytest.approx(1.675, abs=0.01)
        content = base64.b64decode(page.evaluate(f"{kept}.src").partition(",")[2])
        sound, rate = sf.read(io.BytesIO(content))
        entry = round(0.82 * rate)  # in the excerpt, whose middle it is
        before, after = sound[: entry - 500], sound[entry + 500 :]
        assert np.square(after).mean() > 10 * np.square(before).mean()
        for width, media in ((400, ""), (718, "print")):  # a phone, and A4 within its margins
            page.look(width, media=media)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.look(1280, scheme="dark")
        colours = Image.open(io.BytesIO(page.picture())).convert("L").resize((1, 1))
        assert np.asarray(colours)[0, 0] < 80
        assert page.complaints == []
