"""`--precision`: the number formats in which networks compute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ganexplain.errors import UsageError, check_known
from ganexplain.files.atomic import read_json
from ganexplain.runs.machine import pick_device

if TYPE_CHECKING:
    import torch

PRECISIONS = ("float32", "bfloat16")  # of training
SEARCH_PRECISIONS = ("float32", "tfloat32", "bfloat16")
Config = TypeVar("Config", bound=Any)


def is_bfloat16_fast(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16: GPUs, and CPUs with AVX-512.

    On other CPUs torch has a convolution in bfloat16 that takes ten times as long as float32.
    """
    import torch

    if device.type != "cpu":
        return True
    onednn = torch.backends.mkldnn.is_available()
    return bool(onednn and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def precision_in_effect(precision: str, device: torch.device) -> str:
    """The precision in which a device computes: float32 where bfloat16 would be slow."""
    slow = precision == "bfloat16" and not is_bfloat16_fast(device)
    return "float32" if slow else precision


def with_precision_in_effect(
    config: Config, device: torch.device, note: Callable[[str], object]
) -> Config:
    """The settings with the precision in effect; `note` gets why it is not the one asked for."""
    effect = precision_in_effect(config.precision, device)
    if effect != config.precision:
        note(
            f"--precision {config.precision}: this CPU has no fast instructions for it; it "
            f"computes in {effect}, which is much faster here"
        )
    return replace(config, precision=effect)


def recorded_precision(config: Any) -> str | None:
    """The precision in effect for the settings of a stage; None for a stage without a choice."""
    precision = getattr(config, "precision", None)
    if precision != "bfloat16":
        return precision
    return precision_in_effect(precision, pick_device(config.device))


def check_same_precision(run: Path, records: Iterable[Path], config: Any) -> None:
    """Raise UsageError if a record of a run to go on with has another precision in effect."""
    now = recorded_precision(config)
    for record in records:
        before = read_json(record).get("precision", now)  # earlier versions have not written it
        if now and before != now:
            raise UsageError(
                f"--precision {config.precision}: {run} was computed in {before}, and this machine "
                f"would go on in {now}; go on where it began, or name another --out"
            )


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """While open, matrix products and convolutions are in bfloat16 where requested and fast."""
    import torch

    enabled = precision_in_effect(precision, device) == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


@contextmanager
def in_precision(precision: str, device: torch.device) -> Iterator[None]:
    """While open, networks compute in a precision of the search: float32 means it on a GPU too.

    bfloat16 means it on a CPU where it is slow, too: the processes of a search compute the same.
    """
    import torch

    check_known("--precision", precision, SEARCH_PRECISIONS)
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32 = matmul.allow_tf32 = precision == "tfloat32"
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before
