"""Real excerpts and their mixtures in place of a GAN: few dimensions, each a change of a sound."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ganexplain.audio.sonify import PEAK
from ganexplain.inputs.base import Input
from ganexplain.networks.bridges.bridge import bridge_between

SOURCES = 24  # excerpts that are mixed
FILTERS = 8  # bands of the filter, equally spaced in log frequency
LOWEST_HZ = 50.0
STEP_DB = 6.0  # of a band, and of the whole, for a latent of one
SHARPNESS = 2.0  # of the softmax that makes shares of latents: one or two excerpts are heard
SHIFT = 0.25  # of the length of an excerpt, for a latent of one


class MixtureGenerator(nn.Module):
    """Latents (B, Z) ~ N(0, I) -> inputs of `input_spec`, made of mixtures of K real excerpts.

    A latent has K numbers whose softmax is the share of each excerpt, the shift of the mixture in
    time, the levels of eight bands and that of the whole, which full scale limits. What a shift
    moves out at the end comes in at the start. The buffer `excerpts` (K, W) has waveforms of
    `sound`; `mean` only says on which device they are.
    """

    excerpts: Tensor
    filters: Tensor
    mean: Tensor

    def __init__(self, sound: Input, input_spec: Input, sources: int = SOURCES) -> None:
        super().__init__()
        self.sound, self.input_spec, (self.samples,) = sound, input_spec, sound.shape
        self.sources = sources
        self.latent_size = sources + 1 + FILTERS + 1
        self.register_buffer("excerpts", torch.zeros(sources, self.samples))
        self.register_buffer("filters", _filters(sound), persistent=False)
        self.register_buffer("mean", torch.zeros(1), persistent=False)
        self.bridge = bridge_between(sound, input_spec, "", "")

    def forward(self, latent: Tensor) -> Tensor:
        """Inputs (B, ...) for latents (B, Z)."""
        inputs: Tensor = self.bridge(self.sounds(latent))
        return inputs

    def sounds(self, latent: Tensor) -> Tensor:
        """Waveforms (B, W) for latents (B, Z), each softened to a peak within full scale."""
        shares, shift, levels = latent.split([self.sources, 1, FILTERS + 1], dim=1)
        mixed = torch.fft.rfft((SHARPNESS * shares).softmax(1) @ self.excerpts)
        turns = torch.arange(mixed.shape[1], device=latent.device) * (-2 * math.pi * SHIFT)
        decibels = STEP_DB * (levels[:, :FILTERS] @ self.filters + levels[:, FILTERS:])
        changed = torch.polar(torch.pow(10.0, decibels / 20), shift * turns)
        sounds = torch.fft.irfft(mixed * changed, n=self.samples)
        return sounds * (PEAK / sounds.abs().amax(1, keepdim=True).clamp_min(PEAK))


def _filters(sound: Input) -> Tensor:
    """Weights (FILTERS, bins) of the bands in each bin: triangles that add up to one."""
    hertz = torch.fft.rfftfreq(*sound.shape, 1 / sound.sound_rate).clamp_min(LOWEST_HZ)
    highest = math.log(sound.sound_rate / 2 / LOWEST_HZ)
    place = (hertz / LOWEST_HZ).log() / highest * (FILTERS - 1)
    return (1 - (place - torch.arange(FILTERS)[:, None]).abs()).clamp_min(0)
