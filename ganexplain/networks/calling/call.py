"""How a network is called: in which precision, and with how many inputs a pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain.errors import GanexplainError, UsageError, reason_of
from ganexplain.inputs.specification import Call
from ganexplain.networks.calling.recurrent_sizes import check_recurrent_sizes
from ganexplain.networks.copies import copy_network
from ganexplain.networks.loaders.torchscript import ScriptedNetwork
from ganexplain.networks.loaders.torchscript_ops import UnsupportedNode, Values
from ganexplain.networks.outputs import find_part, floating_tensor, other_parts

NOT_RUN_HERE = (UnsupportedNode, RuntimeError, TypeError, LookupError, AttributeError)
TIME = "TW"  # the letters of a time axis
TENSORS: tuple[tuple[type, ...], ...] = ((), (list,), (list, int, float))  # tried in this order
FIXED = (1, 4, 8, 16, 32)  # batches of fixed length that are tried where a pair is refused


@dataclass(frozen=True)
class Calling:
    """A way to call a network, as `call` specifies it; its layout names all axes of the input.

    The input is converted to `precision`. A network with a batch of fixed length gets one input at
    a time, `copies` times; 0: a pass takes any number of inputs. Of the arguments those of the
    types `tensors` are passed as tensors.
    """

    call: Call
    precision: torch.dtype = torch.float32
    copies: int = 0
    tensors: tuple[type, ...] = ()

    def raw(self, network: nn.Module, x: Tensor) -> Any:
        """All that the network returns for x (B, ...), in one pass of a copy of x."""
        call = self.call
        x = x.to(self.precision).clone(memory_format=torch.contiguous_format)
        named = call.method and not isinstance(network, ScriptedNetwork)
        method = getattr(network, call.method) if named else network
        arguments = {name: self._argument(value, x) for name, value in call.arguments.items()}
        if call.length:
            _put(arguments, call.length, self._lengths(x))
        if not call.argument:
            return method(x, **arguments)
        _put(arguments, call.argument, x)
        return method(**arguments)

    def _lengths(self, x: Tensor) -> Tensor:
        """The number of steps of each input (B,)."""
        steps = [n for n, axis in zip(x.shape[1:], self.call.layout, strict=True) if axis in TIME]
        return torch.full(x.shape[:1], steps[0], device=x.device)

    def _argument(self, value: object, x: Tensor) -> object:
        """A value of `arguments`, as the network gets it."""
        if isinstance(value, Mapping):
            return {name: self._argument(inner, x) for name, inner in value.items()}
        if not isinstance(value, self.tensors) or isinstance(value, bool):
            return value
        tensor = torch.as_tensor(value, device=x.device)
        return tensor.to(self.precision) if tensor.is_floating_point() else tensor

    def tensor(self, raw: Any) -> Any:
        """The tensor in what a pass returns that `call` selects, or None."""
        found = floating_tensor(find_part(raw, self.call.output))
        alone = self.copies == 1 and found is not None and not found.ndim
        return found.reshape(1) if alone else found

    def passes(self, x: Tensor) -> list[Tensor]:
        """What the passes of x (B, ...) get, of whose output the first row counts."""
        return [one.expand(self.copies, *one.shape[1:]) for one in x.split(1)]


@dataclass(frozen=True)
class Accepted:
    """A network, as modules that accept hooks if possible, and a way in which it can be called.

    `output` is that for the inputs with which it was tried (of passes one by one, one behind
    another), `alone` that for the last of them alone; `plain` if a pass returns this tensor itself.
    `others` names what else a pass returns, in words of an error.
    """

    network: nn.Module
    calling: Calling
    output: Tensor
    alone: Tensor
    plain: bool
    others: str = ""


def find_calling(network: nn.Module, call: Call, x: Tensor) -> Accepted:
    """How the network accepts x (2, ...), the first that works.

    A network with weights in another precision is run in float32 or, if its code does not allow
    that, gets its input in that precision. TorchScript is run as ordinary modules if that computes
    the same. Arguments are passed as they are written or, if that fails, as tensors.

    Raises UsageError if the network accepts x in no way, or its output has no batch axis.
    """
    if call.method and not hasattr(network, call.method):
        raise UsageError(f"method = {call.method!r}: the network has none of that name")
    try:
        return _with_arguments(network, Calling(call), x)
    except UsageError as error:
        others = [dtype for dtype in weight_precisions(network) if dtype != torch.float32]
        if not others:
            raise
        refusal = error
    with suppress(UsageError):  # it cannot be copied, or its code names its precision
        return _with_arguments(copy_network(network).float(), Calling(call), x)
    for precision in others:
        try:
            return _with_arguments(network, Calling(call, precision), x)
        except UsageError as error:
            refusal = error
    named = " and ".join(str(dtype).removeprefix("torch.") for dtype in others)
    raise UsageError(f"{refusal}; its weights are {named}") from refusal


def _with_arguments(network: nn.Module, calling: Calling, x: Tensor) -> Accepted:
    """The network, with arguments as written or as tensors; UsageError for those as written."""
    refusals = []
    for types in TENSORS if calling.call.arguments else TENSORS[:1]:
        try:
            return _hookable(network, replace(calling, tensors=types), x)
        except UsageError as error:
            refusals.append(error)
    raise refusals[0]


def _hookable(network: nn.Module, calling: Calling, x: Tensor) -> Accepted:
    """The network, as modules that accept hooks if possible; UsageError if it fails."""
    with torch.no_grad(), check_recurrent_sizes(), redirect_stdout(StringIO()):  # scripts may print
        if not isinstance(network, torch.jit.ScriptModule):
            return _tried(network, calling, x)
        # First as modules: only there can an endless loop be interrupted.
        ours = None
        with suppress(*NOT_RUN_HERE, UsageError):
            scripted = ScriptedNetwork(network, calling.call.method or "forward")
            ours = _tried(scripted, calling, x)
        theirs = _tried(network, calling, x)
    if ours is None or ours.calling != theirs.calling or ours.output.shape != theirs.output.shape:
        return theirs
    return ours if is_close(ours.output, theirs.output) else theirs


def _tried(network: nn.Module, calling: Calling, x: Tensor) -> Accepted:
    """The network's output for x (2, ...), in a pass or, if it refuses that, one by one."""
    if calling.call.batch:
        return _one_by_one(network, replace(calling, copies=calling.call.batch), x)
    try:
        raw = calling.raw(network, x)
    except UsageError:
        raise
    except Exception as error:  # its code may raise anything
        for copies in FIXED:
            with suppress(Exception):
                return _one_by_one(network, replace(calling, copies=copies), x)
        raise _refusal(tuple(x.shape), error) from error
    output, others = _checked(calling, raw, len(x))
    try:
        alone, _ = _checked(calling, calling.raw(network, x[-1:]), 1)
        if alone.ndim != output.ndim:  # as of code that squeezes its output
            raise no_batch_axis(alone, 1, others)
    except Exception:  # it takes pairs only, or needs several inputs for their mean and variance
        if len(output) != len(x):
            raise no_batch_axis(output, len(x), others) from None
        pairs = _one_by_one(network, replace(calling, copies=len(x)), x)
        return replace(pairs, alone=output[-1:])
    plain = isinstance(raw, Tensor) and not calling.call.output
    return Accepted(network, calling, output, alone, plain, others)


