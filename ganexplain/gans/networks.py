"""The networks of a GAN: a DCGAN for inputs with rows and columns, a WaveGAN for waveforms."""

from __future__ import annotations

import math

from ganexplain.errors import UsageError
from ganexplain.gans.dcgan import CHANNELS, Discriminator, Encoder, Generator
from ganexplain.gans.wavegan import SHORTEST, WaveDiscriminator, WaveEncoder, WaveGenerator
from ganexplain.inputs.base import Input

AnyGenerator = Generator | WaveGenerator
AnyDiscriminator = Discriminator | WaveDiscriminator
AnyEncoder = Encoder | WaveEncoder


def generator_for(
    input_spec: Input, normalise: bool = False, channels: int = CHANNELS
) -> AnyGenerator:
    """Return an untrained generator of inputs; UsageError for waveforms that are too short."""
    if not input_spec.is_plane:
        (samples,) = input_spec.shape
        if samples < SHORTEST:
            raise UsageError(
                f"samples = {samples}: a GAN generates waveforms of at least {SHORTEST}"
            )
        return WaveGenerator(samples, normalise, channels)
    low, high = input_spec.bounds
    return Generator(
        1.0, normalise, channels, input_spec.shape, (low, high if math.isfinite(high) else None)
    )


def discriminator_for(input_spec: Input) -> AnyDiscriminator:
    """Return an untrained discriminator of inputs."""
    if input_spec.is_plane:
        return Discriminator(input_spec.shape)
    return WaveDiscriminator(*input_spec.shape)


def encoder_for(input_spec: Input) -> AnyEncoder:
    """Return an untrained encoder from inputs to latents."""
    return Encoder(input_spec.shape) if input_spec.is_plane else WaveEncoder(*input_spec.shape)
