"""A network as if it had learned nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ganexplain.runs.machine import random_stream


@contextmanager
def weights_shuffled(network: nn.Module, seed: int) -> Iterator[None]:
    """While open, the entries of every weight and bias are shuffled; buffers stay.

    The control of Adebayo et al. (2018). Shuffling works for a network of any kind, and keeps the
    scale of every layer, so that responses stay in the range an optimiser was set for. In place,
    for not every network of others can be copied.
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
    """Whether there are weights to shuffle: an exported network may hold them as constants."""
    return any(weight.numel() > 1 for weight in network.parameters())
