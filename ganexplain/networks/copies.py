"""Copies of networks, and networks without the wrappers of training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode

from ganexplain.errors import UsageError, reason_of

Network = TypeVar("Network", bound=nn.Module)


class _CopyingResults(TorchFunctionMode):
    """While active, copy.deepcopy also accepts tensors that torch refuses to copy.

    Computed tensors, such as `weight` of torch.nn.utils.weight_norm, are copied without their
    graph; fake tensors, which describe shapes in an exported network, are shared.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> Any:
        if function is not Tensor.__deepcopy__:
            return function(*args, **(kwargs or {}))
        tensor, memo = args
        if isinstance(tensor, FakeTensor):
            return tensor
        if not tensor.is_leaf:
            memo[id(tensor)] = tensor.detach().clone()
            return memo[id(tensor)]
        return function(tensor, memo)


def copy_network(network: Network) -> Network:
    """A copy that shares no tensor with the network; UsageError if it cannot be copied."""
    try:
        with _CopyingResults():
            return copy.deepcopy(network)
    except Exception as error:  # its attributes may raise anything
        raise UsageError(
            f"the network cannot be copied ({reason_of(error)}); remove from it what "
            "copy.deepcopy refuses, or name its factory, as in 'file.py:factory'"
        ) from error


def unwrap(network: nn.Module) -> nn.Module:
    """The network inside the wrappers of data-parallel training and torch.compile."""
    if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
        inner = network.module
    else:
        inner = getattr(network, "_orig_mod", None)
    return unwrap(inner) if isinstance(inner, nn.Module) else network
