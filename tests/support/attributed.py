"""Runs of `attribute`, and what stands on their pages."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from ganexplain.files.arrays import read_arrays
from support.paths import SAMPLE

CLASSIFIER = SAMPLE / "pretrained" / "classifier.pt"
SOUL = SAMPLE / "audio" / "gig_lea_soul.ogg"  # sung from 2.65 s on
ENTRY = 2.65


def attribution(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    return read_arrays(folder / "attribution.npz", "attribution", ("map", "segments", "weights"))


class Tags(HTMLParser):
    """Counts elements and collects addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: dict[str, int] = {}
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href")]
        self.ids += [v or "" for k, v in attrs if k == "id"]
