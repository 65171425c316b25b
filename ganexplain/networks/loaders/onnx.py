"""Networks in ONNX files as torch modules, by onnx2torch, as far as that reaches."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from ganexplain.errors import GanexplainError, UsageError, reason_of

KNOWN_OPSET = 16  # the newest of which onnx2torch has nearly all operators
NEED_TORCHVISION = ("NonMaxSuppression", "RoiAlign")  # of onnx2torch's converters, these alone


def read_onnx(path: Path) -> nn.Module:
    """The network in an ONNX file.

    Raises UsageError where onnx2torch is not installed, GanexplainError for a damaged file, or
    naming the operator that cannot be converted.
    """
    try:
        with _stand_in_for_torchvision():
            import onnx
            import onnx2torch
    except ImportError as error:
        raise UsageError(
            f"--model {path}: ONNX needs onnx and onnx2torch: pip install onnx, then pip install "
            f"--no-deps onnx2torch ({reason_of(error)})"
        ) from error
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's, and of files of weights that are missing
        raise GanexplainError(
            f"--model {path}: cannot be read as ONNX ({reason_of(error)})"
        ) from error
    found = {node.op_type for node in model.graph.node}
    if importlib.util.find_spec("torchvision") is None:
        for operator in sorted(found & set(NEED_TORCHVISION)):
            raise _refused(path, operator, "needs torchvision, which is not installed")
    try:
        return onnx2torch.convert(_older(model))
    except Exception as error:  # many kinds, by operator
        unknown = re.search(r"operation_type='(\w+)'", str(error))
        operator = unknown[1] if unknown else _named_in(str(error), sorted(found))
        raise _refused(path, operator, reason_of(error)) from error


def _older(model: Any) -> Any:
    """The same network in the older set of operators that onnx2torch knows, where it has one."""
    from onnx import version_converter

    for node in model.graph.node:
        if node.op_type == "Reshape":  # onnx2torch refuses what only matters for empty tensors
            kept = [entry for entry in node.attribute if entry.name != "allowzero"]
            del node.attribute[:]
            node.attribute.extend(kept)
    opset = max(entry.version for entry in model.opset_import if not entry.domain)
    if opset <= KNOWN_OPSET:
        return model
    try:
        return version_converter.convert_version(model, KNOWN_OPSET)
    except Exception:  # no such form: onnx2torch then says which operator is too new
        return model


def _named_in(message: str, operators: list[str]) -> str:
    """The operator an error names, or all there are."""
    named = [operator for operator in operators if operator.lower() in message.lower()]
    return (named or [f"one of {', '.join(operators)}"])[0]


def _refused(path: Path, operator: str, reason: str) -> GanexplainError:
    return GanexplainError(
        f"--model {path}: operator {operator} cannot be converted ({reason}); export the "
        "network to TorchScript or torch.export instead"
    )


@contextmanager
def _stand_in_for_torchvision() -> Iterator[None]:
    """While open, `import torchvision` works: onnx2torch wants it for two operators only."""
    if importlib.util.find_spec("torchvision") is not None:
        yield
        return
    package, ops = ModuleType("torchvision"), ModuleType("torchvision.ops")
    package.ops, ops.roi_align = ops, None  # type: ignore[attr-defined]
    sys.modules.update({"torchvision": package, "torchvision.ops": ops})
    try:
        yield
    finally:
        for name in ("torchvision", "torchvision.ops"):
            sys.modules.pop(name, None)
