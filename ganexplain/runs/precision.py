"""`--precision`: the number formats in which networks compute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from ganexplain.errors import check_known
from ganexplain.runs.progress import Progress

PRECISIONS = ("float32", "bfloat16")  # of training
SEARCH_PRECISIONS = ("float32", "tfloat32", "bfloat16")


def is_bfloat16_fast(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16: GPUs, and CPUs with AVX-512.

    On other CPUs torch has a convolution in bfloat16 that takes ten times as long as float32.
    """
    if device.type != "cpu":
        return True
    onednn = torch.backends.mkldnn.is_available()
    return bool(onednn and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """While open, matrix products and convolutions are in bfloat16 where requested and fast."""
    enabled = precision == "bfloat16" and is_bfloat16_fast(device)
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def note_precision(precision: str, device: torch.device, progress: Progress) -> None:
    """Note where `autocast` computes in float32 instead of bfloat16."""
    if precision == "bfloat16" and not is_bfloat16_fast(device):
        progress.note(
            "--precision bfloat16: this CPU has no instructions for it (AVX-512); it computes in "
            "float32, which is much faster here"
        )


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
