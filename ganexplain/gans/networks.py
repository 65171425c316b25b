"""The networks of a GAN: a DCGAN for inputs with rows and columns, a WaveGAN for waveforms."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ganexplain.errors import UsageError
from ganexplain.gans.dcgan import CHANNELS, LATENT_SIZE, Discriminator, Encoder, Generator
from ganexplain.gans.mixtures import MixtureGenerator
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


def latent_size(generator: nn.Module) -> int:
    """How many numbers a latent of a generator has."""
    return generator.latent_size if isinstance(generator, MixtureGenerator) else LATENT_SIZE


def discriminator_for(input_spec: Input) -> AnyDiscriminator:
    """Return an untrained discriminator of inputs."""
    if input_spec.is_plane:
        return Discriminator(input_spec.shape)
    return WaveDiscriminator(*input_spec.shape)


def encoder_for(input_spec: Input) -> AnyEncoder:
    """Return an untrained encoder from inputs to latents."""
    return Encoder(input_spec.shape) if input_spec.is_plane else WaveEncoder(*input_spec.shape)


@torch.no_grad()
def unfold_norms(plain: AnyGenerator, generator: AnyGenerator, latents: Tensor) -> None:
    """Make `generator` the function of `plain`, of the same size but without normalisation.

    The inverse of `fold_norms`: the statistics of each norm, and its scale and shift, are those of
    its inputs for `latents` (B, Z), so that in eval mode it changes nothing.
    """
    outputs: list[Tensor] = []
    layers = [plain.fc, *plain.ups]
    hooks = [
        layer.register_forward_hook(lambda module, given, output: outputs.append(output))
        for layer in layers
    ]
    plain(latents)
    for hook in hooks:
        hook.remove()
    generator.load_state_dict(plain.state_dict(), strict=False)
    for norm, output in zip(generator.norms, outputs, strict=False):  # the last layer may have none
        if not isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            continue
        assert norm.running_mean is not None and norm.running_var is not None
        values = output.reshape(len(output), norm.num_features, -1)
        variance, mean = torch.var_mean(values, dim=(0, 2))
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_(torch.sqrt(variance + norm.eps))
        norm.bias.copy_(mean)
