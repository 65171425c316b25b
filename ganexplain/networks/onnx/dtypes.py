"""Element types and tensors of ONNX as those of torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganexplain.networks.onnx.node import UnsupportedUse

_DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 4: torch.uint16, 5: torch.int16,
    6: torch.int32, 7: torch.int64, 9: torch.bool, 10: torch.float16, 11: torch.float64,
    12: torch.uint32, 13: torch.uint64, 16: torch.bfloat16,
}  # fmt: skip
_FEW_BITS = {21: ("uint4", 0, 15), 22: ("int4", -8, 7), 25: ("uint2", 0, 3), 26: ("int2", -2, 1)}
# Types with which torch does not compute, and their limits; each value has eight bits of its own.
NARROW: dict[torch.dtype, tuple[int, int]] = {
    getattr(torch, name): (low, high) for name, low, high in _FEW_BITS.values()
}
_DTYPES |= dict(zip(_FEW_BITS, NARROW, strict=True))


def torch_dtype(number: int) -> torch.dtype:
    """The torch type of an element type (`TensorProto.DataType`); UnsupportedUse if it has none."""
    if number not in _DTYPES:
        from onnx import TensorProto

        names = {value: name for name, value in TensorProto.DataType.items()}
        raise UnsupportedUse(f"it has values of type {names.get(number, number)}")
    return _DTYPES[number]


def to_tensor(proto: Any) -> Tensor:
    """A `TensorProto` as a tensor with memory of its own."""
    from onnx import TensorProto, numpy_helper

    if proto.data_location == TensorProto.EXTERNAL:  # the reader has read those it may
        raise UnsupportedUse(f"the weight {proto.name!r} is in another file")
    dtype = torch_dtype(proto.data_type)
    values = numpy_helper.to_array(proto)
    if dtype in NARROW:
        return torch.from_numpy(values.astype(np.int8)).view(dtype)
    if dtype == torch.bfloat16:  # which NumPy has not
        return torch.from_numpy(values.astype(np.float32)).to(dtype)
    return torch.from_numpy(np.array(values))


def computable(values: Tensor) -> Tensor:
    """Values of fewer than eight bits as values of eight."""
    return values.view(torch.int8) if values.dtype in NARROW else values


def converted(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Values in another type; UnsupportedUse for one of fewer than eight bits."""
    if dtype in NARROW:
        raise UnsupportedUse("it converts to a type of fewer than eight bits")
    return computable(values).to(dtype)


def clamp_to(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Whole values in another type of integers, within its limits."""
    if dtype in NARROW:
        return values.clamp(*NARROW[dtype]).to(torch.int8).view(dtype)
    limits = torch.iinfo(dtype)
    return values.clamp(limits.min, limits.max).to(dtype)
