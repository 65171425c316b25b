"""Responses of units to the files of a corpus, part by part, in any process.

A part is some files of a split. Its responses are a file of their own, so that a run can be
resumed, and so that there may be more of them than fit into memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ganexplain.artifacts.explanations import read_explanations
from ganexplain.artifacts.merging import explanation_files
from ganexplain.ascent.responses import excerpt_responses
from ganexplain.config import ResponsesConfig, SelectConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.interfaces import AnyCorpus, AnySplit, split_files
from ganexplain.corpora.load import input_spec_for, load_split, open_corpus
from ganexplain.errors import EmptySplit
from ganexplain.files.arrays import try_open_array, write_rows
from ganexplain.gans.checkpoint import load_searched
from ganexplain.inputs.base import Input
from ganexplain.networks.hooks import layer_shape, layers_responses, unit_response
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork, load_target
from ganexplain.networks.units import Unit
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import NullProgress
from ganexplain.selection.controls import load_target_network

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

    def centres_path(self, folder: Path) -> Path:
        """The path of the file with its excerpts."""
        return folder / f"{self.split}-{self.first:06d}-centres.npy"

    def read(self, folder: Path) -> tuple[np.ndarray, np.ndarray] | None:
        """Its responses (m, C), memory-mapped, and centres (m, 2); None if a file is missing.

        A centre is the number of a file of the split and a place in it.
        """
        responses = try_open_array(self.path(folder))
        centres = try_open_array(self.centres_path(folder))
        if responses is None or centres is None or centres.shape != (len(responses), 2):
            return None
        return responses, np.array(centres)


def load_explained(config: ResponsesConfig) -> TargetNetwork:
    """The network that the settings name, adapted to the output of their GAN, if they name one."""
    device = pick_device(config.device)
    generator_output = load_searched(Path(config.gan), device)[1] if config.gan else None
    return load_target(NetworkSource.from_settings(config), generator_output, device)


def _load(config: SearchSettings) -> tuple[TargetNetwork, AnyCorpus, Input]:
    """The network, the corpus, and the inputs that it is made into, by the settings alone."""
    corpus = open_corpus(config.corpus, config.skip_bad_files)
    if isinstance(config, ResponsesConfig):
        explained = load_explained(config)
        return explained, corpus, input_spec_for(corpus, explained.front_end)
    first = read_explanations(explanation_files(Path(config.explanations))[0])
    explained = load_target_network(config, first, pick_device(config.device))
    return explained, corpus, input_spec_for(corpus, first.front_end)


@dataclass(frozen=True)
class Measured:
    """What is measured: all units of layers, and single `units` of other forms."""

    layers: tuple[str, ...]
    units: tuple[Unit, ...]

    @property
    def names(self) -> tuple[str | Unit, ...]:
        """The layers and the units, in the order of their columns."""
        return (*self.layers, *self.units)

    def columns(self, explained: TargetNetwork, input_spec: Input) -> dict[str | Unit, slice]:
        """The columns of each layer, and of each of the units."""
        example = torch.zeros(1, *input_spec.shape, device=explained.device)
        sizes = [layer_shape(explained.network, layer, example)[0] for layer in self.layers]
        ends = np.cumsum(sizes + [1] * len(self.units)).tolist()
        columns = map(slice, [0, *ends[:-1]], ends)
        return dict(zip((*self.layers, *self.units), columns, strict=True))


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
        self.explained, self.corpus, self.input_spec = loaded or _load(config)

    def __call__(self, part: ResponsePart, advance: Callable[[int], None]) -> None:
        """Write the files of a part; `advance` gets the number of its recordings or pictures."""
        files = split_files(self.corpus, part.split)[part.first : part.last]
        cache, skip = cache_directory(self.config.cache), self.config.skip_bad_files
        corpus = self.corpus.only(files)
        try:
            split = load_split(corpus, part.split, self.input_spec, cache, NullProgress(), skip)
        except EmptySplit:
            width = max(each.stop for each in self._columns().values())
            found, centres = np.empty((0, width), np.float32), np.empty((0, 2), np.int64)
        else:
            centres = split.whole_excerpts(self.hop)
            found = self._responses(split, centres)
            numbers = {file.path: part.first + k for k, file in enumerate(files)}
            centres[:, 0] = np.array([numbers[r.path] for r in split.recordings])[centres[:, 0]]
        advance(0)  # ends a task whose command has ended
        write_rows(part.centres_path(self.folder), [centres])
        write_rows(part.path(self.folder), [found])
        advance(len(files))

    def _columns(self) -> dict[str | Unit, slice]:
        return self.measured.columns(self.explained, self.input_spec)

    def _responses(self, split: AnySplit, centres: np.ndarray) -> np.ndarray:
        """Responses (m, C) to the excerpts of a split."""
        network, device, columns = self.explained.network, self.explained.device, []
        with layers_responses(network, self.measured.layers) as respond:
            columns.append(excerpt_responses(split, centres, respond, device))
        for unit in self.measured.units:
            with unit_response(network, unit) as respond:
                columns.append(excerpt_responses(split, centres, respond, device)[:, None])
        return np.concatenate(columns, axis=1)
