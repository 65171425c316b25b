"""One training in several processes, started by `torchrun`.

Each process computes with its part of each batch and all apply the mean gradient, so their weights
stay equal. Only the first process writes the run directory.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from ganexplain.errors import GanexplainError, UsageError, reason_of

T = TypeVar("T")
TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # variables that it sets
SECONDS_TO_MEET = 15.0  # after which a line reports what the process waits for
CORRECT_THEM = "start the processes with torchrun, or unset " + ", ".join(TORCHRUN)


def rank_and_world_size() -> tuple[int, int]:
    """The number of this process, from 0 on, and the number of processes, as set by torchrun.

    (0, 1) unless all of `TORCHRUN` are set, since a scheduler or a notebook may set some of them
    for other purposes. Raises UsageError for impossible values.
    """
    if not all(os.environ.get(name, "").strip() for name in TORCHRUN):
        return 0, 1
    rank, world = _number("RANK"), _number("WORLD_SIZE")
    if not 0 <= rank < world:
        raise UsageError(f"RANK={rank} with WORLD_SIZE={world} in the environment: {CORRECT_THEM}")
    return rank, world


def _number(variable: str, default: str = "") -> int:
    """The whole number in an environment variable; UsageError for anything else."""
    text = os.environ.get(variable, "").strip() or default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise UsageError(f"{variable}={text} in the environment: not a number; {CORRECT_THEM}")
    return int(text)


def use_own_gpu() -> bool:
    """Make `cuda` this process's own GPU, if there are several processes and a GPU for each.

    Returns whether it is so.
    """
    if rank_and_world_size()[1] == 1:
        return False
    import torch

    count = _number("LOCAL_WORLD_SIZE", "1")
    if not 0 < count <= torch.cuda.device_count():
        return False
    rank = _number("LOCAL_RANK", "0")
    if rank >= count:
        raise UsageError(f"LOCAL_RANK={rank} of {count} in the environment: {CORRECT_THEM}")
    torch.cuda.set_device(rank)
    return True


@contextmanager
def process_group() -> Iterator[None]:
    """While open, the processes that torchrun started can communicate; else nothing happens.

    They use NCCL with a GPU for each process, otherwise gloo.
    """
    if rank_and_world_size()[1] == 1:
        yield
        return
    _join()
    import torch

    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def _join() -> None:
    """Connect to the other processes; GanexplainError if they do not answer.

    The timeout is half an hour, so a line reports early what the process waits for.
    """
    import torch

    backend = "nccl" if use_own_gpu() else "gloo"
    where = ":".join(os.environ[name] for name in TORCHRUN[2:])
    others = f"the {rank_and_world_size()[1]} processes of WORLD_SIZE at {where}"
    line = f"waiting for {others}; {CORRECT_THEM}"
    patience = threading.Timer(SECONDS_TO_MEET, print, (line,), {"file": sys.stderr, "flush": True})
    patience.daemon = True
    patience.start()
    try:
        torch.distributed.init_process_group(backend)
    except (RuntimeError, ValueError) as error:  # no answer, or not a valid port
        raise GanexplainError(
            f"{others} do not meet ({reason_of(error)}); {CORRECT_THEM}"
        ) from error
    finally:
        patience.cancel()


def check_divisible(batch_size: int) -> None:
    """Raise UsageError if a batch cannot be divided evenly among the processes."""
    world = rank_and_world_size()[1]
    if batch_size % world:
        raise UsageError(
            f"--batch-size {batch_size}: cannot be divided among {world} processes; "
            f"use a multiple of {world}"
        )


def rank_slice() -> slice:
    """The elements of a batch with which this process computes."""
    rank, world = rank_and_world_size()
    return slice(rank, None, world)


def average_gradients(parameters: Iterable[Any]) -> None:
    """Make each gradient the mean of those of all processes, the gradient of the whole batch."""
    world = rank_and_world_size()[1]
    if world == 1:
        return
    import torch

    for parameter in parameters:
        if parameter.grad is not None:
            torch.distributed.all_reduce(parameter.grad)
            parameter.grad /= world


def broadcast_from_rank0(value: T) -> T:
    """The value of the first process, in all processes."""
    if rank_and_world_size()[1] == 1:
        return value
    import torch

    values = [value]
    torch.distributed.broadcast_object_list(values)
    return values[0]
