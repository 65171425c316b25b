"""Converts networks in ONNX files to torch modules with onnx2torch."""

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

KNOWN_OPSET = 16  # the newest opset of which onnx2torch supports nearly all operators
NEED_TORCHVISION = ("NonMaxSuppression", "RoiAlign")  # the only converters that use torchvision


def read_onnx(path: Path) -> nn.Module:
    """The network in an ONNX file.

    Raises UsageError if onnx2torch is not installed, and GanexplainError for a damaged file or an
    operator that cannot be converted, which is named.
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
    except Exception as error:  # protobuf raises its own kinds; files of weights may be missing
        raise GanexplainError(
            f"--model {path}: cannot be read as ONNX ({reason_of(error)})"
        ) from error
    found = {node.op_type for node in model.graph.node}
    if importlib.util.find_spec("torchvision") is None:
        for operator in sorted(found & set(NEED_TORCHVISION)):
            raise _refused(path, operator, "needs torchvision, which is not installed")
    try:
        return onnx2torch.convert(_downgraded(model))
    except Exception as error:  # the kind depends on the operator
        unknown = re.search(r"operation_type='(\w+)'", str(error))
        named = [name for name in sorted(found) if name.lower() in str(error).lower()]
        operator = unknown[1] if unknown else (named or [f"one of {', '.join(sorted(found))}"])[0]
        raise _refused(path, operator, reason_of(error)) from error


def _downgraded(model: Any) -> Any:
    """The network in the opset that onnx2torch supports, if it can be converted to that."""
    from onnx import version_converter

    for node in model.graph.node:
        if node.op_type == "Reshape":  # onnx2torch refuses it, though it matters for empty tensors
            kept = [entry for entry in node.attribute if entry.name != "allowzero"]
            del node.attribute[:]
            node.attribute.extend(kept)
    opset = max(entry.version for entry in model.opset_import if not entry.domain)
    if opset <= KNOWN_OPSET:
        return model
    try:
        return version_converter.convert_version(model, KNOWN_OPSET)
    except Exception:  # it cannot: onnx2torch then reports which operator is too new
        return model


def _refused(path: Path, operator: str, reason: str) -> GanexplainError:
    return GanexplainError(
        f"--model {path}: operator {operator} cannot be converted ({reason}); export the "
        "network to TorchScript or torch.export instead"
    )


@contextmanager
def _stand_in_for_torchvision() -> Iterator[None]:
    """While open, `import torchvision` works; onnx2torch needs it for two operators only."""
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
