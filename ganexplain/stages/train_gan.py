"""`train-gan`: corpus -> `gan.pt`."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.artifacts import write_bytes, write_checkpoint
from ganexplain.config import FrontEnd, TrainGanConfig
from ganexplain.data.cache import cache_directory
from ganexplain.data.corpus import read_corpus
from ganexplain.data.excerpts import Split, batch_rows, load_split
from ganexplain.errors import Diverged, check_known
from ganexplain.models.dcgan import LATENT_SIZE, Discriminator, Encoder, Generator
from ganexplain.models.gan_losses import (
    RECIPES,
    Recipe,
    autoencoder_loss,
    discriminator_loss,
    generator_loss,
    penalty,
    with_spectral_norm,
)
from ganexplain.pages.sample_sheet import sample_sheet
from ganexplain.rundir import RunDirectory
from ganexplain.runtime import Progress, pick_device, random_stream
from ganexplain.stages.resuming import check_same_recordings, resumable_steps

SHEET_COLUMNS = 8
AUTOENCODER_RATE = 2e-3


def train_gan(
    config: TrainGanConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
) -> Path:
    """Train a generator on the excerpts of the training split; gives the path of `gan.pt`.

    The generator kept is the running average of the weights. Errors: those of the corpus,
    UsageError for an unknown loss, Diverged where a loss is no longer finite.
    """
    recipe = RECIPES[check_known("--loss", config.loss, RECIPES)]
    corpus = read_corpus(Path(config.corpus), config.skip_bad_files)
    device = pick_device(config.device)
    with RunDirectory(out, "train-gan", config, overwrite, resume) as run:
        progress = run.keep_notes(progress)
        for message in corpus.skipped:
            progress.note(f"skipped: {message}")
        run.used_recordings("train", corpus.split("train"))
        cache = cache_directory(config.cache)
        split = load_split(corpus, "train", FrontEnd(), cache, progress, config.skip_bad_files)
        training = GanTraining(config, recipe, split, device)
        warm, total = config.autoencoder_steps, config.autoencoder_steps + config.steps
        every = config.checkpoint_every
        for step in resumable_steps(run, training, total, every, progress):
            done = step + 1 - warm
            losses = training.autoencoder_step(step) if done <= 0 else training.step(done - 1)
            if done > 0 and (done % config.sample_every == 0 or done == config.steps):
                run.metric(step=done, **losses)
                write_bytes(out / f"samples-{done:06d}.png", training.sheet())
            progress.advance(1, **losses)
        path = out / "gan.pt"
        write_checkpoint(path, "gan", training.checkpoint(config))
    return path


class GanTraining:
    """The networks, optimisers and running average of one adversarial training."""

    def __init__(
        self, config: TrainGanConfig, recipe: Recipe, split: Split, device: torch.device
    ) -> None:
        self.loss, self.recipe, self.split, self.device = config.loss, recipe, split, device
        self.seed, self.ema_decay = config.seed, config.ema_decay
        self.batch_size = config.batch_size or recipe.batch_size
        self.centres = split.whole_excerpts()
        torch.manual_seed(config.seed)
        floor = split.front_end.floor
        self.generator = Generator(floor, normalise=recipe.normalise_generator).to(device)
        self.discriminator = Discriminator().to(device)
        mean, deviation = map(torch.from_numpy, split.band_statistics())
        self.encoder = Encoder().to(device)
        for network in (self.generator, self.discriminator, self.encoder):
            network.mean.copy_(mean)
            network.deviation.copy_(deviation)
        if recipe.spectral_norm:
            with_spectral_norm(self.discriminator)
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval()
        rate = config.learning_rate or recipe.learning_rate
        self.optimisers = {
            "generator": torch.optim.Adam(self.generator.parameters(), rate, recipe.betas),
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), rate, recipe.betas),
            "autoencoder": torch.optim.Adam(
                [*self.generator.parameters(), *self.encoder.parameters()], AUTOENCODER_RATE
            ),
        }

    def autoencoder_step(self, step: int) -> dict[str, float]:
        """One update of the generator as the decoder of an autoencoder; the loss."""
        real = self._real("autoencoder order", step)
        noise = self._latents("autoencoder noise", step)
        loss = autoencoder_loss(self.encoder, self.generator, real, noise)
        self._descend("autoencoder", loss)
        self._average(step)
        return {"autoencoder": _finite(loss, step)}

    def step(self, step: int) -> dict[str, float]:
        """One update of the generator after those of the discriminator; the losses."""
        for turn in range(self.recipe.discriminator_steps):
            on_discriminator = self._update_discriminator(
                step * self.recipe.discriminator_steps + turn
            )
        fake = self.generator(self._latents("generator latents", step))
        loss = generator_loss(self.loss, self.discriminator, fake)
        self._descend("generator", loss)
        self._average(step)
        return {
            "discriminator": _finite(on_discriminator, step),
            "generator": _finite(loss, step),
        }

    def _update_discriminator(self, turn: int) -> Tensor:
        real = self._real("epoch order", turn)
        with torch.no_grad():
            fake = self.generator(self._latents("discriminator latents", turn))
        loss = discriminator_loss(self.loss, self.discriminator, real, fake)
        total = loss
        every = self.recipe.penalty_every
        if turn % every == 0:
            stream = random_stream(self.seed, "interpolation", turn)
            mix = stream.random(self.batch_size, np.float32)
            mixed = torch.from_numpy(mix).to(self.device)
            total = loss + penalty(self.loss, self.discriminator, real, fake, mixed, every)
        self._descend("discriminator", total)
        return loss

    def _descend(self, name: str, loss: Tensor) -> None:
        self.optimisers[name].zero_grad(set_to_none=True)
        loss.backward()
        self.optimisers[name].step()

    def _real(self, purpose: str, index: int) -> Tensor:
        rows = batch_rows(len(self.centres), self.batch_size, index, self.seed, purpose)
        return torch.from_numpy(self.split.gather(self.centres[rows])).to(self.device)

    def _latents(self, purpose: str, index: int) -> Tensor:
        stream = random_stream(self.seed, purpose, index)
        drawn = stream.standard_normal((self.batch_size, LATENT_SIZE), np.float32)
        return torch.from_numpy(drawn).to(self.device)

    @torch.no_grad()
    def _average(self, step: int) -> None:
        decay = min(self.ema_decay, (1 + step) / (10 + step))
        running = self.generator.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(running[name], 1 - decay)

    def state(self) -> dict[str, Any]:
        """All tensors of the training, for `restore`."""
        networks = {name: network.state_dict() for name, network in self._networks().items()}
        optimisers = {name: adam.state_dict() for name, adam in self.optimisers.items()}
        return {"networks": networks, "optimisers": optimisers}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state; GanexplainError where it was trained on other recordings."""
        check_same_recordings(state["networks"]["generator"], self.generator)
        for name, network in self._networks().items():
            network.load_state_dict(state["networks"][name])
        for name, adam in self.optimisers.items():
            adam.load_state_dict(state["optimisers"][name])

    def _networks(self) -> dict[str, nn.Module]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "encoder": self.encoder,
            "average": self.average,
        }

    @torch.no_grad()
    def sheet(self) -> bytes:
        """PNG of generated excerpts above real ones, the same ones every time."""
        stream = random_stream(self.seed, "sheet")
        latent = stream.standard_normal((SHEET_COLUMNS, LATENT_SIZE), np.float32)
        rows = stream.choice(len(self.centres), SHEET_COLUMNS, replace=False)
        drawn = self.average(torch.from_numpy(latent).to(self.device)).cpu().numpy()
        real = self.split.gather(self.centres[rows])
        return sample_sheet({"real": real, "generated": drawn}, self.split.front_end)

    def checkpoint(self, config: TrainGanConfig) -> dict[str, object]:
        """Content of `gan.pt`: the averaged generator with its normalisation folded in."""
        return {
            "generator": _cpu(self.average.folded()),
            "discriminator": _cpu(self.discriminator),
            "latent_size": LATENT_SIZE,
            "front_end": asdict(self.split.front_end),
            "config": asdict(config),
        }


def _finite(loss: Tensor, step: int) -> float:
    value = float(loss.detach())
    if not math.isfinite(value):
        raise Diverged(f"a loss is {value} at step {step}; lower --learning-rate")
    return value


def _cpu(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu() for name, value in network.state_dict().items()}
