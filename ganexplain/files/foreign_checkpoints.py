"""Reads the tensors of a checkpoint that also contains objects, and runs none of its code.

Trainers write more than tensors: settings, paths, whole networks. Here each class and function
that such a file names, apart from those that make tensors, becomes a `Placeholder`: nothing is
imported, and a call of it returns another placeholder. While the file is read its tensors are
sealed, because its instructions can call methods of what it contains.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, TypeAlias

import torch
from torch import Tensor

from ganexplain.files.archives import ZIP, check_archive
from ganexplain.files.pickles import check_instructions

MOST_WEIGHTS = 10**5  # of a network that was pickled whole
Table: TypeAlias = "dict[str, Content]"
Content: TypeAlias = "Tensor | Table | int | None"


class Placeholder(dict[Any, Any]):
    """An object of a class that is not imported: its attributes and entries, for a torch module
    its weights by their names in `state_dict`.
    """

    def __init__(self, *given: object, **named: object) -> None:
        super().__init__()

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __call__(self, *given: object, **named: object) -> Placeholder:
        """A placeholder for what the object would have returned."""
        return Placeholder()

    def append(self, item: object) -> None:
        """Ignore an item of an object that is a sequence."""

    extend = append

    def __setstate__(self, state: object) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.update(part)
        if all(isinstance(self.get(name), dict) for name in ("_parameters", "_modules")):
            weights = _weights_of(self)
            self.clear()
            self.update(weights)


class _Sealed:
    """A value without methods that a file could call."""

    __slots__ = ("content",)

    def __init__(self, content: Any) -> None:
        self.content = content

    def __setstate__(self, state: object) -> NoReturn:
        raise pickle.UnpicklingError("a tensor or a function of torch with a state")


class _Rebuild(_Sealed):
    """Makes tensors as the function of torch of the same name."""

    def __call__(self, *given: Any) -> object:
        return self.content(*given)


class _StorageOfBytes:
    """The type of a storage of bytes, as which torch keeps tensors of rare types."""

    __slots__ = ()
    dtype = torch.uint8


def _weights_of(module: Placeholder) -> dict[str, _Sealed]:
    """The weights of a torch module by name, from its attributes; its parts have theirs already.

    Raises ValueError for more than there can be.
    """
    passing = module.get("_non_persistent_buffers_set")
    passing = passing if isinstance(passing, set) else set()
    buffers = module.get("_buffers")
    own = module["_parameters"] | (buffers if isinstance(buffers, dict) else {})
    found = {name: value for name, value in own.items() if name not in passing}
    for name, part in module["_modules"].items():
        if isinstance(part, Placeholder) and isinstance(name, str):
            found |= {f"{name}.{inner}": v for inner, v in part.items() if isinstance(inner, str)}
        if len(found) > MOST_WEIGHTS:
            raise ValueError(f"a network of more than {MOST_WEIGHTS:,} weights")
    return {name: value for name, value in found.items() if isinstance(value, _Sealed)}


def _tensor(storage: Any, dtype: torch.dtype, place: Sequence[Any], more: Sequence[Any]) -> _Sealed:
    """A tensor at a place (offset, size, stride) in a storage; RuntimeError if it is not within it.

    `more` may end in marks: the tensor is the conjugate, or the negative, of the stored values.
    """
    offset, size, stride = place
    flat = torch.empty(0, dtype=dtype).set_(storage._untyped_storage)
    tensor = flat.as_strided(tuple(size), tuple(stride), offset)
    marks = more[0] if more and isinstance(more[0], dict) else {}
    if marks.get("conj"):
        tensor = tensor.conj()  # takes no memory, as the next
    if marks.get("neg"):
        tensor = torch._neg_view(tensor)
    return _Sealed(tensor)


def _of_storage(storage: Any, *given: Any) -> _Sealed:
    """Given its place, whether it has a gradient, its hooks and perhaps marks."""
    return _tensor(storage, storage.dtype, given[:3], given[5:])


def _of_bytes(storage: Any, *given: Any) -> _Sealed:
    """Given its place, whether it has a gradient, its hooks, its type and perhaps marks."""
    return _tensor(storage, given[5], given[:3], given[6:])


def _of_class(rebuild: Callable[..., Any], kind: object, given: Any, state: object) -> Any:
    return rebuild(*given)


def _first(tensor: object, *more: object) -> object:
    return tensor


def _names(items: object = ()) -> set[str]:
    return {item for item in items if isinstance(item, str)} if isinstance(items, list) else set()


KNOWN: dict[str, _Rebuild | _StorageOfBytes | torch.dtype] = {
    **dict.fromkeys(("builtins.set", "__builtin__.set"), _Rebuild(_names)),
    "torch._utils._rebuild_tensor": _Rebuild(_of_storage),
    "torch._utils._rebuild_tensor_v2": _Rebuild(_of_storage),
    "torch._utils._rebuild_tensor_v3": _Rebuild(_of_bytes),
    "torch._utils._rebuild_parameter": _Rebuild(_first),
    "torch._utils._rebuild_parameter_with_state": _Rebuild(_first),
    "torch._tensor._rebuild_from_type_v2": _Rebuild(_of_class),
    "torch.storage.UntypedStorage": _StorageOfBytes(),
    **{str(found): found for found in vars(torch).values() if isinstance(found, torch.dtype)},
}


class _Unpickler(pickle.Unpickler):
    """Unpickles tensors and plain values; whatever else a file names is a placeholder."""

    def find_class(self, module: str, name: str) -> Any:
        """What makes tensors, or `Placeholder`; never imports anything."""
        return KNOWN.get(f"{module}.{name}", Placeholder)


def load_tensors(path: Path) -> Content:
    """The tables (mappings), tensors and integers in a file of torch.save; None for the rest.

    Raises ValueError if it is no such file or a program, and errors of torch and of pickle for a
    damaged one.
    """
    with zipfile.ZipFile(path) as archive:
        check_archive(archive, path.stat().st_size)
    with path.open("rb") as stream:
        if stream.read(len(ZIP)) != ZIP:
            raise ValueError("not a file of torch.save from torch 1.6 or later")
        stream.seek(0)
        reader = torch._C.PyTorchFileReader(stream)  # as torch.load sees the file
        if "constants.pkl" in reader.get_all_records():
            raise ValueError("TorchScript, which is a program")
        check_instructions(reader.get_record("data.pkl"))
        stream.seek(0)
        unpickling: Any = SimpleNamespace(__name__=__name__, Unpickler=_Unpickler)
        content = torch.load(stream, "cpu", pickle_module=unpickling, weights_only=False)
    return _tables(content, {})


def _tables(value: object, made: dict[int, Table]) -> Content:
    """A value with its tensors unsealed; `made` are the tables so far, which may be shared."""
    if isinstance(value, _Sealed):
        return value.content if isinstance(value.content, Tensor) else None
    if not isinstance(value, dict):
        return value if type(value) is int else None
    if id(value) not in made:
        table: Table = {}
        made[id(value)] = table
        for name, inner in value.items():
            if isinstance(name, str | int):
                table[str(name)] = _tables(inner, made)
    return made[id(value)]
