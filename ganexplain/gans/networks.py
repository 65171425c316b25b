"""The networks of a GAN for what it is to draw: log-mel, pictures or waveforms."""

from __future__ import annotations

from ganexplain.errors import UsageError
from ganexplain.gans.dcgan import CHANNELS, Discriminator, Encoder, Generator
from ganexplain.gans.wavegan import SHORTEST, WaveDiscriminator, WaveEncoder, WaveGenerator
from ganexplain.inputs.kinds import FrontEnd, Input, WaveformInput

AnyGenerator = Generator | WaveGenerator
AnyDiscriminator = Discriminator | WaveDiscriminator
AnyEncoder = Encoder | WaveEncoder


def generator_for(drawn: Input, normalise: bool = False, channels: int = CHANNELS) -> AnyGenerator:
    """The generator of what is to be drawn; UsageError for waveforms too short for one."""
    if isinstance(drawn, FrontEnd):
        return Generator(1.0, normalise, channels, drawn.shape, (drawn.silence, None))
    if isinstance(drawn, WaveformInput):
        if drawn.samples < SHORTEST:
            raise UsageError(
                f"samples = {drawn.samples}: a GAN draws waveforms of {SHORTEST} samples or more"
            )
        return WaveGenerator(drawn.samples, normalise, channels)
    return Generator(1.0, normalise, channels, drawn.shape, (0.0, 1.0))


def discriminator_for(drawn: Input) -> AnyDiscriminator:
    """The discriminator to train it against."""
    if isinstance(drawn, WaveformInput):
        return WaveDiscriminator(drawn.samples)
    return Discriminator(drawn.shape)


def encoder_for(drawn: Input) -> AnyEncoder:
    """The encoder from what is drawn to its latents."""
    if isinstance(drawn, WaveformInput):
        return WaveEncoder(drawn.samples)
    return Encoder(drawn.shape)
