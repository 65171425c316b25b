"""A network of pictures whose outputs can be said: the mean of each colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

NETWORK = """import torch
class Colours(torch.nn.Module):
    def forward(self, x):
        return x.mean(dim=(2, 3))
"""
PICTURE = """kind = "image"
channels = 3
height = 8
width = 8
[network]
classes = ["r", "g", "b"]
"""


def write_colours(folder: Path) -> dict[str, Any]:
    """Write the network and its input into `folder`; returns the settings that name them."""
    (folder / "net.py").write_text(NETWORK)
    (folder / "picture.toml").write_text(PICTURE)
    return {"model": f"{folder / 'net.py'}:Colours", "input": str(folder / "picture.toml")}
