"""A whole network of an ONNX file, called with its main input and others by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganexplain.errors import UsageError
from ganexplain.networks.onnx.dtypes import torch_dtype
from ganexplain.networks.onnx.graph import Graph


@dataclass(frozen=True)
class DeclaredInput:
    """An input as the file declares it; axes of no fixed length are named, or empty."""

    name: str
    dtype: torch.dtype
    shape: tuple[int | str, ...]

    @classmethod
    def of(cls, proto: Any) -> DeclaredInput:
        """That of a `ValueInfoProto`."""
        tensor = proto.type.tensor_type
        shape = tuple(axis.dim_value or axis.dim_param for axis in tensor.shape.dim)
        return cls(proto.name, torch_dtype(tensor.elem_type), shape)


class OnnxNetwork(Graph):
    """The network of a file; its layers are the nodes of the graph.

    The main input is the first of floating point; a call passes it, and may pass others by their
    names. Those left out, such as the state of a recurrent network, are zero: axes of no fixed
    length are as long as the axis of the main input that has the same name, or as its batch.

    Raises NotRunnable as `Graph`, and UsageError for a graph without an input of floating point or
    that reads values which nothing makes.
    """

    declared: tuple[DeclaredInput, ...] = ()  # set here too, so that no layer gets these names
    main = 0

    def __init__(self, model: Any, opset: int) -> None:
        own = {each.name for each in model.graph.initializer}
        declared = [DeclaredInput.of(each) for each in model.graph.input if each.name not in own]
        super().__init__(model.graph, opset)
        floating = [k for k, each in enumerate(declared) if each.dtype.is_floating_point]
        if not floating:
            raise UsageError(
                f"--model: the network takes no input of floating point, which the GAN generates, "
                f"but {_types_of(declared)}; export it as it was before its input was quantised or "
                "converted"
            )
        if self.captured:
            raise UsageError(f"--model: no node makes the value {self.captured[0]!r}")
        self.declared, self.main = tuple(declared), floating[0]

    def forward(self, x: Tensor, **others: Any) -> Any:  # type: ignore[override]
        """The output, or all outputs by name if there are several."""
        self._check_batch(x)
        values = []
        for number, each in enumerate(self.declared):
            if number == self.main:
                values.append(x)
            elif each.name in others:
                values.append(torch.as_tensor(others[each.name], dtype=each.dtype, device=x.device))
            else:
                values.append(self._zeros(each, x))
        outputs = super().forward(*values)
        return outputs[0] if len(outputs) == 1 else dict(zip(self.outputs, outputs, strict=True))

    def _check_batch(self, x: Tensor) -> None:
        """RuntimeError for another batch than the file is fixed to: examples could be mixed."""
        fixed = self.declared[self.main].shape[:1]
        traced = not isinstance(x, Tensor)  # by torch.fx, after a pass
        if (
            not traced
            and fixed
            and isinstance(fixed[0], int)
            and fixed[0] > 0
            and fixed[0] != len(x)
        ):
            raise RuntimeError(f"its input has a batch axis of fixed length {fixed[0]}")

    def _zeros(self, declared: DeclaredInput, x: Tensor) -> Tensor:
        lengths = dict(zip(self.declared[self.main].shape, x.shape, strict=False))
        shape = [
            axis if isinstance(axis, int) else lengths.get(axis, len(x)) if axis else len(x)
            for axis in declared.shape
        ]
        return torch.zeros(shape, dtype=declared.dtype, device=x.device)


def _types_of(declared: Sequence[DeclaredInput]) -> str:
    named = (f"{each.name!r} of {str(each.dtype).removeprefix('torch.')}" for each in declared)
    return ", ".join(named) or "nothing at all"
