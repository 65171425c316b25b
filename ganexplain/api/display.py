"""How records show themselves in a notebook: rows of inputs as pictures, a few with sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from ganexplain.inputs.base import Input
from ganexplain.report.html.markup import data_uri, element, flac_uri, joined, void

SHOWN, HEARD = 8, 1  # inputs of a row, and those of them with sound
ITERATIONS = 32  # of Griffin-Lim: a quarter of a second each
SUFFIXES = {".png": "image/png", ".flac": "audio/flac"}


@dataclass(frozen=True)
class Row:
    """Inputs (N, ...) with their responses (N,) under a title."""

    title: str
    inputs: np.ndarray
    response: np.ndarray


def rows_shown(title: str, rows: Sequence[Row], input_spec: Input) -> str:
    """HTML of rows with a common colour scale; the first of each row have sound."""
    from ganexplain.report.html.medium import medium_for

    medium = medium_for(input_spec, rows[0].inputs)
    parts: list[Markup] = [element("b", title)]
    for row in rows:
        pictures = [
            void("img", src=medium.thumbnail(one), title=f"response {value:.3g}",
                 alt=f"response {value:.3g}")
            for one, value in zip(row.inputs[:SHOWN], row.response, strict=False)
        ]  # fmt: skip
        parts += [element("div", row.title), element("div", pictures)]
        if input_spec.sound_rate:
            parts.append(element("div", _players(row.inputs[:HEARD], input_spec)))
    return element("div", parts)


def _players(inputs: np.ndarray, input_spec: Input) -> list[Markup]:
    from ganexplain.audio.sonify import limit_peak, make_sounds

    sounds = make_sounds(input_spec, inputs, ITERATIONS)
    return [_player(flac_uri(limit_peak(one), input_spec.sound_rate)) for one in sounds]


def _player(address: str) -> Markup:
    return element("audio", controls=True, src=address)


def files_shown(title: str, paths: Sequence[Path], text: str = "") -> str:
    """HTML of pictures and sounds in files, and of a text with columns."""
    parts: list[Markup] = [element("b", title)]
    for path in paths:
        address = data_uri(SUFFIXES[path.suffix], path.read_bytes())
        named = element("div", path.stem)
        sound = path.suffix == ".flac"
        shown = _player(address) if sound else void("img", src=address, alt=path.stem)
        parts.append(joined([named, shown]))
    return element("div", parts, text_shown(text) if text else "")


def text_shown(text: str) -> str:
    """HTML of a table as text."""
    return element("pre", text)
