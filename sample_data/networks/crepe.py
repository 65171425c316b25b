"""The pitch classifier CREPE from the package torchcrepe, without what else that package imports.

`import torchcrepe` wants torchaudio, which the network itself does not: only its module is run.
Where torchaudio is installed, `--model torchcrepe:Crepe --weights .../assets/full.pth` will do.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import torch

PITCH_BINS = 360  # of 20 cents, from 31.7 Hz up


def _folder() -> Path:
    found = importlib.util.find_spec("torchcrepe")
    if found is None or not found.submodule_search_locations:
        raise ImportError("torchcrepe is not installed: pip install --no-deps torchcrepe")
    return Path(found.submodule_search_locations[0])


def tiny() -> torch.nn.Module:
    """CREPE's small network with its weights; (B, 1024) samples at 16 kHz to 360 pitches."""
    folder = _folder()
    spec = importlib.util.spec_from_file_location("crepe_network", folder / "model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    package = ModuleType("torchcrepe")
    package.PITCH_BINS = PITCH_BINS
    before = sys.modules.get("torchcrepe")
    sys.modules["torchcrepe"] = package
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["torchcrepe"]
        if before is not None:
            sys.modules["torchcrepe"] = before
    network = module.Crepe("tiny")
    network.load_state_dict(torch.load(folder / "assets" / "tiny.pth", weights_only=True))
    return network
