"""Copies of networks of any origin, and what was put around them for training."""

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
    """While active, copy.deepcopy takes tensors that torch refuses to copy.

    Those that were computed, as `weight` of torch.nn.utils.weight_norm is, become tensors of
    their own; those without values, by which an exported network remembers shapes, are shared.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
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
    """A copy that shares no tensor with the network; UsageError where it cannot be copied."""
    try:
        with _CopyingResults():
            return copy.deepcopy(network)
    except Exception as error:  # whatever its attributes raise
        raise UsageError(
            f"the network cannot be copied ({reason_of(error)}); take from it what "
            "copy.deepcopy refuses, or name its factory, as in 'module:factory'"
        ) from error


def unwrap(network: nn.Module) -> nn.Module:
    """The network inside of what data-parallel training and torch.compile put around it."""
    if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
        inner = network.module
    else:
        inner = getattr(network, "_orig_mod", None)
    return unwrap(inner) if isinstance(inner, nn.Module) else network
