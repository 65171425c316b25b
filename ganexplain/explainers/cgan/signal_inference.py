"""Maps of a generator that was trained by coalitions, from the signals of a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ganexplain.artifacts.explainer import ExplainerFile
from ganexplain.attribution.fills import Reference, fill
from ganexplain.attribution.methods.learned import LearnedMap
from ganexplain.attribution.scorer import Scorer
from ganexplain.config import WIDEST
from ganexplain.explainers.cgan.signals import POINTS, network_signals
from ganexplain.explainers.cgan.unet import SignalGenerator
from ganexplain.files.checkpoints import build_network

KIND = "unet"  # `kind` in an explainer.pt


@dataclass(frozen=True)
class SignalAnswer:
    """Maps of a generator, which is shown the signals of a network."""

    generator: SignalGenerator
    teacher: str

    def check(self, network: nn.Module, x: torch.Tensor) -> None:
        """Accept every network: its convolutions are checked when one is explained."""

    def __call__(self, network: nn.Module, scorer: Scorer, x: torch.Tensor) -> LearnedMap:
        """Return the map of input x (*S), by three passes and gradients of the network."""
        reference = Reference.of_bands(self.generator.mean, self.generator.deviation, x.ndim)
        one = np.zeros(x.shape[-2:], dtype=int)  # the mean is that of the whole input
        filled = fill("mean", x, one, reference)[None]
        signals = network_signals(network, scorer.differentiable_odds, x[None], filled)
        scorer.passes += POINTS
        with torch.no_grad():
            area = self.generator(x[None], filled, signals)[0]
        return LearnedMap(area, {"teacher": self.teacher, "layer": ""})


def load_signal_answer(found: ExplainerFile, device: torch.device) -> SignalAnswer:
    """Load an `explainer.pt` of this kind; ValueError for a size out of range or bad weights."""
    values = found.content
    width, gradient = int(values["width"]), bool(values["gradient"])
    if not 1 <= width <= WIDEST:
        raise ValueError(f"a width of {width} is out of range")
    shape = tuple(found.front_end.shape)
    generator = build_network(values["weights"], lambda: SignalGenerator(shape, width, gradient))
    return SignalAnswer(generator.to(device).eval(), str(values["teacher"]))
