"""Activation maximisation without a prior: gradient ascent on the excerpt itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.candidate import Target
from ganexplain.ascent.engine import Ascent, Objective
from ganexplain.ascent.nearest import Nearest, ascend_to_nearest
from ganexplain.ascent.settings import AscentSettings, Starts


@dataclass(frozen=True)
class InputSpace:
    """Inputs of `shape`, (F, T) of log-mel in nat, as coordinates in standard deviations.

    `mean` and `deviation` are arrays that fit the shape; values stay between `least` and `most`.
    """

    shape: tuple[int, ...]
    mean: np.ndarray
    deviation: np.ndarray
    least: float
    most: float

    def decoder(self, device: torch.device) -> Objective:
        """A function of coordinates (B, ...), flat, to inputs (B, ...)."""
        centre, scale = (
            torch.from_numpy(v.astype(np.float32)).to(device) for v in (self.mean, self.deviation)
        )

        def decode(coordinates: Tensor) -> Tensor:
            return (centre + scale * coordinates.view(-1, *self.shape)).clamp(self.least, self.most)

        return decode


def ascend_input(
    respond: Objective,
    space: InputSpace,
    starts: Starts,
    target: Target,
    most: int,
    settings: AscentSettings,
    advance: Callable[[int, float], None] = lambda units, response: None,
) -> tuple[Nearest, np.ndarray]:
    """The search of `ascend_to_nearest` over the input itself, from noise; the inputs (N, ...).

    The paper's contrast (section 2: what is found without the GAN drives the unit, and looks like
    nothing). Each start is unit noise in the coordinates of `space`; there is no prior. At most
    `most` iterations, ended where the responses come nearest to the real ones.
    """
    decode = space.decoder(settings.device)
    search = Ascent(lambda z: respond(decode(z)), starts, settings)
    found = ascend_to_nearest(search, target, most, advance)
    with torch.no_grad():
        return found, decode(found.latent).cpu().numpy()
