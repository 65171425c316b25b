"""An untrained detector and noise to pass through it, as fixtures of several modules."""

from __future__ import annotations

import pytest
import torch

from ganexplain.classifiers.base import initialise
from ganexplain.classifiers.svdnet import SVDNet


@pytest.fixture(scope="module")
def untrained_network() -> SVDNet:
    network = SVDNet(2).eval()
    initialise(network, 0)
    return network


@pytest.fixture(scope="module")
def noise_excerpts() -> torch.Tensor:
    return torch.randn(3, 80, 115, generator=torch.Generator().manual_seed(0))


def noise_log_mel(rows: int = 5) -> torch.Tensor:
    """Noise (N, F, T) at the level of soft music."""
    return torch.randn(rows, 80, 115, generator=torch.Generator().manual_seed(4)) * 2 - 3
