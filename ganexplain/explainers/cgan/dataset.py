"""The training data of a conditional GAN: inputs, conditions and target maps, kept in files."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganexplain.attribution.fills import Reference
from ganexplain.config import TrainExplainerConfig
from ganexplain.corpora.interfaces import AnySplit
from ganexplain.explainers.cgan.inference import View
from ganexplain.explainers.cgan.maps import (
    input_times_gradient,
    pool_maps,
    shrink_maps,
    to_signed_range,
)
from ganexplain.explainers.cgan.teachers import network_maps, occlusion_maps, target_classes
from ganexplain.explainers.task import Task
from ganexplain.files.arrays import open_array, try_open_array, write_rows
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.weight_shuffling import weights_shuffled
from ganexplain.runs.distributed import rank_and_world_size
from ganexplain.runs.machine import random_stream
from ganexplain.runs.tasks import Advance
from ganexplain.runs.workers import DividedWork

CHUNK = 32  # inputs in a pass and in a file
HELD_OUT = "held-out"
WORTH_PROCESSES = 16  # maps of a chunk by a network from which several processes are faster


class MapDataset:
    """Inputs of a split with the maps of the networks for them.

    Each network is used with its trained weights and with `shuffled` sets of shuffled weights,
    new ones for every 32 inputs. With V variants in all, row r is input r // V with variant r % V;
    the trained networks are the first variants. The maps shown to a generator (n, h, w) and the
    target (h, w) of a row are 0 to 1 (for occlusion by `to_signed_range`), with at most `size`
    cells along an axis. They are kept in `folder`/maps/NAME-NUMBER.npy and reused by later runs.
    """

    def __init__(
        self,
        task: Task,
        name: str,
        split: AnySplit,
        conditions: int,
        wanted: int,
        shuffled: int = 0,
    ) -> None:
        self.task, self.name, self.split, self.conditions = task, name, split, conditions
        centres = split.whole_excerpts()
        order = random_stream(task.config.seed, f"{name} of an explainer").permutation(len(centres))
        self.centres = centres[order[:wanted]]
        self.view = View(task.config.teacher, task.config.layer, task.config.gradient)
        self.networks = task.networks * (1 + shuffled)
        self.files: list[np.ndarray] = []

    @classmethod
    def of_task(cls, task: Task, conditions: int, held_out: bool = False) -> MapDataset:
        """The maps to learn from, or those for evaluation."""
        config = task.config
        if held_out:
            return cls(task, HELD_OUT, task.held_out, conditions, config.held_out)
        return cls(task, "train", task.train, conditions, config.examples, config.shuffled)

    def __len__(self) -> int:
        return len(self.centres) * len(self.networks)

    def trained_rows(self) -> np.ndarray:
        """Return the numbers of the rows of the trained networks."""
        rows = np.arange(len(self))
        return rows[rows % len(self.networks) < len(self.task.networks)]

    def create(self) -> None:
        """Compute the maps that have no file yet, and open all files."""
        task, each = self.task, len(self.networks)
        numbers = range(-(-len(self.centres) // CHUNK))
        todo = [number for number in numbers if try_open_array(self.path(number)) is None]
        done = (len(numbers) - len(todo)) * each
        task.progress.start(f"maps, {self.name}", len(numbers) * each, done)
        arguments = task.config, task.folder, self.conditions, self.name == HELD_OUT
        work = DividedWork(ChunkMaps, arguments, task.folder, loaded=(self,))
        single = task.device.type != "cpu" or rank_and_world_size()[1] > 1
        worth_it = not single and len(todo) * each >= WORTH_PROCESSES
        task.workers.do(todo, work, task.progress.advance, worth_it)
        self.files = [open_array(self.path(number)) for number in numbers]

    def path(self, number: int) -> Path:
        """The file of the maps of a chunk of inputs."""
        return self.task.folder / "maps" / f"{self.name}-{number:03d}.npy"

    def write(self, number: int, advance: Advance) -> None:
        """Write the file of a chunk; `advance` gets the networks as they are done."""
        start = number * CHUNK
        x = self.inputs(np.arange(start, min(start + CHUNK, len(self.centres))))
        found = []
        for variant in range(len(self.networks)):
            found.append(self._variant(number, variant, x))
            advance(1)
        made = np.stack(found, axis=1)
        write_rows(self.path(number), [made.reshape(-1, *made.shape[2:])])

    def inputs(self, numbers: np.ndarray) -> Tensor:
        """Return inputs (B, *S) by their numbers (B,)."""
        return torch.from_numpy(self.split.gather(self.centres[numbers])).to(self.task.device)

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Return inputs (B, *S), shown maps (B, n, h, w) and targets (B, 1, h, w) of rows (B,)."""
        variants = len(self.networks)
        size = CHUNK * variants
        maps = np.stack([self.files[row // size][row % size] for row in rows])
        values = torch.from_numpy(maps.astype(np.float32)).to(self.task.device)
        return self.inputs(rows // variants), values[:, :-1], values[:, -1:]

    def _variant(self, chunk: int, variant: int, x: Tensor) -> np.ndarray:
        """Return maps to show and target (B, n + 1, h, w), float16, of inputs (B, *S)."""
        network = self.networks[variant]
        with ExitStack() as shuffled:
            if variant >= len(self.task.networks):
                seed = random_stream(self.task.config.seed, f"shuffled {variant}", chunk)
                shuffled.enter_context(weights_shuffled(network.network, int(seed.integers(2**31))))
            asked = self.task.config.target
            maps, gradient = network_maps(network, x, asked)
            learnt = self.view.target_layer(maps)
            if learnt:
                target = maps[learnt]
            else:
                target = self._occlusion(network, x, target_classes(network, x, asked))
        size = self.task.config.size
        products = input_times_gradient(x, gradient, self.task.statistics[0])
        shown = self.view.generator_maps(maps, products, self.conditions, size)
        target = target[:, None]
        wanted = shrink_maps(target, size) if learnt else to_signed_range(pool_maps(target, size))
        made = torch.cat([shown, wanted], dim=1)
        return made.half().cpu().numpy()

    def _occlusion(self, network: TargetNetwork, x: Tensor, classes: Tensor) -> Tensor:
        reference = Reference.of_bands(*self.task.statistics, len(network.front_end.shape))
        return occlusion_maps(network, x, classes, reference, self.task.config.occlusion_grid)


class ChunkMaps:
    """Writes the maps of chunks of inputs in any process."""

    def __init__(
        self,
        config: TrainExplainerConfig,
        folder: Path,
        conditions: int,
        held_out: bool,
        opened: MapDataset | None = None,
    ) -> None:
        self.maps = opened or MapDataset.of_task(Task.open(config, folder), conditions, held_out)

    def __call__(self, number: int, advance: Advance) -> None:
        """Write the file of a chunk."""
        self.maps.write(number, advance)
