"""Independent opinions on an edited recording: judges of its class, and the range of a GAN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ganexplain.counterfactuals.boundary import class_margin
from ganexplain.errors import UsageError, did_you_mean
from ganexplain.gans.checkpoint import load_gan
from ganexplain.inputs.log_mel import require_log_mel
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.bridges.bridge import bridge_between
from ganexplain.networks.decisions import guess_output_kind
from ganexplain.networks.layer_units import unit_values
from ganexplain.networks.sound_target import load_sound_target
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import example_inputs


@torch.no_grad()
def judge_margin(
    source: NetworkSource, class_name: str, sound: WaveformInput, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """The margin (B,) of a class by another network, from waveforms (B, W).

    Raises UsageError where the network has no class of that name.
    """
    judge, _ = load_sound_target(source, None, device, sound)
    classes = judge.names.classes
    if class_name not in classes:
        raise UsageError(
            f"--judge {source.name}: has no class {class_name!r}"
            f"{did_you_mean(class_name, classes)}; its classes: {', '.join(classes)}"
        )
    kind = "logits"
    if not source.classifier:
        kind = guess_output_kind(unit_values(judge.network(example_inputs(sound).to(device))))
    number = classes.index(class_name)
    alone = judge.outputs == 1  # its unit is the last class
    decide = class_margin(judge, 0 if alone else number, kind)
    sign = -1 if alone and number < len(classes) - 1 else 1
    return lambda waveforms: sign * decide(unit_values(judge.network(waveforms)))


@dataclass(frozen=True)
class GanRange:
    """How far waveforms are from what a GAN generates: encoder and generator reproduce them.

    `log_mel` converts waveforms (B, W) to what the GAN generates.
    """

    log_mel: nn.Module
    encoder: nn.Module
    generator: nn.Module
    decibels: float

    @classmethod
    def open(cls, gan: Path, sound: WaveformInput, device: torch.device) -> GanRange:
        """The range of a gan.pt; raises as `load_gan`."""
        generator, encoder, generated = load_gan(gan, device)
        front_end = require_log_mel(
            generated, f"{gan}: generates {generated.plural}, not recordings; name a GAN of log-mel"
        )
        log_mel = bridge_between(sound, front_end, "", "reflect").to(device)
        return cls(log_mel, encoder, generator, front_end.decibels_per_unit)

    @torch.no_grad()
    def off_db(self, waveform: Tensor) -> float:
        """Root mean square error in dB of the reproduction of a waveform (1, W)."""
        mel = self.log_mel(waveform)
        error = self.generator(self.encoder(mel)[0]) - mel
        return self.decibels * float(error.square().mean().sqrt())
