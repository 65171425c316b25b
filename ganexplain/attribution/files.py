"""What `attribute` writes of one attribution: arrays, a picture, and both sides of the input."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.attribution.inputs.piece import Piece
from ganexplain.attribution.inputs.side import Side
from ganexplain.attribution.masking import Parts
from ganexplain.attribution.measures import Held
from ganexplain.attribution.methods.registry import Attribution
from ganexplain.files.arrays import write_arrays
from ganexplain.files.atomic import write_bytes


def write_attribution(
    folder: Path,
    piece: Piece,
    labels: np.ndarray,
    parts: Parts,
    found: Attribution,
    held: Held,
    meta: Mapping[str, Any],
) -> list[Side]:
    """Write `attribution.npz`, `map.png`, and `kept` and `removed` as sounds or pictures.

    Gives the latter two.
    """
    arrays = {
        "map": found.map,
        "mel": piece.seen,
        "segments": labels,
        "weights": found.weights,
        "kept": held.kept,
        "full_score": np.array(held.full_score),
        "kept_score": np.array(held.kept_score),
        "deleted_score": np.array(held.removed_score),
        "removed_share": held.curves.share,
        "deletion": held.curves.deletion,
        "insertion": held.curves.insertion,
        "n_forward": np.array(found.passes),
        "seconds": np.array(found.seconds),
        "seed": np.array(meta["seed"]),
    }
    write_arrays(folder / "attribution.npz", "attribution", arrays, meta)
    shown = parts.spread(held.kept.astype(np.float64)) > 0.5
    title = f"{piece.title}: {meta['explained']} ({held.full_score:.3f}) by {meta['configuration']}"
    write_bytes(folder / "map.png", piece.map_picture(found.map, shown, title))
    sides = piece.sides(parts, held.kept)
    for name, side in zip(("kept", "removed"), sides, strict=True):
        write_bytes(folder / f"{name}.{piece.suffix}", side.content)
    return sides
