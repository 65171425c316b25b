"""What `attribute` writes of one attribution: arrays, a picture, sounds."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.artifacts import write_arrays, write_bytes
from ganexplain.config import FrontEnd
from ganexplain.data.filtering import filtered
from ganexplain.local.masking import Parts, SourceMix
from ganexplain.local.measures import Held
from ganexplain.local.methods import Attribution
from ganexplain.pages.attribution_picture import attribution_picture
from ganexplain.pages.sounds import to_pcm
from ganexplain.stages.attribute_inputs import Moment


def heard(parts: Parts, kept: np.ndarray, moment: Moment, front_end: FrontEnd) -> np.ndarray:
    """Waveforms (2, samples) of the parts kept (n,) and of the rest, which add up to the whole.

    Of sources the components themselves; else the real sound, filtered.
    """
    if isinstance(parts, SourceMix):
        return parts.waveforms(np.stack([kept, ~kept]))
    share = parts.spread(kept.astype(np.float64))
    part = filtered(moment.waveform, share, front_end)
    return np.stack([part, moment.waveform - part])


def write_attribution(
    folder: Path,
    moment: Moment,
    labels: np.ndarray,
    parts: Parts,
    found: Attribution,
    held: Held,
    meta: Mapping[str, Any],
    front_end: FrontEnd,
) -> np.ndarray:
    """Write `attribution.npz`, `map.png`, `kept.flac`, `removed.flac`; gives the two sounds."""
    arrays = {
        "map": found.map,
        "mel": moment.mel,
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
    title = f"{moment.path.name} at {moment.centre:.2f} s: {meta['explained']}"
    title += f" ({held.full_score:.3f}) by {meta['configuration']}"
    picture = attribution_picture(moment.mel, found.map, shown, front_end, title)
    write_bytes(folder / "map.png", picture)
    sounds = heard(parts, held.kept, moment, front_end)
    for name, sound in zip(("kept", "removed"), sounds, strict=True):
        write_bytes(folder / f"{name}.flac", flac_bytes(sound, front_end.sample_rate))
    return sounds


def flac_bytes(waveform: np.ndarray, sample_rate: int) -> bytes:
    """A mono FLAC of a waveform (samples,) in [-1, 1]; what is beyond is cut."""
    import soundfile as sf

    stream = io.BytesIO()
    sf.write(stream, to_pcm(waveform), sample_rate, format="FLAC", subtype="PCM_16")
    return stream.getvalue()
