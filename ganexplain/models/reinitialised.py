"""A network of the same build that has learned nothing."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

from ganexplain.runtime import random_stream

Network = TypeVar("Network", bound=nn.Module)


@torch.no_grad()
def reinitialised(network: Network, seed: int) -> Network:
    """A copy with the entries of every weight and bias shuffled; buffers stay.

    The control of Adebayo et al. (2018). Shuffling works for a network of any kind, and keeps the
    scale of every layer, so that responses stay in the range an optimiser was set for.
    """
    copied = copy.deepcopy(network)
    for number, weight in enumerate(copied.parameters()):
        order = random_stream(seed, "reinitialised", number).permutation(weight.numel())
        shuffled = weight.flatten()[torch.from_numpy(order).to(weight.device)]
        weight.copy_(shuffled.view_as(weight))
    return copied
