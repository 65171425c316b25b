"""The interface of an input that `attribute` explains: an excerpt of a recording, or a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ganexplain.attribution.masking import Parts
from ganexplain.audio.io import encode_flac

SOFT = 6.0  # dB below the whole from which a part is played louder
LOUDEST = 40.0  # most dB by which it is played louder: beyond, only rounding is audible


class Piece(Protocol):
    """An input to explain, displayed as log-mel (F, T) or as a picture (C, H, W).

    `suffix` is that of the files written for its sides.
    """

    suffix: str

    @property
    def text(self) -> str:
        """The text by which `read_pieces` reads it, of which a recording may have several."""

    @property
    def path(self) -> Path:
        """The file of the input."""

    @property
    def name(self) -> str:
        """The name of its folder in the run."""

    @property
    def title(self) -> str:
        """A title for people."""

    @property
    def at(self) -> float | None:
        """The time of its middle in the file, in seconds."""

    @property
    def span(self) -> tuple[float, float] | None:
        """Its start and end in the file, in seconds."""

    @property
    def values(self) -> np.ndarray:
        """The network's input (*S)."""

    @property
    def seen(self) -> np.ndarray:
        """The values to display."""

    def on_view(self, area: np.ndarray) -> np.ndarray:
        """Convert a map of the network's input to one of the displayed values."""

    def whole(self) -> Side:
        """Return the whole input."""

    def sides(self, parts: Parts, kept: np.ndarray) -> list[Side]:
        """Return the parts kept (n,) and the rest."""

    def map_picture(self, area: np.ndarray, kept: np.ndarray, title: str) -> bytes:
        """Return a PNG of a map and of the cells kept."""

    def truth(self, text: str) -> np.ndarray | None:
        """Return a mask of the cells that `--truth` marks; None where it has no such input."""


@dataclass(frozen=True)
class Side:
    """An input or a part of it: displayed `values` and the `content` of its file.

    `sound` is the FLAC that the page plays, amplified by `louder` dB; empty for a picture.
    """

    values: np.ndarray
    content: bytes
    sound: bytes = b""
    louder: int = 0


def loudness_matched_side(values: np.ndarray, waveform: np.ndarray, rate: int, peak: float) -> Side:
    """Return the side of a waveform (samples,), played as loud as a whole with that `peak`."""
    content, own = encode_flac(waveform, rate), float(np.abs(waveform).max(initial=0.0))
    soft = 20 * np.log10(peak / own) if own and peak else 0.0
    if soft < SOFT:
        return Side(values, content, content)
    louder = int(min(soft, LOUDEST))
    return Side(values, content, encode_flac(waveform * 10 ** (louder / 20), rate), louder)
