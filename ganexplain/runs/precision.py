"""`--precision`: the number formats in which networks compute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from ganexplain.errors import check_known

PRECISIONS = ("float32", "bfloat16")  # of training
SEARCH_PRECISIONS = ("float32", "tfloat32", "bfloat16")


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """While open, matrix products and convolutions on the device are in bfloat16 where asked."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def in_precision(precision: str, device: torch.device) -> Iterator[None]:
    """While open, networks compute in a precision of the search: float32 means it on a GPU too."""
    check_known("--precision", precision, SEARCH_PRECISIONS)
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32 = matmul.allow_tf32 = precision == "tfloat32"
    try:
        with autocast(precision, device):
            yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before
