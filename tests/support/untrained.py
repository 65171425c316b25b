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
