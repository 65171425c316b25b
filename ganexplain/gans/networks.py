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


def load_generator(path: Path, device: torch.device) -> tuple[AnyGenerator, Input]:
    """Read the averaged generator of `gan.pt`; errors as `read_checkpoint`."""
    content = read_checkpoint(path, "gan", ("generator", "front_end"))
    input_spec = usable_front_end(path, content["front_end"])
    # Files written before the size was a setting hold the small generator.
    channels = plain_value(path, {"channels": CHANNELS} | content, "channels", int)
    generator = filled_from(
        path, content["generator"], lambda: generator_for(input_spec, channels=channels)
    )
    return frozen(generator, device), input_spec


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
    input_spec = usable_front_end(path, content["front_end"])
    encoder = filled_from(path, content["encoder"], lambda: encoder_for(input_spec))
    return frozen(encoder, device)
