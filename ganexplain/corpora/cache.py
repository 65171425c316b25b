"""Caches features of recordings in memory-mapped files named by content and front end."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np

from ganexplain.audio.io import mono_blocks
from ganexplain.audio.log_mel import log_mel_blocks
from ganexplain.errors import BadFile
from ganexplain.files.arrays import try_open_array, write_rows
from ganexplain.files.atomic import file_hash, remove_unfinished
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import input_values
from ganexplain.runs.environment import user_cache

FEATURES_VERSION = 3  # increase it if decoding or the arithmetic of the front end changes
_remove_unfinished_once = functools.cache(remove_unfinished)


def cache_directory(named: str) -> Path:
    """The named folder, or `ganexplain` in the user's cache directory."""
    return Path(named) if named else user_cache()


def cached_log_mel(path: Path, front_end: FrontEnd, folder: Path) -> np.ndarray:
    """Log-mel (T, F) of a recording, memory-mapped, computed on the first call.

    Raises BadFile if the recording cannot be used or is shorter than one frame.
    """

    def compute() -> Iterator[np.ndarray]:
        empty = True
        for frames in log_mel_blocks(mono_blocks(path, front_end.sample_rate), front_end):
            empty = False
            yield frames
        if empty:
            length = front_end.frame_length / front_end.sample_rate
            raise BadFile(f"{path}: shorter than one frame ({length:.3f} s); leave it out")

    return _cached(path, "log-mel", input_values(front_end), folder, compute)


def cached_waveform(path: Path, sample_rate: int, folder: Path) -> np.ndarray:
    """Decoded mono waveform (samples,) float32, memory-mapped, for features of altered sound."""
    return _cached(
        path,
        "waveform",
        {"sample_rate": sample_rate},
        folder,
        lambda: chain([np.empty(0, np.float32)], mono_blocks(path, sample_rate)),
    )


def _cached(
    path: Path,
    kind: str,
    parameters: Mapping[str, object],
    folder: Path,
    blocks: Callable[[], Iterable[np.ndarray]],
) -> np.ndarray:
    if not path.is_file():
        raise BadFile(f"{path}: no such file; correct the name")
    key = json.dumps([FEATURES_VERSION, kind, file_hash(path), parameters], sort_keys=True)
    entry = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
    found = try_open_array(entry)
    if found is None:
        _remove_unfinished_once(folder)
        write_rows(entry, blocks())
        found = try_open_array(entry)
        assert found is not None
    return found
