"""The adaptive search of `explain`: a block is a whole unit, and real responses are its aim."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import ceil
from pathlib import Path
from typing import ClassVar

import numpy as np

from ganexplain.artifacts.grid import Grid
from ganexplain.artifacts.lost_gradients import LostSearches, refuse_lost
from ganexplain.artifacts.plan import TRIALS_FOLDER, Part, SearchTarget
from ganexplain.ascent.adaptive import SearchLimits, search_settings
from ganexplain.ascent.blocks import BlockSearch
from ganexplain.ascent.candidate import Found, SettingSearch, Target, Trial, Tried
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.ascent.search_task import SearchTask
from ganexplain.config import ExplainConfig
from ganexplain.errors import UsageError
from ganexplain.runs.part_results import NumberedPart, PartWork
from ganexplain.runs.progress import NullProgress, Progress
from ganexplain.runs.workers import HERE, Workers

LEAST, MOST = 4, 300  # evaluations of each example that an adaptive search needs, and may use


def search_budget(config: ExplainConfig) -> int:
    """Example-iterations for the search of a unit: a tenth of those of a small grid.

    Raises UsageError if they are too few.
    """
    pairs, most = len(Grid.from_settings(config).pairs), max(config.iterations)
    if most < (least := ceil(10 * LEAST / pairs)):
        raise UsageError(
            f"--search adaptive: has a tenth of the iterations of its {pairs} settings, of which "
            f"--iterations {most} leaves too few; give {least} or more, or --search grid"
        )
    return config.examples * min(pairs * most // 10, MOST)


def check_aim(config: ExplainConfig) -> None:
    """Raise UsageError if no real excerpts are named as the aim of the search."""
    if not config.responses:
        raise UsageError(
            "--search adaptive: aims at real excerpts; find them with `ganexplain responses` "
            "and pass them with --responses"
        )


@dataclass(frozen=True)
class TrialPart(NumberedPart):
    """A setting that is tried in the search of a unit, kept until the unit is done.

    `made_from` is a hash of the files and settings of the search.
    """

    FOLDER: ClassVar[str] = TRIALS_FOLDER
    target: SearchTarget
    trial: Trial
    made_from: str


class AdaptiveBlockSearch(BlockSearch):
    """The adaptive searches of whole units; the networks are loaded once in each process.

    The settings of a round are tried by `workers`, if they are asked for: processes by `auto` are
    not worth their start. Each is kept in a file.
    """

    def __init__(
        self,
        task: SearchTask,
        out: Path,
        networks: SearchNetworks | None = None,
        workers: Workers = HERE,
    ) -> None:
        super().__init__(task, out, networks)
        self.workers = workers

    @classmethod
    def trials(cls, task: SearchTask, out: Path) -> Callable[[TrialPart, Progress], Tried]:
        """What tries settings in another process."""
        return cls(task, out).try_setting

    def __call__(self, part: Part, advance: Callable[[int], None]) -> None:
        """Search the settings of a unit and write its file."""
        target, task = part.target, self.task
        found = self._found(target, advance)
        if len(task.metas) == 1:
            refuse_lost(target.name, found.no_gradient)
        lost = LostSearches.count(found.no_gradient)
        spent = found.example_iterations
        meta = replace(task.metas[target], example_iterations=spent, lost=lost)
        arrays = self._settings(part, found)
        advance(0)  # ends a task whose command has ended
        self.write(part, arrays, meta)

    def try_setting(self, part: TrialPart, progress: Progress) -> Tried:
        """Try one setting of a unit."""
        target = part.target
        with self.objective(target.unit) as objective:
            settings = self.settings(target)
            search = SettingSearch(objective, self.starts, self._target(target), settings)
            return search(part.trial, lambda units, distance: progress.advance(units))

    def _target(self, target: SearchTarget) -> Target:
        """The real responses at which the search of a unit aims."""
        return Target.of(self.task.aims[target], target.direction)

    def _found(self, target: SearchTarget, advance: Callable[[int], None]) -> Found:
        config, number = self.config, count()
        limits = SearchLimits(
            Grid.from_settings(config).pairs,
            config.examples,
            max(config.iterations),
            search_budget(config),
        )
        document = json.dumps([self.task.metas[target].to_json(), self.task.batch_size])
        made_from = hashlib.sha256(document.encode()).hexdigest()
        work = PartWork(Tried, self.trials, (self.task, self.out), self.try_setting)
        divided = work.divided(self.out)
        with self.workers.open(divided, len(config.prior_weight), worth_it=False) as do:

            def try_settings(trials: Sequence[Trial]) -> list[Tried]:
                parts = [TrialPart(next(number), 0, target, each, made_from) for each in trials]
                kept = [part for part in parts if work.is_done(part, self.out)]
                todo = [part for part in parts if part not in kept]
                # One setting is faster here, with all threads, than in a process with one.
                if self.workers.are_one(len(todo), worth_it=False):
                    HERE.do(todo, divided, advance)
                else:
                    do(todo, advance)
                found = [work.take(part, self.out, NullProgress()) for part in parts]
                of_kept = zip(parts, found, strict=True)
                advance(sum(one.example_iterations for part, one in of_kept if part in kept))
                return found

            return search_settings(limits, self._target(target), try_settings)

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
