"""The networks of one adversarial training and its steps."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.config import TrainGanConfig
from ganexplain.corpora.interfaces import AnySplit
from ganexplain.corpora.splits import batch_rows
from ganexplain.errors import UsageError, check_known
from ganexplain.gans.augment import augment, draw_changes
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.feature_discriminator import FeatureDiscriminator, LayerOutputs
from ganexplain.gans.losses import LOSSES, add_spectral_norm, autoencoder_loss
from ganexplain.gans.networks import (
    AnyEncoder,
    AnyGenerator,
    discriminator_for,
    encoder_for,
    generator_for,
    unfold_norms,
)
from ganexplain.gans.wavegan import WaveDiscriminator, phase_shifts
from ganexplain.inputs.base import Input
from ganexplain.runs.distributed import average_gradients, check_divisible, rank_slice
from ganexplain.runs.machine import random_stream
from ganexplain.runs.precision import PRECISIONS, autocast
from ganexplain.runs.resume import (
    State,
    finite_value,
    restore_tensors,
    training_tensors,
    update_average,
)

Scored = TypeVar("Scored", Tensor, list[Tensor])  # a batch, or its features
AUTOENCODER_RATE = 2e-3
FEATURE_EXAMPLES = 64
START_LATENTS = 500  # for which the norms of a generator that is trained on change nothing


def check_settings(config: TrainGanConfig, input_spec: Input) -> None:
    """Raise UsageError for settings that a GAN of inputs of `input_spec` cannot have."""
    recipe = LOSSES[check_known("--loss", config.loss, LOSSES)].recipe
    check_known("--precision", config.precision, PRECISIONS)
    check_divisible(config.batch_size or recipe.batch_size)
    if config.augment and input_spec.values_per_nat is None:
        raise UsageError("--augment: applies to log-mel; leave it out here")
    if config.start and config.autoencoder_steps not in (0, TrainGanConfig.autoencoder_steps):
        raise UsageError(
            f"--autoencoder-steps {config.autoencoder_steps}: prepares random weights, "
            "but those of --start are trained; leave it out"
        )


class GanTraining:
    """The networks, optimisers and running average of one adversarial training.

    With a frozen `classifier`, a second discriminator reads the outputs of its layers. `start` are
    the generator and the encoder of an earlier training, which are trained on. In a distributed run
    each process computes its part of every batch; batch normalisation and minibatch deviation are
    computed over that part.
    """

    def __init__(
        self,
        config: TrainGanConfig,
        split: AnySplit,
        device: torch.device,
        classifier: nn.Module | None = None,
        start: tuple[AnyGenerator, AnyEncoder] | None = None,
    ) -> None:
        self.config, self.split, self.device = config, split, device
        check_settings(config, split.front_end)
        self.loss = LOSSES[config.loss]
        self.recipe = self.loss.recipe
        self.batch_size = config.batch_size or self.recipe.batch_size
        self.centres = split.whole_excerpts()
        torch.manual_seed(config.seed)
        self._make_networks(start)
        if classifier is not None:
            self._make_feature_discriminator(classifier)
        self._make_optimisers()

    def _make_networks(self, start: tuple[AnyGenerator, AnyEncoder] | None) -> None:
        recipe, input_spec = self.recipe, self.split.front_end
        self.generator = generator_for(input_spec, recipe.normalise_generator, self.config.channels)
        self.discriminator, self.encoder = discriminator_for(input_spec), encoder_for(input_spec)
        mean, deviation = map(torch.from_numpy, self.split.band_statistics())
        for network in (self.generator, self.discriminator, self.encoder):
            network.mean.copy_(mean)
            network.deviation.copy_(deviation)
            network.to(self.device)
            # On a CPU a step takes a quarter less time than in the default layout.
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if start is not None:
            self._start_from(*start)
        if recipe.spectral_norm:
            add_spectral_norm(self.discriminator)
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval()
        self.networks: dict[str, nn.Module] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "encoder": self.encoder,
            "average": self.average,
        }
        self.layer_outputs: LayerOutputs | None = None

    def _start_from(self, generator: AnyGenerator, encoder: AnyEncoder) -> None:
        stream = random_stream(self.config.seed, "latents of the norms")
        latents = stream.standard_normal((START_LATENTS, LATENT_SIZE), np.float32)
        unfold_norms(generator, self.generator, torch.from_numpy(latents).to(self.device))
        self.encoder.load_state_dict(encoder.state_dict())

    def _make_feature_discriminator(self, classifier: nn.Module) -> None:
        self.layer_outputs = LayerOutputs(classifier)
        with torch.no_grad():
            chosen = (len(self.centres), FEATURE_EXAMPLES, 0, self.config.seed)
            rows = self.centres[batch_rows(*chosen, "feature examples")]
            real = torch.from_numpy(self.split.gather(rows)).to(self.device)
            examples = self.layer_outputs(real)
        self.feature_discriminator = FeatureDiscriminator(examples).to(self.device)
        self.networks["feature discriminator"] = self.feature_discriminator

    def _make_optimisers(self) -> None:
        rate = self.config.learning_rate or self.recipe.learning_rate
        trained = {name: [*net.parameters()] for name, net in self.networks.items()}
        coders = [*trained["generator"], *trained.pop("encoder")]
        del trained["average"]
        self.optimisers = {
            name: torch.optim.Adam(parameters, rate, self.recipe.betas)
            for name, parameters in trained.items()
        }
        self.optimisers["autoencoder"] = torch.optim.Adam(coders, AUTOENCODER_RATE)

    def autoencoder_step(self, step: int) -> dict[str, float]:
        """Update the generator once as the decoder of an autoencoder; returns the loss."""
        real = self._real_batch("autoencoder order", step)
        noise = self._latents("autoencoder noise", step)
        with self._autocast():
            loss = autoencoder_loss(self.encoder, self.generator, real, noise)
        self._descend("autoencoder", loss)
        update_average(self.average, self.generator, self.config.ema_decay, step)
        return {"autoencoder": finite_value(loss, step)}

    def step(self, step: int) -> dict[str, float]:
        """Update the discriminators, then the generator once; returns the losses.

        The generator is updated on the batches, and features, of the discriminators' last update.
        """
        turns = self.recipe.discriminator_steps
        for index in range(step * turns, (step + 1) * turns):
            last = index == (step + 1) * turns - 1
            real = self._augment(self._real_batch("epoch order", index), "real", index)
            with torch.set_grad_enabled(last), self._autocast():
                fake = self.generator(self._latents("generator latents", index))
            fake = self._augment(fake.float(), "generated", index)
            losses = {"discriminator": self._update_discriminator(index, real, fake.detach())}
            if self.layer_outputs is not None:
                on_real, on_fake = self._features(real), self._features(fake, last)
                detached = [part.detach() for part in on_fake]
                losses["features"] = self._update_feature_discriminator(on_real, detached)
        self._shuffle_phase("generator", step)
        loss = self._generator_loss(self._score, fake, real)
        if self.layer_outputs is not None:
            loss = loss + self._generator_loss(self.feature_discriminator, on_fake, on_real)
        self._descend("generator", loss)
        update_average(self.average, self.generator, self.config.ema_decay, step)
        losses["generator"] = loss
        return {name: finite_value(value, step) for name, value in losses.items()}

    def _generator_loss(
        self, score: Callable[[Scored], Tensor], fake: Scored, real: Scored
    ) -> Tensor:
        on_fake = score(fake)
        on_real = score(real) if self.loss.pairs else on_fake
        return self.loss.generator(on_fake, on_real)

    def _update_discriminator(self, index: int, real: Tensor, fake: Tensor) -> Tensor:
        self._shuffle_phase("discriminator", index)
        loss = self.loss.discriminator(self._score(real), self._score(fake))
        total = loss
        if index % self.recipe.penalty_every == 0:
            stream = random_stream(self.config.seed, "interpolation", index)
            shares = stream.random(self.batch_size, np.float32)[rank_slice()]
            mix = torch.from_numpy(shares).to(self.device)
            total = loss + self._penalty(real, fake, mix)
        self._descend("discriminator", total)
        return loss

    def _penalty(self, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
        """Return the loss's penalty, for waveforms in units of their deviation, which is small."""
        unit = self.generator.deviation if isinstance(self.discriminator, WaveDiscriminator) else 1

        def score(excerpts: Tensor) -> Tensor:
            return self.discriminator(excerpts * unit)

        return self.loss.penalty(score, real / unit, fake / unit, mix)

    def _shuffle_phase(self, network: str, index: int) -> None:
        """Set the phase shuffle of a discriminator of waveforms for one update."""
        if isinstance(self.discriminator, WaveDiscriminator):
            stream = random_stream(self.config.seed, f"phase shuffle, {network}", index)
            count = len(self.discriminator.shifts)
            self.discriminator.shifts = phase_shifts(stream, count)

    def _update_feature_discriminator(self, real: list[Tensor], fake: list[Tensor]) -> Tensor:
        on_real, on_fake = self.feature_discriminator(real), self.feature_discriminator(fake)
        loss = self.loss.discriminator(on_real, on_fake)
        self._descend("feature discriminator", loss)
        return loss

    def _features(self, mel: Tensor, gradient: bool = False) -> list[Tensor]:
        assert self.layer_outputs is not None
        with torch.set_grad_enabled(gradient), self._autocast():
            return self.layer_outputs(mel)

    def _score(self, mel: Tensor) -> Tensor:
        with self._autocast():
            return self.discriminator(mel).float()

    def _autocast(self) -> AbstractContextManager[Any]:
        return autocast(self.config.precision, self.device)

    def _descend(self, name: str, loss: Tensor) -> None:
        """Apply the gradients of a loss to the parameters of the optimiser `name`."""
        optimiser = self.optimisers[name]
        parameters = [value for group in optimiser.param_groups for value in group["params"]]
        optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=parameters)
        average_gradients(parameters)
        optimiser.step()

    def _augment(self, mel: Tensor, purpose: str, index: int) -> Tensor:
        if not self.config.augment:
            return mel
        stream = random_stream(self.config.seed, f"augmentation of {purpose}", index)
        nat = self.split.front_end.values_per_nat
        assert nat is not None  # as `check_settings` requires
        changes = draw_changes(stream, self.batch_size, nat)[rank_slice()]
        return augment(mel, self.generator.mean, changes)

    def _real_batch(self, purpose: str, index: int) -> Tensor:
        size, seed = self.batch_size, self.config.seed
        rows = batch_rows(len(self.centres), size, index, seed, purpose)[rank_slice()]
        return torch.from_numpy(self.split.gather(self.centres[rows])).to(self.device)

    def _latents(self, purpose: str, index: int) -> Tensor:
        stream = random_stream(self.config.seed, purpose, index)
        latents = stream.standard_normal((self.batch_size, LATENT_SIZE), np.float32)
        return torch.from_numpy(latents[rank_slice()]).to(self.device)

    def state(self) -> State:
        """Return all tensors of the training, for `restore`."""
        return training_tensors(self.networks, self.optimisers)

    def restore(self, state: State) -> None:
        """Continue from a state; GanexplainError if it belongs to other recordings."""
        restore_tensors(state, self.networks, self.optimisers)
