"""Warns about a recording that is quieter or louder than a classifier's training recordings."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from torch import nn

from ganexplain.audio.levels import level_against_training
from ganexplain.classifiers.base import ExcerptNet
from ganexplain.classifiers.training_form import hears_level

LOGGER = logging.getLogger("ganexplain")


def warn_of_level(path: Path, mel: np.ndarray, network: nn.Module) -> None:
    """Log a warning if the log-mel (T, F) of a recording is outside the levels of training.

    They are known from the bands' mean and deviation in a classifier that was trained here; other
    networks are not checked, nor one that does not hear the level.
    """
    if not isinstance(network, ExcerptNet):
        return
    mean, deviation = network.mean.cpu().numpy(), network.deviation.cpu().numpy()
    if not mean.any() or not hears_level(network):  # it was never trained, or so that it does not
        return
    level = level_against_training(mel, mean, deviation)
    if level:
        LOGGER.warning(
            "%s: about %.0f dB %s than the recordings that the classifier was trained on; its "
            "predictions are less reliable there, bring the recording to a usual level",
            path, abs(level), "louder" if level > 0 else "quieter",
        )  # fmt: skip
