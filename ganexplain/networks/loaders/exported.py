"""Reads files of torch.export, and checks what they refer to before torch loads them.

While torch loads such a file, it unpickles objects, looks up functions by name, imports modules
named in a tree of arguments, evaluates expressions of lengths as Python, and loads libraries in
the file. Only weights, operators without side effects and arithmetic of lengths are accepted.
"""

from __future__ import annotations

import io
import json
import os
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganexplain.errors import GanexplainError, UsageError, reason_of
from ganexplain.files.archives import check_archive
from ganexplain.networks.loaders.pure_operators import impure, is_pure

MEMBERS = re.compile(
    r"models/model\.json|data/sample_inputs/model\.pt|data/weights/(weight_\d+|model\.pt)"
    r"|data/constants/(tensor_\d+|model\.pt)|data/(weights|constants)/model_\w+_config\.json"
    r"|archive_format|archive_version|byteorder|version|\.data/\w+|extra/.*"
)
# Members of files from torch before 2.8, which have no folder, in the order of torch's arguments.
EARLIER = tuple(
    f"serialized_{name}"
    for name in ("exported_program.json", "state_dict.pt", "constants.pt", "example_inputs.pt")
)
OF_TORCH = re.compile(r"torch\.ops\.(\w+)\.(\w+)\.\w+")
OF_LENGTHS = frozenset(
    "_operator." + name
    for name in (
        "add", "and_", "eq", "floordiv", "ge", "getitem", "gt", "le", "lshift", "lt", "mod", "mul",
        "ne", "neg", "or_", "pos", "pow", "rshift", "sub", "truediv",
    )
) | frozenset(
    "torch.sym_" + name for name in ("float", "int", "ite", "max", "min", "not", "sqrt", "sum")
) | {"math.trunc"}  # fmt: skip
OF_GRAPHS = frozenset(
    "torch.ops.higher_order." + name
    for name in ("cond", "while_loop", "wrap_with_autocast", "wrap_with_set_grad_enabled")
)
SYMBOL = re.compile(r"'[A-Za-z]\w*'")  # a name in quotes
WORDS = """
Symbol Integer Rational Float precision Add Mul Pow Max Min Mod PythonMod FloorDiv CeilDiv CleanDiv
IntTrueDiv FloatTrueDiv FloatPow PowByNatural ToFloat TruncToInt TruncToFloat FloorToInt CeilToInt
RoundToInt ModularIndexing Where Identity LShift RShift Eq Ne Equality Unequality Lt Le Gt Ge
StrictLessThan LessThan StrictGreaterThan GreaterThan And Or Not True False true false positive
integer nonnegative nonzero real finite negative zero
"""  # the words of expressions of lengths
IN_CODE = re.compile(r'["\\\n\r]')  # ends the text as which torch.fx writes a name into code
PLAIN = re.compile(r"(?:[\w\s()=,+*/<>&|~-]|(?<=\d)\.(?=\d))*")


def read_exported(path: Path) -> nn.Module:
    """The network in a file of torch.export, as a module with submodules.

    Raises GanexplainError if the file uses an operator or another thing that may have side
    effects, which is named, or if an earlier torch wrote a form that this torch does not read; for
    a damaged file any error of torch.
    """
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_archive(archive, len(content))
        earlier = "version" in archive.namelist()
    for name in _refused_earlier(content) if earlier else _refused(content):
        raise impure(path, name)
    with warnings.catch_warnings(), _weights_only():
        warnings.simplefilter("ignore")  # torch warns about its own code
        if earlier:
            return torch.export.unflatten(_read_earlier(path, content))
        return torch.export.unflatten(torch.export.load(io.BytesIO(content)))


def set_eval_mode(network: nn.Module) -> None:
    """Set eval mode; UsageError for what torch.export made without a file, which has no modes."""
    try:
        network.eval()
    except NotImplementedError as error:
        raise UsageError(
            f"--model: the network has no eval mode ({reason_of(error)}); if torch.export made it, "
            "write the program with torch.export.save(program, 'FILE.pt2'), and give FILE.pt2"
        ) from error


def _refused_earlier(content: bytes) -> Iterator[str]:
    """As `_refused`, for an archive of a torch before 2.8."""
    return _refused_in(json.loads(_member(content, EARLIER[0])), "")


def _member(content: bytes, name: str) -> bytes:
    """A file of an archive; if there are two of the name, always the same one."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def _read_earlier(path: Path, content: bytes) -> Any:
    """The program in a file of a torch before 2.8; GanexplainError for a form not read any more.

    It is read as by torch.export.load, but without that function's message on the terminal.
    """
    from torch._export.serde import schema, serialize

    version = _member(content, "version").decode()
    advice = "export it again with torch 2.8 or later"
    if version.partition(".")[0] != str(schema.SCHEMA_VERSION[0]):
        raise GanexplainError(
            f"--model {path}: written by a torch before 2.8, in form {version} of torch.export, "
            f"which torch {torch.__version__} does not read; {advice}"
        )
    try:
        artifact = serialize.SerializedArtifact(*(_member(content, name) for name in EARLIER))
        return serialize.deserialize(artifact)
    except Exception as error:  # torch raises many kinds
        raise GanexplainError(
            f"--model {path}: written by a torch before 2.8 and not read by torch "
            f"{torch.__version__} ({reason_of(error)}); {advice}"
        ) from error


@contextmanager
def _weights_only() -> Iterator[None]:
    """While open, torch.load unpickles only tensors and plain values, whatever its caller asks."""
    before = os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD")
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"]
        else:
            os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = before


def _refused(content: bytes) -> Iterator[str]:
    """What an archive uses without permission, as torch's own reader sees the archive."""
    reader = torch._C.PyTorchFileReader(io.BytesIO(content))
    records = reader.get_all_records()
    if len(set(records)) < len(records):
        yield "a record twice"
    for record in records:
        if not MEMBERS.fullmatch(record):
            yield record
        elif record.endswith(".json"):
            yield from _refused_in(json.loads(reader.get_record(record)), "")


def _refused_in(value: Any, key: str) -> Iterator[str]:
    """What a JSON value under `key` uses without permission."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if IN_CODE.search(name):
                yield f"the name {name[:80]!r}"
            yield from _refused_in(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _refused_in(inner, key)
    elif isinstance(value, str):
        if key in ("target", "as_operator") and not _is_operator(value):
            yield value.removeprefix("torch.ops.").replace(".", "::", 1)
        elif key == "expr_str" and not is_length(value):
            yield f"the expression {value[:80]}"
        elif key == "path_name" and not re.fullmatch(r"(weight|tensor)_\d+", value):
            yield f"an object of Python or C++ ({value[:80]})"
        elif (key == "nn_module_stack" or key.endswith("name")) and IN_CODE.search(value):
            yield f"the name {value[:80]!r}"
        elif key in ("in_spec", "out_spec") and re.search(r"__enum__|default_factory|\\u", value):
            yield "arguments of a class of their own"


def _is_operator(name: str) -> bool:
    found = OF_TORCH.fullmatch(name)
    if found:
        return is_pure(f"{found[1]}::{found[2]}")
    return name in OF_LENGTHS or name in OF_GRAPHS


def is_length(text: str) -> bool:
    """Whether a text is an arithmetic expression of lengths and no other Python."""
    rest = SYMBOL.sub("", text)
    words = re.findall(r"[A-Za-z_]\w*", rest)
    symbols = {word for word in words if re.fullmatch(r"[suz]+f?\d+", word)}
    return bool(PLAIN.fullmatch(rest)) and set(words) <= symbols.union(WORDS.split())
