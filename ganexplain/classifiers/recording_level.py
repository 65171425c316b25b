"""A warning where a recording is quieter or louder than what a classifier was trained on."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from torch import nn

from ganexplain.audio.levels import level_against_training
from ganexplain.classifiers.base import ExcerptNet

LOGGER = logging.getLogger("ganexplain")


def warn_of_level(path: Path, mel: np.ndarray, network: nn.Module) -> None:
    """Log a warning where log-mel (T, F) of a recording lies outside the levels of training.

    These are told by the bands' mean and deviation, which a classifier trained here holds; of other
    networks nothing is known.
    """
    if not isinstance(network, ExcerptNet):
        return
    mean, deviation = network.mean.cpu().numpy(), network.deviation.cpu().numpy()
    if not mean.any():  # never trained
        return
    level = level_against_training(mel, mean, deviation)
    if level:
        LOGGER.warning(
            "%s: about %.0f dB %s than what the classifier was trained on; what it says there is "
            "less sure, bring the recording to a usual level",
            path, abs(level), "louder" if level > 0 else "quieter",
        )  # fmt: skip
