"""Checkpoints: tensors and plain values in a `.pt`, without code."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganexplain.errors import GanexplainError, UsageError, no_memory, reason_of
from ganexplain.files.arrays import SCHEMA, check_kind
from ganexplain.files.atomic import atomic_file, existing_file
from ganexplain.files.bounded import check_archive


def write_checkpoint(path: Path, kind: str, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values as a `.pt` that `weights_only=True` can load."""
    import torch

    buffer = io.BytesIO()  # torch turns a full disk into an error of its own
    torch.save({"kind": kind, "schema": SCHEMA, **content}, buffer)
    with atomic_file(path) as stream:
        stream.write(buffer.getbuffer())


def read_checkpoint(path: Path, kind: str, keys: Sequence[str] = ()) -> dict[str, Any]:
    """Read a checkpoint to the CPU, data only.

    Raises UsageError for a missing file or one of another kind, GanexplainError otherwise.
    """
    try:
        content = load_data(existing_file(path))
    except UsageError:
        raise
    except Exception as error:  # torch raises many kinds for a damaged or foreign file
        raise GanexplainError(
            f"{path}: not a whole ganexplain checkpoint ({reason_of(error)}); make it again"
        ) from error
    if not isinstance(content, dict) or "kind" not in content:
        raise UsageError(f"{path}: not a ganexplain checkpoint; a {kind!r} is needed here")
    check_kind(path, kind, content["kind"], content.get("schema"))
    for key in keys:
        if key not in content:
            raise GanexplainError(f"{path}: key {key!r} is missing; make it again")
    return content


def load_data(path: Path) -> Any:
    """Tensors and plain values of a `.pt` on the CPU; runs no code of the file's.

    Raises whatever torch raises, ValueError where it is an archive that claims to hold far more
    than there is.
    """
    import torch

    source: Path | io.BytesIO = path
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path.stat().st_size)
    else:  # of torch before 1.6, whose lengths bound nothing in a file
        source = io.BytesIO(path.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's, about files of others
        return torch.load(source, map_location="cpu", weights_only=True)


def is_checkpoint(path: Path, kind: str) -> bool:
    """Whether a file is a checkpoint of ours of that kind."""
    try:
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                return False  # TorchScript
        content = load_data(path)
    except Exception as error:  # of another kind, or damaged
        if no_memory(error):
            raise
        return False
    return isinstance(content, dict) and content.get("kind") == kind and "schema" in content
