"""A check that torch leaves out: what a recurrent layer gets has as many features as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.nn.utils.rnn import PackedSequence


@contextmanager
def check_recurrent_sizes() -> Iterator[None]:
    """While open, nn.RNN, nn.LSTM and nn.GRU raise RuntimeError for an input of another size.

    For a packed sequence torch does not check that, and reads memory behind the tensor.
    """
    handle = register_module_forward_pre_hook(_check_size)
    try:
        yield
    finally:
        handle.remove()


def _check_size(module: nn.Module, arguments: tuple[object, ...]) -> None:
    given = arguments[0] if arguments else None
    given = given.data if isinstance(given, PackedSequence) else given
    if not (isinstance(module, nn.RNNBase) and isinstance(given, Tensor)):
        return
    if given.ndim and given.shape[-1] != module.input_size:
        raise RuntimeError(
            f"{type(module).__name__} got {given.shape[-1]} features a step, not "
            f"{module.input_size}"
        )
