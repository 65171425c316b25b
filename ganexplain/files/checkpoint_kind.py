"""What kind of checkpoint a file is, told by its beginning and without torch."""

from __future__ import annotations

import json
import pickletools
import zipfile
from itertools import islice
from pathlib import Path

from ganexplain.errors import short_repr
from ganexplain.files.archives import ZIP
from ganexplain.files.arrays import wrong_kind
from ganexplain.files.atomic import existing_file

NO_CHECKPOINT = "not a ganexplain checkpoint"
SAFETENSORS = ".safetensors"
BEGINNING = 256  # bytes of a pickle with the kind, which comes first
INSTRUCTIONS = 8  # of a pickle, up to the kind
LONGEST_HEADER = 2**24  # bytes of a file of tensors; of a longer one the kind is not looked for


def may_be_checkpoint(path: Path) -> bool:
    """Whether a file begins as checkpoints do, also one that is cut at once."""
    with path.open("rb") as stream:
        head = stream.read(len(ZIP))
    return path.suffix == SAFETENSORS or head.startswith(b"\x80") or ZIP.startswith(head)


def kind_of(path: Path) -> str:
    """The kind of checkpoint of ganexplain in a file; empty if that is not told by its beginning.

    No code in the file is run, and the file is not checked any further.
    """
    try:
        found = _of_tensors(path) if path.suffix == SAFETENSORS else _of_archive(path)
    except Exception:  # of a damaged or foreign file, which who reads it names
        return ""
    return found if isinstance(found, str) else ""


def check_checkpoint(path: Path, kind: str) -> None:
    """Raise the UsageErrors of `read_checkpoint` that the beginning of a file shows."""
    if not may_be_checkpoint(existing_file(path)):
        raise wrong_kind(path, kind, NO_CHECKPOINT)
    if (found := kind_of(path)) and found != kind:
        raise wrong_kind(path, kind, f"contains {short_repr(found)}")


def _of_archive(path: Path) -> object:
    """What follows the text `kind` at the beginning of the pickle in a file of `torch.save`."""
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        with archive.open(name) as stream:
            beginning = stream.read(BEGINNING)
    texts = []
    for operation, argument, _ in islice(pickletools.genops(beginning), INSTRUCTIONS):
        if "UNICODE" in operation.name:
            texts.append(argument)
    return texts[1] if texts[0] == "kind" else ""


def _of_tensors(path: Path) -> object:
    """The kind in the header of safetensors."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length)) if length <= LONGEST_HEADER else {}
    return json.loads(header["__metadata__"]["ganexplain"])["kind"]
