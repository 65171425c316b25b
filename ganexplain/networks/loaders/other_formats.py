"""The way to go with networks in files that are not loaded here."""

from __future__ import annotations

import ast
from pathlib import Path

WRITTEN_BY_TF2ONNX = "convert it to ONNX, python -m tf2onnx.convert --output network.onnx --"
KERAS = (
    "a network of Keras; write it as ONNX, keras.saving.load_model({path!r})"
    '.export("network.onnx", format="onnx"), or, with KERAS_BACKEND=torch, write a function that '
    "returns the loaded model and name it, file.py:function"
)
CORE_ML = "a network of Core ML; export the network that it was made from to ONNX"
UNPACK = "an archive; unpack it and name the network in it"
# By the ending of a file, or by the name of a file that a folder has.
ADVICE = {
    ".keras": KERAS,
    ".h5": KERAS,
    ".hdf5": KERAS,
    "saved_model.pb": "a SavedModel of TensorFlow; " + WRITTEN_BY_TF2ONNX + "saved-model {path}",
    "checkpoint": "a checkpoint of TensorFlow; "
    + WRITTEN_BY_TF2ONNX
    + "checkpoint {path}/NAME.meta --inputs NAME:0 --outputs NAME:0",
    ".pb": "a graph of TensorFlow; "
    + WRITTEN_BY_TF2ONNX
    + "graphdef {path} --inputs NAME:0 --outputs NAME:0",
    ".nemo": "a network of NeMo; export it to ONNX, "
    'nemo.core.ModelPT.restore_from({path!r}).export("network.onnx")',
    ".mlmodel": CORE_ML,
    ".mlpackage": CORE_ML,
    ".safetensors": "weights without a network; name its factory, --model file.py:NAME "
    "--weights {path}, or, of transformers, the folder with its config.json",
    ".tar": UNPACK,
    ".zip": UNPACK,
    ".gz": UNPACK,
    ".tgz": UNPACK,
    ".pkl": "a pickle, which runs any code in it; write a function that returns the torch module, "
    "and name it, file.py:function",
}  # fmt: skip


def advice_for(path: Path) -> str:
    """What to do with a file or folder of another kind; empty if its kind is not known either."""
    kind = path.suffix.lower()
    if path.is_dir() and kind not in ADVICE:
        kind = next((name for name in ADVICE if (path / name).is_file()), "")
    if kind == ".py":
        return _advice_for_code(path)
    return ADVICE.get(kind, "").format(path=str(path))


def _advice_for_code(path: Path) -> str:
    """What to name instead of a file of Python code without a class or function of it."""
    try:
        parts = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        parts = []
    kinds = ast.ClassDef | ast.FunctionDef
    names = [part.name for part in parts if isinstance(part, kinds) and part.name[0] != "_"]
    known = f" (it has {', '.join(names[:8])})" if names else ""
    return f"a file of Python code; add its class or function, {path}:NAME{known}"
