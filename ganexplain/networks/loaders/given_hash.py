"""The hash of a network that Python code gives: of all that it computes with."""

from __future__ import annotations

import hashlib
import pickle
import secrets
import sys
import sysconfig
from functools import cache
from pathlib import Path
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

PACKAGE, STANDARD = Path(__file__).parents[2], Path(sysconfig.get_path("stdlib"))
CACHED = type(cache(len))
INSTALLED = {"site-packages", "dist-packages"}  # folders of libraries

_without_hash: dict[int, tuple[object, str]] = {}  # by id, with the object, so that its id stays


def module_hash(network: nn.Module) -> str:
    """SHA-256 of the structure and the weights of a module."""
    digest = hashlib.sha256(repr(network).encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode() + _content(value))
    return digest.hexdigest()


def function_hash(function: Any) -> str:
    """SHA-256 of a function: its code, constants, defaults, closure and the globals that it names.

    Of a callable object, its class and its state. Where something cannot be hashed (an open session
    of a runtime), the hash is of this object in this process alone, so that no run is resumed.
    """
    written = _Written()
    try:
        _Contents(written).dump(function)
    except Exception:  # pickle raises many kinds
        one = getattr(function, "__self__", function)  # a method is another object each time
        return _without_hash.setdefault(id(one), (one, secrets.token_hex(32)))[1]
    return written.digest.hexdigest()


class _Written:
    """A file of which the hash alone is kept."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return len(data)


class _Contents(pickle.Pickler):
    """Writes functions and classes by their contents, those of libraries by their names.

    Equal values are written alike, whether they are one object or two.
    """

    def __init__(self, file: _Written) -> None:
        super().__init__(file, protocol=4)
        self.fast = True  # without references to objects that were written before
        self.written: set[int] = set()  # functions and classes, which may name themselves

    def reducer_override(self, value: Any) -> Any:
        """A name and the contents of a value that pickle would write by its name or not at all."""
        if isinstance(value, nn.Module):
            return str, (module_hash(value),)
        if isinstance(value, Tensor):
            return str, (f"{value.dtype}{tuple(value.shape)}",), _content(value)
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            return str, (f"{value.dtype}{value.shape}",), value.tobytes()
        if isinstance(value, CodeType):
            names = value.co_names, value.co_varnames, value.co_freevars
            return str, (value.co_name,), (value.co_code, value.co_consts, names)
        if isinstance(value, CellType):
            return str, ("cell",), value.cell_contents
        if isinstance(value, ModuleType):
            return str, (value.__name__,)
        if isinstance(value, CACHED) and _is_own(value.__wrapped__):
            return str, ("cached",), value.__wrapped__
        if isinstance(value, FunctionType | type) and _is_own(value):
            if id(value) in self.written:
                return str, (value.__qualname__,)
            self.written.add(id(value))
            contents = _of_function(value) if isinstance(value, FunctionType) else _of_class(value)
            return str, (value.__qualname__,), contents
        return NotImplemented


def _is_own(value: Any) -> bool:
    """Whether it is of the caller's code, or has no name by which it is found."""
    name = value.__module__ or ""
    file = Path(getattr(sys.modules.get(name), "__file__", None) or STANDARD)
    library = INSTALLED & set(file.parts) or {PACKAGE, STANDARD} & {file, *file.parents}
    return name == "__main__" or "<" in value.__qualname__ or not library


def _of_function(function: FunctionType) -> object:
    """What a function computes with."""
    names = _names(function.__code__)
    found = {name: function.__globals__[name] for name in names if name in function.__globals__}
    defaults = function.__defaults__, function.__kwdefaults__
    return function.__code__, defaults, function.__closure__, found


def _names(code: CodeType) -> list[str]:
    """The names that a code and those within it use."""
    within = [
        name for each in code.co_consts if isinstance(each, CodeType) for name in _names(each)
    ]
    return [*code.co_names, *within]


def _of_class(of: type) -> object:
    """The bases and methods of a class, and its other values."""
    contents = {}
    for name, value in vars(of).items():
        if isinstance(value, property):
            value = value.fget, value.fset
        elif isinstance(value, staticmethod | classmethod):
            value = value.__func__
        elif name.startswith(("__", "_abc_")) and not isinstance(value, FunctionType):
            continue  # of the class itself, not of what it does
        contents[name] = value
    return of.__bases__, contents


def _content(value: object) -> bytes:
    """The bytes of a tensor, or of what describes it where it has none."""
    if not isinstance(value, Tensor) or is_lazy(value):
        return b""
    try:
        flat = value.detach().cpu().contiguous().reshape(-1)
        return flat.view(torch.uint8).numpy().tobytes()
    except (RuntimeError, TypeError, ValueError, NotImplementedError):  # sparse, quantised, fake
        return repr(value).encode()