def _one_by_one(network: nn.Module, calling: Calling, x: Tensor) -> Accepted:
    passes = calling.passes(x)
    try:
        raw = [calling.raw(network, one) for one in passes]
    except UsageError:
        raise
    except Exception as error:  # its code may raise anything
        raise _refusal(tuple(passes[0].shape), error) from error
    found = [_checked(calling, each, calling.copies) for each in raw]
    rows, others = [output for output, _ in found], found[0][1]
    if any(calling.copies not in each.shape for each in rows):
        raise no_batch_axis(rows[0], calling.copies, others)
    rows = [each[: 1 if len(each) == calling.copies else None] for each in rows]
    return Accepted(network, calling, torch.cat(rows), rows[-1], False, others)


def _refusal(shape: tuple[int, ...], error: Exception) -> UsageError:
    reason = str(error) if isinstance(error, GanexplainError) else reason_of(error)
    return UsageError(
        f"--model: the network does not take {shape} ({reason}); describe its input with --input"
    )


def _checked(calling: Calling, raw: Any, rows: int) -> tuple[Tensor, str]:
    """The output for `rows` inputs and its other parts; UsageError for none or no batch axis."""
    tensor = calling.tensor(raw)
    if tensor is None:
        raise UsageError("--model: the network's output contains no tensor")
    others = other_parts(raw, tensor)
    if not any(size and size % rows == 0 for size in tensor.shape):
        raise no_batch_axis(tensor, rows, others)
    return tensor, others


def no_batch_axis(output: Tensor, rows: int, others: str) -> UsageError:
    """The error for an output of which no axis counts the inputs; `others` are its other parts."""
    return UsageError(
        f"--model: the output for {rows} inputs has shape {tuple(output.shape)}, of which no axis "
        "counts the inputs (in --input choose a part with output =, or, if it is one output for "
        f"the whole batch, batch = 1 under [network]){others}"
    )


def _put(arguments: Values, name: str, value: Tensor) -> None:
    """Add an argument; `batch.mel` is the value `mel` of the mapping `batch`."""
    first, dot, rest = name.partition(".")
    if not dot:
        arguments[first] = value
        return
    before = arguments.get(first)
    inner: Values = dict(before) if isinstance(before, Mapping) else {}
    _put(inner, rest, value)
    arguments[first] = inner


def is_close(first: Tensor, second: Tensor) -> bool:
    """Whether two outputs are equal but for rounding."""
    return torch.allclose(first, second, rtol=1e-4, atol=1e-5, equal_nan=True)


def weight_precisions(network: nn.Module) -> list[torch.dtype]:
    """The floating-point precisions of its weights and buffers, the most frequent first."""
    kept = (*network.parameters(), *network.buffers())
    counts = Counter(tensor.dtype for tensor in kept if tensor.is_floating_point())
    return [dtype for dtype, _ in counts.most_common()]
