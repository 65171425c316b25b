"""Maps of segments by other means than a generator, for `learned.py coalitions` to compare with."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingRegressor
from torch import Tensor

from ganexplain.explainers.cgan.coalition_training import Lesson, Teacher
from ganexplain.explainers.cgan.coalitions import Squares

FOLDS = 8
RIDGE = 20.0  # features have deviation 1
KERNEL_RIDGE = 0.5
SMALLEST = 1e-12


def _standardised(maps: Tensor) -> Tensor:
    """Maps (N, n, ...) of mean 0 and deviation 1 over the segments."""
    centred = maps - maps.mean(dim=1, keepdim=True)
    return centred / centred.square().mean(dim=1, keepdim=True).sqrt().clamp_min(SMALLEST)


def features(squares: Squares, lesson: Lesson) -> Tensor:
    """What a generator is shown, summed over the segments: (B, n, features)."""
    above = (lesson.x - lesson.filled)[:, None]
    planes = torch.cat([lesson.signals.contributions, lesson.signals.cams, above], dim=1)
    return _standardised(torch.stack([squares.sums(p) for p in planes.unbind(1)], dim=2))


def mean_map(exact: Tensor) -> Tensor:
    """The mean (N, n) of the maps of the other inputs, each scaled to its largest magnitude."""
    scaled = exact / exact.abs().amax(dim=1, keepdim=True).clamp_min(SMALLEST)
    return (scaled.sum(dim=0, keepdim=True) - scaled) / (len(scaled) - 1)


def ridge(shown: Tensor, exact: Tensor) -> Tensor:
    """Maps (N, n) by ridge regression on features (N, n, k), each fold by the exact ones of the
    others.
    """
    found, wanted = torch.zeros_like(exact), _standardised(exact)
    for out in folds(len(exact)):
        a, b = shown[~out].flatten(0, 1), wanted[~out].flatten()
        found[out] = shown[out] @ torch.linalg.solve(
            a.T @ a + RIDGE * torch.eye(a.shape[1]), a.T @ b
        )
    return found


def boosted_trees(shown: Tensor, exact: Tensor) -> Tensor:
    """As `ridge`, by gradient-boosted trees."""
    found, wanted = torch.zeros_like(exact), _standardised(exact)
    for out in folds(len(exact)):
        trees = HistGradientBoostingRegressor(
            learning_rate=0.05, max_leaf_nodes=7, max_iter=150, random_state=0
        )
        trees.fit(shown[~out].flatten(0, 1).numpy(), wanted[~out].flatten().numpy())
        told = trees.predict(shown[out].flatten(0, 1).numpy())
        found[out] = torch.from_numpy(told).float().reshape(found[out].shape)
    return found


def folds(count: int) -> list[Tensor]:
    """Which of `count` inputs are left out, for each fold."""
    return [torch.arange(count) % FOLDS == fold for fold in range(FOLDS)]


def kernel_shap(teacher: Teacher, lesson: Lesson, coalitions: int, parts: int = 1) -> list[Tensor]:
    """Maps (B, n) by weighted least squares, which sum to the difference of the responses.

    They are of the coalitions in as many `parts`; of an input at a time.
    """
    random, found = np.random.default_rng(0), []
    for one in lesson.x.split(1):
        told = teacher.teach(one, coalitions, random, teacher.fast)
        each = zip(told.removed[0].chunk(parts), told.lost[0].chunk(parts), strict=True)
        difference = float(told.signals.difference)
        found.append([_least_squares(z.double(), y.double(), difference) for z, y in each])
    return [torch.stack(maps) for maps in zip(*found, strict=True)]


def _least_squares(removed: Tensor, lost: Tensor, difference: float) -> Tensor:
    count = removed.shape[1]
    ridge = KERNEL_RIDGE * torch.eye(count)
    inverse = torch.linalg.inv(removed.T @ removed + ridge)
    free, ones = inverse @ removed.T @ lost, torch.ones(count, dtype=torch.double)
    over = (free.sum() - difference) / (ones @ inverse @ ones)
    return (free - inverse @ ones * over).float()
