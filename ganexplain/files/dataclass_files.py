"""Dataclasses as files, with the numbers, texts and arrays in them and in dataclasses within."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from ganexplain.files.arrays import damage_reported, read_arrays, write_arrays
from ganexplain.files.atomic import Document

T = TypeVar("T")
CONTENT = "content"  # key of the meta


def write_dataclass(path: Path, kind: str, content: object) -> None:
    """Write a dataclass to an `.npz`: its arrays, and all else in the meta."""
    arrays: dict[str, np.ndarray] = {}
    document = _document(content, arrays)
    write_arrays(path, kind, arrays, {CONTENT: document})


def read_dataclass(path: Path, kind: str, of: type[T]) -> T:
    """The dataclass in a file of `write_dataclass`, made as the types of its fields say.

    Raises as `read_arrays`, and GanexplainError for fields other than those of `of`.
    """
    arrays, meta = read_arrays(path, kind, ())
    with damage_reported(path, kind):
        found: T = _value(of, meta[CONTENT], arrays)
    return found


def dataclass_from_json(place: Path, kind: str, of: type[T], document: Document) -> T:
    """The dataclass that `asdict` turned into a JSON object in the file `place`.

    Raises GanexplainError for fields other than those of `of`.
    """
    with damage_reported(place, kind):
        found: T = _value(of, document, {})
    return found


def _document(value: Any, arrays: dict[str, np.ndarray]) -> object:
    """A value for JSON, with the keys of arrays, which are added to `arrays`, in their places."""
    if is_dataclass(value):
        return {each.name: _document(getattr(value, each.name), arrays) for each in fields(value)}
    if isinstance(value, np.ndarray | bytes):
        key = str(len(arrays))
        arrays[key] = np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value
        return key
    if isinstance(value, Mapping):
        return {key: _document(each, arrays) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_document(each, arrays) for each in value]
    return str(value) if isinstance(value, Path) else value


_types = cache(get_type_hints)  # of the fields of a dataclass


def _value(of: Any, document: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The value of type `of` that `_document` turned into a document."""
    origin, inner = get_origin(of) or of, get_args(of)
    if origin in (Union, UnionType):
        kinds = [kind for kind in inner if kind is not NoneType]
        single = document is not None and len(kinds) == 1
        return _value(kinds[0], document, arrays) if single else document
    if is_dataclass(origin):
        return _dataclass(origin, inner, document, arrays)
    if origin is np.ndarray:
        return arrays[document]
    if origin is bytes:
        return arrays[document].tobytes()
    if origin is Mapping:
        return {key: _value(inner[1], each, arrays) for key, each in document.items()}
    if origin in (tuple, Sequence):
        alike = origin is Sequence or inner[1:] == (...,)
        kinds = [inner[0]] * len(document) if alike else list(inner)
        return tuple(_value(*each, arrays) for each in zip(kinds, document, strict=True))
    return Path(document) if origin is Path else document


def _dataclass(of: Any, inner: Any, document: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """A dataclass from the documents of its fields; `inner` are the types of a generic one."""
    generic = dict(zip(getattr(of, "__parameters__", ()), inner, strict=True))
    kinds = {name: generic.get(kind, kind) for name, kind in _types(of).items()}
    return of(**{each.name: _value(kinds[each.name], document[each.name], arrays)
                 for each in fields(of)})  # fmt: skip
