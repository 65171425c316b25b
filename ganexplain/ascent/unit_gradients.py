"""The gradients that the searches of `explain` follow: looked at before, counted after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ganexplain.artifacts.plan import Unit
from ganexplain.ascent.gradients import check_gradient, lost_searches, refuse_unfollowed
from ganexplain.errors import GanexplainError
from ganexplain.networks.explained import Explained

SEARCHES, LOST, LOST_STARTS = "searches", "searches_without_gradient", "starts_without_gradient"


def check_units(
    units: Iterable[Unit], explained: Explained, generator: nn.Module, start: np.ndarray, batch: int
) -> list[str]:
    """Warnings about units to search from starts (N, Z); UsageError where none can be followed."""
    latents = torch.from_numpy(start).to(explained.device)
    asked = list(dict.fromkeys((unit.layer, unit.neuron) for unit in units))
    unfollowed, notes = [], []
    for layer, neuron in asked:
        found, warnings = check_gradient(
            generator, explained.network, layer, neuron, latents, batch
        )
        notes += [f"{layer}:{neuron}: {warning}" for warning in warnings]
        if found:
            unfollowed.append(found)
            notes.append(f"{found}; its latents only follow the prior")
    refuse_unfollowed(unfollowed, len(asked))
    return notes


def counted(no_gradient: np.ndarray) -> dict[str, int]:
    """Fields of a meta: of searches (L, N) how many there are, and have no gradient at any step."""
    return {
        SEARCHES: no_gradient.size,
        LOST: int(no_gradient.sum()),
        LOST_STARTS: int(no_gradient.any(axis=0).sum()),
    }


def lost_in_words(meta: Mapping[str, Any]) -> str:
    """What the meta of explanations says of searches without a gradient; empty where all had one.

    Of files from before they were counted nothing is known.
    """
    if not meta.get(LOST):
        return ""
    return lost_searches(*(meta.get(key, 0) for key in (LOST, SEARCHES, LOST_STARTS, "examples")))


def refuse_lost(name: str, no_gradient: np.ndarray) -> None:
    """GanexplainError where no search (L, N) of a unit had a gradient."""
    if no_gradient.all():
        counts = counted(no_gradient) | {"examples": no_gradient.shape[1]}
        raise GanexplainError(f"{name}: {lost_in_words(counts)}; choose another unit")
