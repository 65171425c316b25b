"""One training in several processes, as `torchrun` starts them.

Every process takes its part of each batch and all apply the mean of their gradients, so their
weights stay the same. The first one writes the run directory; the others write nothing that stays.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from ganexplain.errors import UsageError

T = TypeVar("T")


def place() -> tuple[int, int]:
    """Number of this process (0 the first) and how many there are, as torchrun has set them."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def use_own_gpu() -> bool:
    """Of several processes on a machine with a GPU for each, let this one's `cuda` be its own.

    Whether it is so.
    """
    import torch

    count = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if place()[1] == 1 or not 0 < count <= torch.cuda.device_count():
        return False
    torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    return True


@contextmanager
def process_group() -> Iterator[None]:
    """While open, the processes that torchrun started can speak to each other; else nothing.

    Over NCCL with a GPU for each, else over gloo.
    """
    if place()[1] == 1:
        yield
        return
    import torch

    on_gpus = use_own_gpu()
    torch.distributed.init_process_group("nccl" if on_gpus else "gloo")
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def check_divisible(batch_size: int) -> None:
    """UsageError where a batch cannot be divided evenly among the processes."""
    world = place()[1]
    if batch_size % world:
        raise UsageError(
            f"--batch-size {batch_size}: cannot be divided among {world} processes; "
            f"use a multiple of {world}"
        )


def own_part() -> slice:
    """Which elements of a batch this process computes with."""
    rank, world = place()
    return slice(rank, None, world)


def average_gradients(parameters: Iterable[Any]) -> None:
    """Make each gradient the mean of those of all processes, the gradient of the whole batch."""
    world = place()[1]
    if world == 1:
        return
    import torch

    for parameter in parameters:
        if parameter.grad is not None:
            torch.distributed.all_reduce(parameter.grad)
            parameter.grad /= world


def of_the_first(value: T) -> T:
    """What the first process gives, in all of them."""
    if place()[1] == 1:
        return value
    import torch

    held = [value]
    torch.distributed.broadcast_object_list(held)
    return held[0]
