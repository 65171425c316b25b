"""The networks of a GAN for what it is to draw: log-mel, pictures or waveforms."""

from __future__ import annotations

from ganexplain.errors import UsageError
from ganexplain.gans.dcgan import CHANNELS, Discriminator, Encoder, Generator
from ganexplain.gans.wavegan import SHORTEST, WaveDiscriminator, WaveEncoder, WaveGenerator
from ganexplain.inputs.kinds import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.waveform import WaveformInput

AnyGenerator = Generator | WaveGenerator
AnyDiscriminator = Discriminator | WaveDiscriminator
AnyEncoder = Encoder | WaveEncoder


def generator_for(
    input_spec: Input, normalise: bool = False, channels: int = CHANNELS
) -> AnyGenerator:
    """The generator of what is to be drawn; UsageError for waveforms too short for one."""
    if isinstance(input_spec, FrontEnd):
        return Generator(1.0, normalise, channels, input_spec.shape, (input_spec.silence, None))
    if isinstance(input_spec, WaveformInput):
        if input_spec.samples < SHORTEST:
            raise UsageError(
                f"samples = {input_spec.samples}: a GAN generates waveforms of at least {SHORTEST}"
            )
        return WaveGenerator(input_spec.samples, normalise, channels)
    return Generator(1.0, normalise, channels, input_spec.shape, (0.0, 1.0))


def discriminator_for(input_spec: Input) -> AnyDiscriminator:
    """The discriminator to train it against."""
    if isinstance(input_spec, WaveformInput):
        return WaveDiscriminator(input_spec.samples)
    return Discriminator(input_spec.shape)


def encoder_for(input_spec: Input) -> AnyEncoder:
    """The encoder from what is drawn to its latents."""
    if isinstance(input_spec, WaveformInput):
        return WaveEncoder(input_spec.samples)
    return Encoder(input_spec.shape)
