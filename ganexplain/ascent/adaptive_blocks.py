"""The adaptive search of `explain`: a block is a whole unit, and real responses are its aim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ganexplain.artifacts.grid import Grid
from ganexplain.artifacts.lost_gradients import LostSearches, refuse_lost
from ganexplain.artifacts.plan import Part
from ganexplain.ascent.adaptive import search_settings
from ganexplain.ascent.blocks import BlockSearch
from ganexplain.ascent.candidate import Found
from ganexplain.config import ExplainConfig
from ganexplain.errors import UsageError

LEAST = 4  # evaluations of each example that an adaptive search needs


def search_budget(config: ExplainConfig) -> int:
    """Example-iterations for the search of a unit, a tenth of those of the grid.

    Raises UsageError if they are too few.
    """
    pairs, most = len(Grid.from_settings(config).pairs), max(config.iterations)
    if pairs * most < 10 * LEAST:
        raise UsageError(
            f"--search adaptive: a tenth of {pairs} x {most} iterations is too little to search "
            "with; give more --iterations, or --search grid"
        )
    return pairs * config.examples * most // 10


def check_aim(config: ExplainConfig) -> None:
    """Raise UsageError if no real excerpts are named as the aim of the search."""
    if not config.responses:
        raise UsageError(
            "--search adaptive: aims at real excerpts; find them with `ganexplain responses` "
            "and pass them with --responses"
        )


class AdaptiveBlockSearch(BlockSearch):
    """The adaptive searches of whole units; the networks are loaded once in each process."""

    def __call__(self, part: Part, advance: Callable[[int], None]) -> None:
        """Search the settings of a unit and write its file."""
        target, task = part.target, self.task
        found = self._found(part, task.aims[target], advance)
        if len(task.metas) == 1:
            refuse_lost(target.name, found.no_gradient)
        lost = LostSearches.count(found.no_gradient)
        spent = found.example_iterations
        meta = replace(task.metas[target], example_iterations=spent, lost=lost)
        arrays = self._settings(part, found)
        advance(0)  # ends a task whose command has ended
        self.write(part, arrays, meta)

    def _found(self, part: Part, real: np.ndarray, advance: Callable[[int], None]) -> Found:
        config, target = self.config, part.target
        with self.objective(target.unit) as objective:
            return search_settings(
                objective,
                self.starts,
                Grid.from_settings(config).pairs,
                max(config.iterations),
                real,
                self.settings(target),
                search_budget(config),
                lambda units, distance: advance(units),
            )

    def _settings(self, part: Part, found: Found) -> dict[str, np.ndarray]:
        """Arrays of `explanations.npz`, the closest setting first, each its own trajectory."""
        return {
            "learning_rate": found.learning_rate,
            "prior_weight": found.prior_weight,
            "iterations": found.iterations,
            "trajectory": np.arange(len(found.iterations)),
            "seed": self.config.seed + np.arange(self.config.examples),
            **self.arrays_of(part.target.unit, found, self.starts),
        }
