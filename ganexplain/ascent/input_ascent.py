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
    """Inputs of `shape`, for log-mel (F, T) in nat, as coordinates in standard deviations.

    `mean` and `deviation` can be broadcast to the shape; values are clipped to `least` .. `most`.
    """

    shape: tuple[int, ...]
    mean: np.ndarray
    deviation: np.ndarray
    least: float
    most: float

    def decoder(self, device: torch.device) -> Objective:
        """A function from flat coordinates (B, D) to inputs (B, ...)."""
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
    """Search the input itself from noise with `ascend_to_nearest`; returns also inputs (N, ...).

    It is the control of the paper (section 2): without the GAN the inputs drive the unit and look
    like noise. Each start is unit noise in the coordinates of `space`; there is no prior. There
    are at most `most` iterations.
    """
    decode = space.decoder(settings.device)
    search = Ascent(lambda z: respond(decode(z)), starts, settings)
    found = ascend_to_nearest(search, target, most, advance)
    with torch.no_grad():
        return found, decode(found.latent).cpu().numpy()
