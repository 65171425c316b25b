"""What `attribute` is asked about: excerpts of recordings, or pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ganexplain.attribution.inputs.excerpts import moments
from ganexplain.attribution.inputs.pictures import pictures
from ganexplain.attribution.inputs.side import Side
from ganexplain.attribution.masking import Parts
from ganexplain.inputs.kinds import ImageInput, Input


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


def pieces(inputs: Sequence[str], taken: Input) -> list[Piece]:
    """The inputs that words name, as a network takes them; errors as `moments`, `pictures`."""
    if isinstance(taken, ImageInput):
        return list(pictures(inputs, taken))
    return list(moments(inputs, taken))
