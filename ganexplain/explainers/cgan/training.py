"""The training of a conditional GAN that explains."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.config import TrainExplainerConfig
from ganexplain.corpora.splits import batch_rows
from ganexplain.errors import check_known
from ganexplain.explainers.cgan.dataset import MapDataset
from ganexplain.explainers.cgan.evaluation import (
    condition_relevance,
    evaluate_generator,
    mean_maps,
    relevance_table,
)
from ganexplain.explainers.cgan.inference import (
    GeneratorSettings,
    View,
    build_generator,
    channel_count,
)
from ganexplain.explainers.cgan.maps import CONDITIONS
from ganexplain.explainers.cgan.networks import GENERATORS, InputNormalizer, PairDiscriminator
from ganexplain.explainers.cgan.teachers import network_maps
from ganexplain.explainers.task import Task, Trained
from ganexplain.networks.target import TargetNetwork
from ganexplain.runs.distributed import average_gradients, rank_slice
from ganexplain.runs.precision import PRECISIONS, autocast
from ganexplain.runs.resume import (
    State,
    finite_value,
    restore_tensors,
    training_tensors,
    update_average,
)

BETAS = (0.5, 0.999)
DISCRIMINATOR_WEIGHT = 0.3


def check_settings(config: TrainExplainerConfig, networks: Sequence[TargetNetwork]) -> None:
    """Raise UsageError for an unknown value of a setting."""
    check_known("--precision", config.precision, PRECISIONS)
    check_known("--generator", config.generator, GENERATORS)
    View(config.teacher, config.layer, config.gradient)


class CganTraining:
    """Generator, its running average, discriminator, optimisers and the maps they learn from.

    The generator's loss is `l1_weight` times the mean absolute error plus `adversarial_weight`
    times the loss of fooling the discriminator, which scores pairs of an input and a map. The
    running average is evaluated and written.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.config, self.device = task, task.config, task.device
        self.view = View(self.config.teacher, self.config.layer, self.config.gradient)
        self.reach = self._reach()
        count = len(self.reach)
        self.settings = GeneratorSettings(
            kind=self.config.generator,
            conditions=count,
            width=self.config.width,
            size=self.config.size,
            teacher=self.config.teacher,
            layer=self.config.layer,
            gradient=self.config.gradient,
        )
        self.maps = MapDataset.of_task(task, count)
        self.held_out = MapDataset.of_task(task, count, held_out=True)
        for maps in (self.maps, self.held_out):
            maps.create()
        self._make_networks()

    def _reach(self) -> list[str]:
        """Return the shallowest convolution of each condition, in each network."""
        task = self.task
        rows = task.train.whole_excerpts()[:1]
        example = torch.from_numpy(task.train.gather(rows)).to(self.device)
        found = [network_maps(network, example, self.config.target)[0] for network in task.networks]
        count = min(CONDITIONS, max(len(self.view.condition_layers(maps)) for maps in found))
        names = zip(*(self.view.shallowest_layers(maps, count) for maps in found), strict=True)
        return [" / ".join(dict.fromkeys(each)) for each in names]

    def _make_networks(self) -> None:
        input_spec = self.task.networks[0].front_end
        torch.manual_seed(self.config.seed)
        self.generator = build_generator(self.settings, input_spec)
        pair = PairDiscriminator(channel_count(input_spec), 1, self.config.width)
        self.discriminator = InputNormalizer(pair, input_spec.shape[0])
        mean, deviation = self.task.statistics
        for network in (self.generator, self.discriminator):
            _initialise(network)
            network.mean.copy_(mean)
            network.deviation.copy_(deviation)
            network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.generator.usual.copy_(mean_maps(self.maps)[-1:])
        # The generator starts with the mean map.
        nn.init.zeros_(self.generator.inner.get_parameter("tail.weight"))
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval()
        rates = {"generator": self.config.learning_rate}
        rates["discriminator"] = self.config.discriminator_rate
        self.networks = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "average": self.average,
        }
        self.optimisers = {
            name: torch.optim.Adam(self.networks[name].parameters(), rate, BETAS)
            for name, rate in rates.items()
        }

    def step(self, step: int) -> dict[str, float]:
        """Update the discriminator if it is its turn, then the generator; returns the losses."""
        config, losses = self.config, {}
        chosen = batch_rows(len(self.maps), config.batch_size, step, config.seed, "explainer order")
        x, shown, target = self.maps.batch(chosen[rank_slice()])
        with autocast(config.precision, self.device):
            generated = self.generator(x, shown).float()
            if step % config.discriminator_every == 0:
                losses["discriminator"] = self._discriminate(x, target, generated.detach())
            error = (generated - target).abs().mean()
            fooled = _adversarial_loss(self.discriminator(x, generated), 1.0)
        self._descend("generator", config.l1_weight * error + config.adversarial_weight * fooled)
        update_average(self.average, self.generator, config.ema_decay, step)
        losses |= {"error": error, "fooled": fooled}
        return {name: finite_value(loss, step) for name, loss in losses.items()}

    def _discriminate(self, x: Tensor, target: Tensor, maps: Tensor) -> Tensor:
        real, fake = self.discriminator(x, target), self.discriminator(x, maps)
        loss = _adversarial_loss(real, 1.0) + _adversarial_loss(fake, 0.0)
        self._descend("discriminator", DISCRIMINATOR_WEIGHT * loss)
        return loss

    def _descend(self, name: str, loss: Tensor) -> None:
        optimiser, parameters = self.optimisers[name], [*self.networks[name].parameters()]
        optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=parameters)
        average_gradients(parameters)
        if self.config.clip:
            nn.utils.clip_grad_norm_(parameters, self.config.clip)
        optimiser.step()

    def evaluate(self) -> dict[str, float]:
        """Return errors and correlations of the map, and of baselines, on held-out inputs."""
        return evaluate_generator(self.average, self.maps, self.held_out)

    def finish(self) -> Trained:
        """Return weights, figures and the relevance of each condition."""
        figures = self.evaluate()
        relevance = condition_relevance(self.average, self.maps, self.held_out, self.reach)
        weights = {name: value.cpu() for name, value in self.average.state_dict().items()}
        table = relevance_table(figures, relevance)
        documents = {"relevance.json": {**asdict(relevance), "figures": figures}}
        return Trained({**asdict(self.settings), "weights": weights}, figures, table, documents)

    def state(self) -> State:
        """Return all tensors of the training, for `restore`."""
        return training_tensors(self.networks, self.optimisers)

    def restore(self, state: State) -> None:
        """Continue from a state; GanexplainError if it belongs to other recordings."""
        restore_tensors(state, self.networks, self.optimisers)


def _adversarial_loss(scores: Tensor, wanted: float) -> Tensor:
    scores = scores.float()
    return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, wanted))


def _initialise(network: nn.Module) -> None:
    """Set weights by Glorot's uniform distribution and biases to 0, as the authors' framework."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
