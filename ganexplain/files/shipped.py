"""The networks and recordings that come with the package."""

from __future__ import annotations

import os
from pathlib import Path

from ganexplain.errors import GanexplainError

PACKAGE = Path(__file__).resolve().parents[1]
NETWORKS = ("classifier", "gan", "judge", "referee")  # in pretrained/, which the wheel carries
# In an installed package; in a checkout, which has them once, for all its uses.
PLACES = (PACKAGE / "sample_data", PACKAGE.parent / "sample_data")


def shipped(name: str) -> Path:
    """The path of a shipped file, such as `pretrained/gan.pt`, below the current folder relative.

    Raises GanexplainError if the package was installed without it.
    """
    for place in PLACES:
        if (place / name).is_file():
            path = place / name
            inside = path.is_relative_to(Path.cwd())
            return Path(os.path.relpath(path)) if inside else path
    raise GanexplainError(
        f"{PLACES[0] / name}: no such file; install ganexplain from its wheel, or with "
        "`pip install -e` in a checkout"
    )


def shipped_network(name: str) -> str:
    """The path of one of `NETWORKS`; errors as `shipped`."""
    assert name in NETWORKS  # others are in the checkout alone
    return str(shipped(f"pretrained/{name}.pt"))


def is_shipped(path: str, name: str) -> bool:
    """Whether a path is that of the shipped file `name`."""
    return bool(path) and any((place / name).resolve() == Path(path).resolve() for place in PLACES)


def is_carried(path: Path | str) -> bool:
    """Whether a path is that of a network that the package carries."""
    return is_shipped(str(path), f"pretrained/{Path(path).name}")
