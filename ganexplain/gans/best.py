"""The choice of the best generator of a training, and notes on collapse and divergence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ganexplain.gans.networks import AnyGenerator, generator_for
from ganexplain.gans.training import GanTraining
from ganexplain.gans.validation import Validation
from ganexplain.runs.progress import Progress
from ganexplain.runs.resume import State

FIGURES = ("score", "held_out", "diversity")  # of every validation
COLLAPSED_DIVERSITY = 0.3  # diversity of samples relative to that of real excerpts
DIVERGED_SCORE = 3.0  # times the best score
FIRST_SCORES = 2  # validations without notes: the first samples are all alike


def collapse_advice(figures: Mapping[str, float]) -> str:
    """Return advice for a generator whose samples are too similar, else an empty text."""
    if figures["diversity"] >= COLLAPSED_DIVERSITY:
        return ""
    return (
        f"samples differ {figures['diversity']:.2f} times as much as real excerpts; "
        "try more --steps, --augment, another --loss or a lower --learning-rate"
    )


@dataclass(frozen=True)
class BestGenerator:
    """The best generator so far: step, figures of its validation and weights without norms."""

    step: int
    figures: Mapping[str, float]
    weights: Mapping[str, Tensor]

    @classmethod
    def from_state(cls, values: State) -> BestGenerator:
        """The generator in a state; KeyError, TypeError or ValueError if it is not complete."""
        figures = {name: float(value) for name, value in values["figures"].items()}
        if not all(math.isfinite(figures[name]) for name in {*FIGURES, *figures}):
            raise ValueError("figures of the best generator are not finite")
        return cls(int(values["step"]), figures, values["weights"])

    def to_state(self) -> State:
        """The values that `from_state` reads."""
        return {"step": self.step, "figures": self.figures, "weights": self.weights}


class GeneratorChoice:
    """A training with its best generator so far and the losses since the last validation.

    `state` contains all of it, so a resumed training chooses the same generator and writes the
    same notes.
    """

    def __init__(self, training: GanTraining, validation: Validation) -> None:
        self.training, self.validation = training, validation
        self.best: BestGenerator | None = None
        self.noted: dict[str, int] = {}  # what was noted, and at which step
        self.scores = 0
        self.sums: dict[str, float] = {}
        self.count = 0

    def add(self, losses: Mapping[str, float]) -> None:
        """Add the losses of one adversarial step."""
        self.count += 1
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def validate(self, step: int, progress: Progress) -> dict[str, float]:
        """Validate the averaged generator and keep it if it is the best so far.

        Returns the mean losses since the last validation and the figures of this one.
        """
        generator = self.training.average.fold_norms().to(self.training.device)
        figures = self.validation.measure(generator)
        losses = {name: total / self.count for name, total in self.sums.items()}
        self.sums, self.count = {}, 0
        self.scores += 1
        if self.scores > FIRST_SCORES:
            assert self.best is not None
            self._note_problems(step, losses, figures, self.best, progress)
        if self.best is None or figures["score"] < self.best.figures["score"]:
            weights = {name: value.cpu() for name, value in generator.state_dict().items()}
            self.best = BestGenerator(step, figures, weights)
        return losses | figures

    def _note_problems(
        self,
        step: int,
        losses: Mapping[str, float],
        figures: Mapping[str, float],
        best: BestGenerator,
        progress: Progress,
    ) -> None:
        """Write a note the first time that the generator collapses or the training diverges."""
        least, found = best.figures["score"], {}
        if advice := collapse_advice(figures):
            found["collapsed"] = advice
        if figures["score"] > DIVERGED_SCORE * least:
            found["diverging"] = (
                f"score {figures['score']:.4g}, best {least:.4g} of step {best.step}, "
                "which is kept; if it stays so, stop and lower --learning-rate"
            )
        elif self.training.loss.has_won(losses["discriminator"]):
            found["diverging"] = (
                f"the discriminator is never wrong (loss {losses['discriminator']:.2g}), so the "
                "generator learns nothing; try --augment or a lower --learning-rate"
            )
        for name, message in found.items():
            if name not in self.noted:
                self.noted[name] = step
                progress.note(f"{name} at step {step}: {message}")

    def generator(self) -> AnyGenerator:
        """Return the best generator, frozen; there must have been a validation."""
        assert self.best is not None
        config, device = self.training.config, self.training.device
        generator = generator_for(self.training.split.front_end, channels=config.channels)
        generator.load_state_dict(self.best.weights)
        return generator.to(device).eval().requires_grad_(False)

    def state(self) -> State:
        """Return the state of the training and of the choice."""
        own = {
            "said": self.noted,
            "scores": self.scores,
            "sums": self.sums,
            "count": self.count,
            "best": self.best.to_state() if self.best else {},
        }
        return {**self.training.state(), "choice": own}

    def restore(self, state: State) -> None:
        """Continue from a state; raises as `GanTraining.restore`."""
        self.training.restore(state)
        own = state["choice"]
        self.noted, self.sums = dict(own["said"]), dict(own["sums"])
        self.scores, self.count = int(own["scores"]), int(own["count"])
        self.best = None
        if best := own["best"]:
            self.best = BestGenerator.from_state(best)
            self.generator()  # its weights must fit
