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


def torch_dtype(number: int) -> torch.dtype:
    """The torch type of an element type (`TensorProto.DataType`); UnsupportedUse if it has none."""
    if number not in _DTYPES:
        raise UnsupportedUse(f"it has values of the element type {number}")
    return _DTYPES[number]


def to_tensor(proto: Any) -> Tensor:
    """A `TensorProto` as a tensor with memory of its own."""
    from onnx import TensorProto, numpy_helper

    if proto.data_location == TensorProto.EXTERNAL:  # the reader has read those it may
        raise UnsupportedUse(f"the weight {proto.name!r} is in another file")
    dtype = torch_dtype(proto.data_type)
    values = numpy_helper.to_array(proto)
    if dtype == torch.bfloat16:  # which NumPy has not
        return torch.from_numpy(values.astype(np.float32)).to(dtype)
    return torch.from_numpy(np.array(values))
