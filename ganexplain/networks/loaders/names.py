"""What `--model` may name, told without torch, which takes seconds to import."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

from ganexplain.errors import UsageError
from ganexplain.files.checkpoint_kind import kind_of
from ganexplain.networks.loaders.other_formats import advice_for

CONFIG = "config.json"  # of a folder of transformers
SUFFIXES = (".pt", ".pth", ".ts", ".jit", ".pt2", ".onnx", ".tflite")
CHECKPOINTS = (".ckpt", ".bin", ".tar")  # endings of files of torch.save, too
OF_THE_HUB = re.compile(r"[\w-][\w.-]*/[\w.-]*\w")
OURS = "a classifier of ganexplain; pass it with --classifier"
FACTORY = re.compile(r"(?P<code>[A-Za-z_][\w.]*|.+\.py):(?P<name>[A-Za-z_][\w.]*)")


def is_factory(model: str) -> bool:
    """Whether `model` is `module:factory` or `file.py:factory`, and not the name of a file."""
    return bool(FACTORY.fullmatch(model)) and not Path(model).exists()


def is_pretrained(model: str) -> bool:
    """Whether `model` is a folder with a `config.json`."""
    return (Path(model) / CONFIG).is_file()


def check_network_file(model: str) -> None:
    """Raise UsageError for what is no factory, no folder of transformers and no network's file.

    The content of a file with a known ending is not read.
    """
    if is_factory(model) or is_pretrained(model):
        return
    path = Path(model)
    if path.suffix not in SUFFIXES and not _is_checkpoint(path):
        raise UsageError(f"--model {model}: {_refusal(path)}")
    if not path.is_file():
        raise UsageError(f"--model {model}: no such file")


def _is_checkpoint(path: Path) -> bool:
    return path.suffix in CHECKPOINTS and path.is_file() and not tarfile.is_tarfile(path)


def _refusal(path: Path) -> str:
    if not path.exists():
        if OF_THE_HUB.fullmatch(str(path)):
            return f"no such file; if it is a name of the Hugging Face hub, write hf://{path}"
        if path.suffix:
            return "no such file"
    if kind_of(path) == "classifier":
        return OURS
    return advice_for(path) or (
        "neither module:factory, file.py:factory, a folder of transformers nor a file with one of "
        f"the endings {', '.join(SUFFIXES)}"
    )
