"""The networks of a GAN for what it is to draw: log-mel, pictures or waveforms."""

from __future__ import annotations

from pathlib import Path

import torch

from ganexplain.audio.log_mel import usable_front_end
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.checkpoints import filled_from, frozen, plain_value, read_checkpoint
from ganexplain.gans.dcgan import CHANNELS, Discriminator, Encoder, Generator
from ganexplain.gans.wavegan import SHORTEST, WaveDiscriminator, WaveEncoder, WaveGenerator
from ganexplain.inputs.kinds import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.waveform import WaveformInput

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
                f"samples = {drawn.samples}: a GAN generates waveforms of at least {SHORTEST}"
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


def load_generator(path: Path, device: torch.device) -> tuple[AnyGenerator, Input]:
    """Read the averaged generator of `gan.pt`; errors as `read_checkpoint`."""
    content = read_checkpoint(path, "gan", ("generator", "front_end"))
    drawn = usable_front_end(path, content["front_end"])
    # Files written before the size was a setting hold the small generator.
    channels = plain_value(path, {"channels": CHANNELS} | content, "channels", int)
    generator = filled_from(
        path, content["generator"], lambda: generator_for(drawn, channels=channels)
    )
    return frozen(generator, device), drawn


def load_encoder(path: Path, device: torch.device) -> AnyEncoder:
    """Read the encoder that belongs to the generator of `gan.pt`; errors as `read_checkpoint`.

    GanexplainError where there is none, as in what is left of a training that diverged.
    """
    content = read_checkpoint(path, "gan", ("front_end",))
    if "encoder" not in content:
        raise GanexplainError(
            f"{path}: holds no encoder, which finds the latents of real excerpts; "
            "name the gan.pt of a finished training"
        )
    drawn = usable_front_end(path, content["front_end"])
    encoder = filled_from(path, content["encoder"], lambda: encoder_for(drawn))
    return frozen(encoder, device)
