"""Training of the encoder of the chosen generator: from excerpts to latents."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.corpora.interfaces import AnySplit
from ganexplain.corpora.splits import batch_rows
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.losses import autoencoder_loss
from ganexplain.gans.networks import AnyEncoder, AnyGenerator
from ganexplain.runs.machine import random_stream
from ganexplain.runs.progress import Progress

BATCH_SIZE = 32
RATE = 2e-3
LATENT_WEIGHT = 0.1


def train_encoder(
    encoder: AnyEncoder,
    generator: AnyGenerator,
    split: AnySplit,
    steps: int,
    seed: int,
    progress: Progress,
) -> AnyEncoder:
    """Train a copy of the encoder for `steps` updates against the frozen generator.

    It learns to reconstruct training excerpts and to find the latents of generated ones. The
    result depends on the arguments alone and takes about a minute, so a resumed run repeats it.
    """
    encoder = copy.deepcopy(encoder)
    device = generator.mean.device
    centres = split.whole_excerpts()
    adam = torch.optim.Adam(encoder.parameters(), RATE)
    progress.start("encoder", steps)
    for step in range(steps):
        rows = batch_rows(len(centres), BATCH_SIZE, step, seed, "encoder order")
        real = torch.from_numpy(split.gather(centres[rows])).to(device)
        noise, latents = (
            _normal(seed, purpose, step).to(device)
            for purpose in ("encoder noise", "encoder latents")
        )
        loss = autoencoder_loss(encoder, generator, real, noise)
        with torch.no_grad():
            generated = generator(latents)
        loss = loss + LATENT_WEIGHT * functional.mse_loss(encoder(generated)[0], latents)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        progress.advance(1, encoder=float(loss.detach()))
    return encoder


def _normal(seed: int, purpose: str, step: int) -> Tensor:
    stream = random_stream(seed, purpose, step)
    return torch.from_numpy(stream.standard_normal((BATCH_SIZE, LATENT_SIZE), np.float32))


@torch.no_grad()
def reconstruction_error(
    encoder: nn.Module, generator: AnyGenerator, mel: np.ndarray, chunk: int = 50
) -> float:
    """Return the mean `generator.distance` of excerpts (N, ...) to their reconstructions."""
    total = 0.0
    for start in range(0, len(mel), chunk):
        real = torch.from_numpy(mel[start : start + chunk]).to(generator.mean.device)
        total += float(generator.distance(generator(encoder(real)[0]), real)) * len(real)
    return total / len(mel)
