"""Black boxes in files that a library runs: ONNX by onnxruntime, TensorFlow Lite by LiteRT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexplain.errors import UsageError, reason_of
from ganexplain.networks.black_box import BlackBox

# What onnxruntime calls an element type, where that is not its name in NumPy.
ONNX_TYPES = {"float": "float32", "double": "float64"}
Detail = Mapping[str, Any]  # what LiteRT tells of an input or output


def read_onnxruntime(path: Path) -> BlackBox:
    """The network of an ONNX file, which onnxruntime runs.

    The main input is the first of floating point. Others have the values of `arguments` in
    `--input`, or zeros, as of a state. Raises UsageError without onnxruntime or such an input.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing(path, "onnxruntime", error) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what it would print to stderr is in the error
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    inputs = session.get_inputs()
    main = next((each for each in inputs if each.type in ("tensor(float)", "tensor(double)")), None)
    if main is None:
        raise _without_float(path, [f"{each.name!r} of {each.type}" for each in inputs])

    def call(x: np.ndarray, **others: object) -> dict[str, np.ndarray]:
        lengths = dict(zip(main.shape, x.shape, strict=False))
        lengths.pop(None, None)  # axes without a name have nothing in common
        given: dict[str, np.ndarray] = {}
        for each in inputs:
            dtype = _numpy_type(each.type)
            shape = [n if isinstance(n, int) else lengths.get(n, len(x)) for n in each.shape]
            value = x if each is main else _filled(others.get(each.name, 0), shape)
            given[each.name] = value.astype(dtype)
        names = [each.name for each in session.get_outputs()]
        return dict(zip(names, session.run(None, given), strict=True))

    return BlackBox(str(path), call)


def _filled(value: object, shape: Sequence[int]) -> np.ndarray:
    """An array of that shape with a number everywhere; an array as it is."""
    array = np.asarray(value)
    return array if array.ndim else np.full(tuple(shape), array)


def _numpy_type(name: str) -> np.dtype[Any]:
    """The type of `tensor(int64)` in NumPy."""
    inner = name.removeprefix("tensor(").removesuffix(")")
    return np.dtype(ONNX_TYPES.get(inner, inner))


def read_tflite(path: Path) -> BlackBox:
    """The network of a TensorFlow Lite file, which LiteRT runs; quantised ones too.

    The main input is the first of floating point or quantised. A batch has as many inputs as the
    file fixes, if it fixes any. Raises UsageError without ai-edge-litert or such an input.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise _missing(path, "ai-edge-litert", error) from error
    interpreter = Interpreter(str(path), num_threads=torch.get_num_threads())
    inputs: Sequence[Detail] = interpreter.get_input_details()
    main = next((each for each in inputs if _takes_numbers(each)), None)
    if main is None:
        raise _without_float(path, [f"{each['name']!r} of {each['dtype']}" for each in inputs])
    interpreter.allocate_tensors()

    def call(x: np.ndarray, **others: object) -> dict[str, np.ndarray]:
        wanted = tuple(int(n) for n in main["shape_signature"])
        fits = [n in (-1, length) for n, length in zip(wanted, x.shape, strict=False)]
        if len(wanted) != x.ndim or not all(fits):
            raise ValueError(f"its input has the shape {wanted}, -1 for any length")
        if -1 in wanted:
            interpreter.resize_tensor_input(main["index"], x.shape)
            interpreter.allocate_tensors()
        interpreter.reset_all_variables()  # a state begins at zero
        for each in inputs:
            value = x if each is main else _filled(others.get(each["name"], 0.0), each["shape"])
            interpreter.set_tensor(each["index"], _quantised(value, each))
        interpreter.invoke()
        return {
            each["name"]: _dequantised(interpreter.get_tensor(each["index"]), each)
            for each in interpreter.get_output_details()
        }

    return BlackBox(str(path), call)


def _takes_numbers(detail: Detail) -> bool:
    return np.issubdtype(detail["dtype"], np.floating) or detail["quantization"][0] > 0


def _quantised(values: np.ndarray, detail: Detail) -> np.ndarray:
    """Values as an input takes them: rounded to its steps where it is quantised."""
    scale, zero = detail["quantization"]
    dtype = np.dtype(detail["dtype"])
    if scale > 0 and dtype.kind in "iu":
        limits = np.iinfo(dtype.name)
        values = np.clip(np.round(values / scale) + zero, limits.min, limits.max)
    return values.astype(dtype)


def _dequantised(values: np.ndarray, detail: Detail) -> np.ndarray:
    """Values of an output as numbers."""
    scale, zero = detail["quantization"]
    if scale > 0 and values.dtype.kind in "iu":
        return ((values.astype(np.float32) - zero) * scale).astype(np.float32)
    return values


def _missing(path: Path, package: str, error: ImportError) -> UsageError:
    return UsageError(
        f"--model {path}: needs the package {package}: pip install {package} ({reason_of(error)})"
    )


def _without_float(path: Path, inputs: Sequence[str]) -> UsageError:
    return UsageError(
        f"--model {path}: the network takes no input of floating point, but "
        f"{', '.join(inputs) or 'nothing at all'}; export it with such an input"
    )
