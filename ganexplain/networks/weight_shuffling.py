"""A network whose weights are shuffled, as a control."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ganexplain.runs.machine import random_stream


@contextmanager
def weights_shuffled(network: nn.Module, seed: int) -> Iterator[None]:
    """While open, the entries of each weight and bias are shuffled in place; buffers stay.

    The control of Adebayo et al. (2018). Shuffling works for any network and keeps the scale of
    each layer, so responses stay in the range for which an optimiser was set. It is done in place
    because not every network can be copied.
    """
    learned = [weight.detach().clone() for weight in network.parameters()]
    try:
        with torch.no_grad():
            for number, weight in enumerate(network.parameters()):
                order = random_stream(seed, "reinitialised", number).permutation(weight.numel())
                shuffled = weight.flatten()[torch.from_numpy(order).to(weight.device)]
                weight.copy_(shuffled.view_as(weight))
        yield
    finally:
        with torch.no_grad():
            for weight, before in zip(network.parameters(), learned, strict=True):
                weight.copy_(before)


def has_weights_to_shuffle(network: nn.Module) -> bool:
    """Whether there are weights to shuffle; an exported network may have them as constants."""
    return any(weight.numel() > 1 for weight in network.parameters())
