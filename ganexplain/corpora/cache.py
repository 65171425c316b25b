"""Caches features of recordings in memory-mapped files named by content and front end."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import singledispatch
from itertools import chain
from pathlib import Path

import numpy as np

from ganexplain.audio.io import mono_blocks
from ganexplain.audio.log_mel import log_mel_blocks
from ganexplain.errors import BadFile
from ganexplain.files.arrays import try_open_array, write_rows
from ganexplain.files.atomic import file_hash, remove_unfinished
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import input_values
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.runs.environment import user_cache

FEATURES_VERSION = 3  # increase it if decoding or the arithmetic of the front end changes
_remove_unfinished_once = functools.cache(remove_unfinished)


def cache_directory(named: str) -> Path:
    """The named folder, or `ganexplain` in the user's cache directory."""
    return Path(named) if named else user_cache()


@dataclass(frozen=True)
class FeatureKind:
    """Features of recordings: what they depend on, and the blocks (t, ...) of those of a file."""

    name: str
    parameters: Mapping[str, object]
    blocks: Callable[[Path], Iterable[np.ndarray]]

    def entry(self, path: Path, folder: Path) -> Path:
        """The file of the features of a recording; BadFile if there is no such recording."""
        if not path.is_file():
            raise BadFile(f"{path}: no such file; correct the name")
        content = [FEATURES_VERSION, self.name, file_hash(path), self.parameters]
        key = json.dumps(content, sort_keys=True)
        return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"

    def open(self, path: Path, folder: Path) -> np.ndarray:
        """The features of a recording, memory-mapped, computed on the first call."""
        entry = self.entry(path, folder)
        found = try_open_array(entry)
        if found is None:
            _remove_unfinished_once(folder)
            write_rows(entry, self.blocks(path))
            found = try_open_array(entry)
            assert found is not None
        return found


@singledispatch
def feature_kind(input_spec: Input) -> FeatureKind | None:
    """The features that inputs are cut from: one function for each kind; None without a cache."""
    return None


@feature_kind.register
def _log_mel(front_end: FrontEnd) -> FeatureKind:
    def blocks(path: Path) -> Iterator[np.ndarray]:
        empty = True
        for frames in log_mel_blocks(mono_blocks(path, front_end.sample_rate), front_end):
            empty = False
            yield frames
        if empty:
            length = front_end.frame_length / front_end.sample_rate
            raise BadFile(f"{path}: shorter than one frame ({length:.3f} s); leave it out")

    return FeatureKind("log-mel", input_values(front_end), blocks)


@feature_kind.register
def _waveform(input_spec: WaveformInput) -> FeatureKind:
    return _sound(input_spec.sample_rate)


def _sound(sample_rate: int) -> FeatureKind:
    def blocks(path: Path) -> Iterable[np.ndarray]:
        return chain([np.empty(0, np.float32)], mono_blocks(path, sample_rate))

    return FeatureKind("waveform", {"sample_rate": sample_rate}, blocks)


def cached_log_mel(path: Path, front_end: FrontEnd, folder: Path) -> np.ndarray:
    """Log-mel (T, F) of a recording, memory-mapped, computed on the first call.

    Raises BadFile if the recording cannot be used or is shorter than one frame.
    """
    return _log_mel(front_end).open(path, folder)


def cached_waveform(path: Path, sample_rate: int, folder: Path) -> np.ndarray:
    """Decoded mono waveform (samples,) float32, memory-mapped, for features of altered sound."""
    return _sound(sample_rate).open(path, folder)
