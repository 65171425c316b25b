"""Reads TorchScript files, and checks their code before torch loads it.

While torch loads such a file, it runs code of the file (`__setstate__` of its classes), so the
calls in the code are checked before. The code is not parsed: each name that can refer to an
operator, wherever it occurs, must be one without side effects. A name that follows `self` or
`__torch__` is a part of the network (a layer called `resize`, for example), if the code uses these
two words as torch writes them; otherwise each name may refer to an operator.
"""

from __future__ import annotations

import io
import pickletools
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from ganexplain.networks.loaders.pure_operators import impure, is_pure

GAP = r"(?:[\s\\]|#[^\n]*\n)*"  # between two parts of a name
NAME = r"[A-Za-z_]\w*"
ATTRIBUTE = re.compile(rf"\.{GAP}({NAME})")
OPS = r"(?<![\w.])ops\b"  # the namespace of operators, unless it is a name of the network
OF_SPACE = re.compile(rf"{OPS}{GAP}\.{GAP}({NAME}){GAP}\.{GAP}({NAME})")
OF_TORCH = re.compile(rf"(?<![\w.])torch(?:{GAP}\.{GAP}{NAME})+")
BEGINS = r"(?:(?<=[=,] )|(?<=\()|(?<=\breturn )|(?<=\bif ))"  # where an expression begins
OWN = re.compile(  # an attribute or method of `self`, or a name defined in the file
    rf"(?:(?<![\w.])self|{BEGINS}\(self\))\.{NAME}|(?<![\w.])__torch__(?:\.{NAME})+"
)
NO_NAME = re.compile(r'\(self(?=: __torch__\.|, ")')  # the declaration of `self`, and its getattr
UNUSUAL = re.compile(
    rf"\b(?:self|__torch__)\b|(?<![\w.])torch\b(?!{GAP}\.)|\.{GAP}(?:autograd|torch)\b"
)
BY_TEXT = re.compile(r'\bgetattr\b(?:\(([\w.()]+), "([^"\\]*)"\))?')
CLASSES = "__torch__.torch.classes."
OF_CLASSES = re.compile(rf"\btorch{GAP}\.{GAP}classes\b(?:{GAP}\.{GAP}({NAME}))?")
KNOWN_CLASSES = ("quantized", "rnn")  # weights of quantised layers, stored in C++


def read_torchscript(path: Path) -> nn.Module:
    """The network in a TorchScript file, on the CPU.

    Raises GanexplainError if it uses an operator or class that is not known to be free of side
    effects, which is named; for a damaged file any error of torch.
    """
    content = path.read_bytes()
    for name in _refused_names(content):
        raise impure(path, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch recommends torch.export
        return torch.jit.load(io.BytesIO(content), map_location="cpu")


def _refused_names(content: bytes) -> Iterator[str]:
    """What a TorchScript archive uses without permission, as torch's own reader sees it."""
    reader = torch._C.PyTorchFileReader(io.BytesIO(content))
    records = reader.get_all_records()
    if "model.json" in records or len(set(records)) < len(records):
        yield "a form of TorchScript from before version 1.1, or a record twice"
    for record in records:
        if record.endswith(".py"):
            yield from _refused_in_code(reader.get_record(record).decode("latin-1"))
        elif record.endswith(".pkl"):
            yield from _refused_classes(reader.get_record(record))


def _refused_in_code(code: str) -> Iterator[str]:
    for found in OF_SPACE.finditer(code):
        if not is_pure(f"{found[1]}::{found[2]}"):
            yield f"{found[1]}::{found[2]}"
    plain = OF_SPACE.sub("", code)
    names, of_values = _names_in(plain), _names_in(OF_TORCH.sub(" ", OWN.sub(" ", plain)))
    for found in BY_TEXT.finditer(code):
        if found[1] is None:
            yield "getattr of something other than a plain name"
        else:
            names.add(found[2])
            of_values |= {found[2]} if found[1] != "self" else set()
    of_torch = _names_in(" ".join(OF_TORCH.findall(plain)))
    if UNUSUAL.search(OWN.sub(" ", NO_NAME.sub(" ", plain))):
        of_torch = names
    for name in sorted(of_torch | of_values):
        if not is_pure(f"aten::{name}") and _is_operator(name, only_of_values=name not in of_torch):
            yield f"aten::{name}"
    if re.search(OPS, plain):  # it may be torch.ops
        spaces = {schema.name.partition("::")[0] for schema in torch._C._jit_get_all_schemas()}
        yield from (f"operators of {name}" for name in sorted(names & spaces))
    for found in OF_CLASSES.finditer(code):
        if found[1] not in KNOWN_CLASSES:
            yield f"{CLASSES}{found[1]}"


def _names_in(code: str) -> set[str]:
    """All names behind a dot."""
    return set(ATTRIBUTE.findall(code))


def _is_operator(name: str, only_of_values: bool) -> bool:
    """Whether `torch.name` is an operator that, if `only_of_values`, can be a method of a value."""
    return any(
        not only_of_values or any(argument.name == "self" for argument in schema.arguments)
        for schema in torch._C._jit_get_schemas_for_operator(f"aten::{name}")
    )


def _refused_classes(pickled: bytes) -> Iterator[str]:
    """C++ classes of the objects in an archive, which are created while it is loaded."""
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "GLOBAL":
            name = str(argument).replace(" ", ".")
            space = name.removeprefix(CLASSES).partition(".")[0]
            if name.startswith(CLASSES) and space not in KNOWN_CLASSES:
                yield name
        elif opcode.name in ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
            yield f"an object named by {opcode.name}"
