"""One real input from a file: an excerpt of a recording, or a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.corpora.picture_files import load_picture
from ganexplain.errors import BadFile
from ganexplain.inputs.kinds import FrontEnd, ImageInput, Input


def example_from(path: Path, eaten: Input) -> Tensor:
    """The middle of a recording, or a picture, as one input (1, ...).

    Raises BadFile where the file cannot be read, or is too short for one frame.
    """
    if isinstance(eaten, ImageInput):
        return torch.from_numpy(load_picture(path, eaten))[None]
    sound = load_mono(path, eaten.sample_rate)
    if not isinstance(eaten, FrontEnd):
        return torch.from_numpy(_middle(sound, eaten.samples, 0.0))[None]
    mel = log_mel(sound, eaten)
    if not len(mel):
        raise BadFile(f"{path}: shorter than one frame; name a longer recording")
    silence = eaten.silence
    return torch.from_numpy(_middle(mel, eaten.excerpt_frames, silence).T.copy())[None]


def _middle(values: np.ndarray, length: int, filled: float) -> np.ndarray:
    """The middle `length` rows of an array, `filled` up at both ends where it has fewer."""
    start = max(len(values) - length, 0) // 2
    part = values[start : start + length]
    before = (length - len(part)) // 2
    pad = [(before, length - len(part) - before), *[(0, 0)] * (values.ndim - 1)]
    return np.pad(part, pad, constant_values=filled).astype(np.float32)
