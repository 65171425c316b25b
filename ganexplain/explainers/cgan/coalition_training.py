"""The training of a generator from responses to random coalitions of squares."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.attribution.fills import Reference
from ganexplain.attribution.scorer import Model, target_odds
from ganexplain.corpora.splits import batch_rows
from ganexplain.explainers.cgan.coalitions import Squares, draw_coalitions, scorers_for
from ganexplain.explainers.cgan.evaluation import map_correlations
from ganexplain.explainers.cgan.signal_inference import KIND
from ganexplain.explainers.cgan.signals import Signals, network_signals
from ganexplain.explainers.cgan.teachers import output_kind, target_classes
from ganexplain.explainers.cgan.unet import MixFit, SignalGenerator, even_contributions
from ganexplain.explainers.task import Task, Trained
from ganexplain.networks.fast.optimize import optimize_frozen
from ganexplain.networks.layer_units import unit_values
from ganexplain.networks.target import TargetNetwork, example_inputs
from ganexplain.networks.weight_shuffling import weights_shuffled
from ganexplain.runs.distributed import average_gradients, rank_slice
from ganexplain.runs.machine import random_stream
from ganexplain.runs.resume import (
    State,
    finite_value,
    restore_tensors,
    training_tensors,
    update_average,
)

BETAS = (0.5, 0.999)
SHUFFLED_EVERY = 4  # updates, of which the last is on shuffled weights
CHUNK = 8  # held-out inputs at a time
SMALLEST = 1e-12


@dataclass(frozen=True)
class Lesson:
    """Inputs (B, *S), those without content, and signals of a network for them.

    `lost` (B, K) is what the response loses without the squares `removed` (B, K, n), 0 or 1.
    """

    x: Tensor
    filled: Tensor
    signals: Signals
    removed: Tensor
    lost: Tensor

    @property
    def expected(self) -> Tensor:
        """What is lost (B, K) if all squares count the same."""
        return self.removed.mean(dim=2) * self.signals.difference[:, None]

    @property
    def spread(self) -> Tensor:
        """The mean square (B, 1) of the losses around what is `expected`."""
        return (self.lost - self.expected).square().mean(dim=1, keepdim=True) + SMALLEST

    def errors(self, weights: Tensor) -> Tensor:
        """Mean squared errors (B,) of weights (B, n) of the squares; 1 for equal weights."""
        told = torch.einsum("bkn,bn->bk", self.removed, weights)
        return ((told - self.lost).square() / self.spread).mean(dim=1)


class Teacher:
    """A frozen network, which is asked about coalitions of squares."""

    def __init__(self, network: TargetNetwork, squares: Squares, target: str) -> None:
        self.network, self.squares, self.target = network, squares, target
        self.kind = output_kind(network)

    @cached_property
    def fast(self) -> Model:
        """The network, optimised for use without gradients."""
        examples = example_inputs(self.network.front_end).to(self.network.device)
        return optimize_frozen(self.network.network, examples)

    def teach(
        self, x: Tensor, coalitions: int, random: np.random.Generator, fast: Model | None = None
    ) -> Lesson:
        """Return a lesson on inputs (B, *S), by 3 + `coalitions` passes each."""
        network, squares = self.network.network, self.squares
        classes = target_classes(self.network, x, self.target)
        filled = squares.fills(x)
        signals = network_signals(network, self._response(classes), x, filled)
        kept = np.stack([draw_coalitions(squares.count, coalitions, random) for _ in x])
        scorers = scorers_for(network, classes, self.kind, fast)
        scores = squares.responses(scorers, x, filled, kept)
        removed = torch.from_numpy(~kept).float().to(x.device)
        return Lesson(x, filled, signals, removed, signals.whole[:, None] - scores)

    def exact(self, lesson: Lesson) -> Tensor:
        """Return the exact loss (B, n) without each square, by n passes an input."""
        classes = target_classes(self.network, lesson.x, self.target)
        scorers = scorers_for(self.network.network, classes, self.kind, self.fast)
        without = ~np.eye(self.squares.count, dtype=bool)
        kept = np.repeat(without[None], len(lesson.x), axis=0)
        scores = self.squares.responses(scorers, lesson.x, lesson.filled, kept)
        return lesson.signals.whole[:, None] - scores

    def _response(self, classes: Tensor) -> Callable[[Tensor], Tensor]:
        def response(inputs: Tensor) -> Tensor:
            targets = classes.repeat(len(inputs) // len(classes))
            return target_odds(unit_values(self.network.network(inputs)), targets, self.kind)

        return response


class CoalitionTraining:
    """A generator and its running average, which learn from lessons on ever new inputs.

    Four updates are on one classifier, of which the last with weights that are shuffled anew; then
    the next one's turn comes. The weights of the contributions are those that fit all lessons so
    far, in closed form; the U-Net, which adds to them, learns by gradients. The
    running average is evaluated and written.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.config = task, task.config
        shape = task.networks[0].front_end.shape
        reference = Reference.of_bands(*task.statistics, len(shape))
        self.squares = Squares.over(shape, self.config.occlusion_grid, reference)
        self.teachers = [Teacher(n, self.squares, self.config.target) for n in task.networks]
        self.centres = task.train.whole_excerpts()
        self.held_out = self._held_out()
        torch.manual_seed(self.config.seed)
        generator = SignalGenerator(shape, self.config.width, self.config.gradient)
        generator.mean.copy_(task.statistics[0])
        generator.deviation.copy_(task.statistics[1])
        self.generator = generator.to(task.device)
        self.start = copy.deepcopy(self.generator).requires_grad_(False).eval()
        self.average = copy.deepcopy(self.start)
        self.fit = MixFit().to(task.device)
        self.networks = {
            "generator": self.generator, "average": self.average, "fit": self.fit
        }  # fmt: skip
        adam = torch.optim.Adam(self.generator.parameters(), self.config.learning_rate, BETAS)
        self.optimisers = {"generator": adam}

    def _held_out(self) -> list[Lesson]:
        """Lessons of the trained networks on inputs of the validation split."""
        random = random_stream(self.config.seed, "held-out coalitions")
        centres = self.task.held_out.whole_excerpts()
        order = random.permutation(len(centres))[: self.config.held_out]
        lessons = []
        for teacher in self.teachers:
            for rows in np.split(order, range(CHUNK, len(order), CHUNK)):
                x = torch.from_numpy(self.task.held_out.gather(centres[rows]))
                lessons.append(
                    teacher.teach(
                        x.to(self.task.device), self.config.coalitions, random, teacher.fast
                    )
                )
        return lessons

    def step(self, step: int) -> dict[str, float]:
        """Update the generator once; returns the loss."""
        config = self.config
        rows = batch_rows(len(self.centres), config.batch_size, step, config.seed, "coalitions")
        x = torch.from_numpy(self.task.train.gather(self.centres[rows[rank_slice()]]))
        lesson = self._lesson(step, x.to(self.task.device))
        if config.gradient:
            self.generator.mix.copy_(self.fit.update(*self._equations(lesson)))
        loss = self._errors(self.generator, lesson).mean()
        parameters = [*self.generator.parameters()]
        self.optimisers["generator"].zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(parameters)
        if config.clip:
            nn.utils.clip_grad_norm_(parameters, config.clip)
        self.optimisers["generator"].step()
        update_average(self.average, self.generator, config.ema_decay, step)
        return {"loss": finite_value(loss, step)}

    def _lesson(self, step: int, x: Tensor) -> Lesson:
        config = self.config
        teacher = self.teachers[step // SHUFFLED_EVERY % len(self.teachers)]
        random = random_stream(config.seed, "coalitions of an update", step)
        if not config.shuffled or (step + 1) % SHUFFLED_EVERY:
            return teacher.teach(x, config.coalitions, random, teacher.fast)
        with weights_shuffled(teacher.network.network, int(random.integers(2**31))):
            return teacher.teach(x, config.coalitions, random)

    @torch.no_grad()
    def _equations(self, lesson: Lesson) -> tuple[Tensor, Tensor]:
        """Return rows (B K, n) of contributions without what is removed, and what they should give.

        An input counts as in `Lesson.errors`.
        """
        even, scale = even_contributions(lesson.signals)
        sums = self.squares.sums((scale[:, None] * even).flatten(0, 1))
        sums = sums.reshape(*even.shape[:2], -1)
        size = lesson.spread.sqrt()
        design = torch.einsum("bkp,bnp->bkn", lesson.removed, sums) / size[:, :, None]
        wanted = (lesson.lost - lesson.expected) / size
        return design.flatten(0, 1), wanted.flatten()

    def _errors(self, generator: SignalGenerator, lesson: Lesson) -> Tensor:
        areas = generator(lesson.x, lesson.filled, lesson.signals)
        return lesson.errors(self.squares.sums(areas))

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return errors on held-out inputs: of the map, and of the map before the training.

        They are those of `Lesson.errors`: 1 for a map that is the same everywhere.
        """
        generators = {"error": self.average, "error_start": self.start}
        return {
            name: float(torch.cat([self._errors(each, told) for told in self.held_out]).mean())
            for name, each in generators.items()
        }

    @torch.no_grad()
    def correlations(self) -> dict[str, float]:
        """Return mean correlations with exact occlusion maps of held-out inputs.

        An input takes a pass for each square.
        """
        found: dict[str, list[Tensor]] = {"correlation": [], "correlation_start": []}
        each = len(self.held_out) // len(self.teachers)
        for number, told in enumerate(self.held_out):
            exact = self.teachers[number // each].exact(told)
            for name, generator in zip(found, (self.average, self.start), strict=True):
                areas = generator(told.x, told.filled, told.signals)
                found[name].append(map_correlations(self.squares.sums(areas), exact))
        return {name: float(torch.cat(values).mean()) for name, values in found.items()}

    def finish(self) -> Trained:
        """Return weights and figures."""
        figures = self.evaluate() | self.correlations()
        weights = {name: value.cpu() for name, value in self.average.state_dict().items()}
        content = {
            "kind": KIND, "teacher": self.config.teacher, "width": self.config.width,
            "gradient": self.config.gradient, "weights": weights,
        }  # fmt: skip
        line = (
            "held-out error {error:.3f} (1: a map that is the same everywhere), before the "
            "training {error_start:.3f}; correlation with exact occlusion maps {correlation:.3f}, "
            "before {correlation_start:.3f}"
        )
        return Trained(content, figures, [line.format(**figures)])

    def state(self) -> State:
        """Return all tensors of the training, for `restore`."""
        return training_tensors(self.networks, self.optimisers)

    def restore(self, state: State) -> None:
        """Continue from a state; GanexplainError if it belongs to other recordings."""
        restore_tensors(state, self.networks, self.optimisers)
