"""Inputs, conditions and targets for a conditional GAN: made once, kept in files."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganexplain.artifacts import map_array, write_array
from ganexplain.data.material import MaterialSplit
from ganexplain.local.cgan import View
from ganexplain.local.fills import Reference
from ganexplain.models.explained import Explained
from ganexplain.runtime import random_stream
from ganexplain.stages.explainer_teachers import (
    Teacher,
    network_maps,
    occlusion_teacher,
    targets_of,
)
from ganexplain.stages.explainer_training import Task

CHUNK = 32  # inputs in a pass and in a file


class Maps:
    """Tuples of inputs of a split and what the networks' maps say of them.

    Of K networks, row r is input r // K as network r % K sees it. The conditions (n, H, W) and
    the target (H, W) of a row, 0 to 1, stand in `folder`/NAME-NUMBER.npy, where those of an
    earlier run are taken up.
    """

    def __init__(
        self, task: Task, name: str, split: MaterialSplit, count: int, wanted: int
    ) -> None:
        self.task, self.name, self.split, self.conditions = task, name, split, count
        centres = split.whole_excerpts()
        order = random_stream(task.config.seed, f"{name} of an explainer").permutation(len(centres))
        self.centres = centres[order[:wanted]]
        self.view = View(task.config.teacher, task.config.layer)
        self.files: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.centres) * len(self.task.networks)

    def make(self) -> None:
        """Make what is not there yet."""
        task, networks = self.task, len(self.task.networks)
        starts = range(0, len(self.centres), CHUNK)
        task.progress.start(f"maps, {self.name}", len(starts) * networks)
        teachers = [self._teacher(network) for network in task.networks]
        for number, start in enumerate(starts):
            path = task.folder / "maps" / f"{self.name}-{number:03d}.npy"
            found = map_array(path)
            if found is None:
                x = self.inputs(np.arange(start, min(start + CHUNK, len(self.centres))))
                made = []
                for network, teacher in zip(task.networks, teachers, strict=True):
                    made.append(self._made(network, teacher, x))
                    task.progress.advance()
                write_array(path, np.stack(made, axis=1).reshape(-1, *made[0].shape[1:]))
                found = map_array(path)
                assert found is not None
            else:
                task.progress.advance(networks)
            self.files.append(found)

    def inputs(self, numbers: np.ndarray) -> Tensor:
        """Inputs (B, *S) of numbers (B,)."""
        return torch.from_numpy(self.split.gather(self.centres[numbers])).to(self.task.device)

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs (B, *S), conditions (B, n, H, W) and targets (B, 1, H, W) of rows (B,)."""
        networks = len(self.task.networks)
        size = CHUNK * networks
        maps = np.stack([self.files[row // size][row % size] for row in rows])
        values = torch.from_numpy(maps.astype(np.float32)).to(self.task.device)
        return self.inputs(rows // networks), values[:, :-1], values[:, -1:]

    def _made(self, network: Explained, teacher: Teacher | None, x: Tensor) -> np.ndarray:
        """Conditions and target (B, n + 1, H, W) of inputs (B, *S), float16."""
        asked = self.task.config.target
        maps = network_maps(network, x, asked)
        conditions = self.view.conditions(maps, self.conditions)
        target = (
            teacher(x, targets_of(network, x, asked)) if teacher else maps[self.view.learnt(maps)]
        )
        return torch.cat([conditions, target[:, None]], dim=1).half().cpu().numpy()

    def _teacher(self, network: Explained) -> Teacher | None:
        """What gives the maps to learn, None where they are Grad-CAM's."""
        if self.view.teacher == "grad-cam":
            return None
        mean, deviation = map(torch.from_numpy, self.task.train.band_statistics())
        axes = (slice(None), *[None] * (len(network.front_end.shape) - 1))
        reference = Reference(mean[axes].to(network.device), deviation[axes].to(network.device))
        return occlusion_teacher(network, reference, self.task.config.occlusion_grid)
