"""Responses of units to the files of a corpus, part by part, in any process.

A part is some files of a split. Its responses are a file of their own, so that a run can be
resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ganexplain.ascent.responses import excerpt_responses
from ganexplain.config import ResponsesConfig, SelectConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.interfaces import AnyCorpus, split_files
from ganexplain.corpora.load import input_spec_for, load_split, open_corpus
from ganexplain.errors import EmptySplit, GanexplainError
from ganexplain.files.arrays import try_open_array, write_rows
from ganexplain.gans.checkpoint import load_generator
from ganexplain.inputs.base import Input
from ganexplain.networks.hooks import layer_shape, layers_responses, unit_response
from ganexplain.networks.target import NetworkSource, TargetNetwork, load_target
from ganexplain.networks.units import Unit
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import NullProgress

SearchSettings = ResponsesConfig | SelectConfig
RECORDINGS, PICTURES = 4, 256  # of a part: about half a minute of a core


@dataclass(frozen=True)
class ResponsePart:
    """The files `first` to before `last` of a split, or of several as in `valid+test`."""

    split: str
    first: int
    last: int

    @classmethod
    def all_of(cls, corpus: AnyCorpus, split: str) -> list[ResponsePart]:
        """The parts of a split, in the order of its files."""
        count, size = len(split_files(corpus, split)), RECORDINGS if corpus.has_sound else PICTURES
        return [cls(split, first, min(first + size, count)) for first in range(0, count, size)]

    def path(self, folder: Path) -> Path:
        """The path of its file in a folder of parts."""
        return folder / f"{self.split}-{self.first:06d}.npy"


def read_parts(folder: Path, parts: Sequence[ResponsePart], rows: int, columns: int) -> np.ndarray:
    """The responses (M, C) of all parts; GanexplainError if they are not of `rows` excerpts."""
    found = [try_open_array(part.path(folder)) for part in parts]
    arrays = [array for array in found if array is not None and array.shape[1:] == (columns,)]
    if len(arrays) < len(found) or sum(map(len, arrays)) != rows:
        raise GanexplainError(
            f"{folder}: the parts are not those of this corpus; remove the folder, and run the "
            "command again"
        )
    return np.concatenate(arrays)


def load_explained(config: ResponsesConfig) -> TargetNetwork:
    """The network that the settings name, adapted to the output of their GAN, if they name one."""
    device = pick_device(config.device)
    generator_output = load_generator(Path(config.gan), device)[1] if config.gan else None
    return load_target(NetworkSource.from_settings(config), generator_output, device)


@dataclass(frozen=True)
class Measured:
    """What is measured: all units of layers, and single `units` of other forms."""

    layers: tuple[str, ...]
    units: tuple[Unit, ...]

    @property
    def names(self) -> tuple[str | Unit, ...]:
        """The layers and the units, in the order of their columns."""
        return (*self.layers, *self.units)

    def widths(self, explained: TargetNetwork, input_spec: Input) -> list[int]:
        """The number of columns of each layer, and of each of the units."""
        example = torch.zeros(1, *input_spec.shape, device=explained.device)
        sizes = [layer_shape(explained.network, layer, example)[0] for layer in self.layers]
        return sizes + [1] * len(self.units)


class PartResponses:
    """Writes the responses (M, C) to the M excerpts of parts.

    The network and the corpus are given, or loaded once in each process.
    """

    def __init__(
        self,
        config: SearchSettings,
        measured: Measured,
        hop: int,
        folder: Path,
        loaded: tuple[TargetNetwork, AnyCorpus, Input] | None = None,
    ) -> None:
        self.config, self.measured, self.hop, self.folder = config, measured, hop, folder
        if loaded is None:
            assert isinstance(config, ResponsesConfig)  # `select` has loaded them
            explained = load_explained(config)
            corpus = open_corpus(config.corpus, config.skip_bad_files)
            loaded = explained, corpus, input_spec_for(corpus, explained.front_end)
        self.explained, self.corpus, self.input_spec = loaded

    def __call__(self, part: ResponsePart, advance: Callable[[int], None]) -> None:
        """Write the file of a part; `advance` gets the number of its files."""
        files = split_files(self.corpus, part.split)[part.first : part.last]
        found = self._responses(self.corpus.only(files), part.split)
        advance(0)  # ends a task whose command has ended
        write_rows(part.path(self.folder), [found])
        advance(len(files))

    def _responses(self, files: AnyCorpus, name: str) -> np.ndarray:
        cache, skip = cache_directory(self.config.cache), self.config.skip_bad_files
        try:
            split = load_split(files, name, self.input_spec, cache, NullProgress(), skip)
        except EmptySplit:
            width = sum(self.measured.widths(self.explained, self.input_spec))
            return np.empty((0, width), dtype=np.float32)
        network, device = self.explained.network, self.explained.device
        centres, columns = split.whole_excerpts(self.hop), []
        with layers_responses(network, self.measured.layers) as respond:
            columns.append(excerpt_responses(split, centres, respond, device))
        for unit in self.measured.units:
            with unit_response(network, unit) as respond:
                columns.append(excerpt_responses(split, centres, respond, device)[:, None])
        return np.concatenate(columns, axis=1)
