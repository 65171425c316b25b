"""What `attribute` is asked about: excerpts of recordings, or pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ganexplain.attribution.masking import Parts
from ganexplain.audio.io import encode_flac

SOFT = 6.0  # dB below the whole from which a part is played louder
LOUDEST = 40.0  # dB, at most: beyond, what is heard is rounding


class Piece(Protocol):
    """One input that is explained.

    `suffix` is that of what is written of it; what is to look at is log-mel (F, T) or a picture
    (C, H, W).
    """

    suffix: str

    @property
    def path(self) -> Path:
        """Its file."""

    @property
    def name(self) -> str:
        """Of its folder."""

    @property
    def title(self) -> str:
        """What it is, in words."""

    @property
    def at(self) -> float | None:
        """Where in the file it is, in seconds."""

    @property
    def span(self) -> tuple[float, float] | None:
        """From where to where in the file it lies, in seconds."""

    @property
    def values(self) -> np.ndarray:
        """What the network is given, (*S)."""

    @property
    def seen(self) -> np.ndarray:
        """What is looked at."""

    def on_view(self, area: np.ndarray) -> np.ndarray:
        """A map of what the network is given, over what is looked at."""

    def whole(self) -> Side:
        """All of it."""

    def sides(self, parts: Parts, kept: np.ndarray) -> list[Side]:
        """The parts kept (n,), and the rest."""

    def map_picture(self, area: np.ndarray, kept: np.ndarray, title: str) -> bytes:
        """PNG of a map and of the cells kept."""

    def truth(self, text: str) -> np.ndarray | None:
        """Cells that `--truth` says matter; None where it says nothing of this one."""


@dataclass(frozen=True)
class Side:
    """What is to look at, log-mel (F, T) or a picture (C, H, W), and the `content` of its file.

    `sound` is what the page plays, a FLAC `louder` by so many dB; of a picture nothing.
    """

    values: np.ndarray
    content: bytes
    sound: bytes = b""
    louder: int = 0


def sounding(values: np.ndarray, waveform: np.ndarray, rate: int, peak: float) -> Side:
    """The side of a waveform (samples,); on the page as loud as the whole, whose `peak` is."""
    content, own = encode_flac(waveform, rate), float(np.abs(waveform).max(initial=0.0))
    soft = 20 * np.log10(peak / own) if own and peak else 0.0
    if soft < SOFT:
        return Side(values, content, content)
    louder = int(min(soft, LOUDEST))
    return Side(values, content, encode_flac(waveform * 10 ** (louder / 20), rate), louder)
